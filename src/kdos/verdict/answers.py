"""One way to write numbers, dates and names, so that an answer is known in any dress."""

import re
import unicodedata
from collections.abc import Iterable

from kdos.verdict.language import is_wide

_MONTHS: dict[str, int] = {
    name: number
    for number, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun",
            "july jul", "august aug", "september sept sep", "october oct", "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})\.?,? (\d{{4}})\b")
_MONTH_FIRST = re.compile(rf"\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})\b")
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL: dict[str, int] = {
    **{word: number for number, word in enumerate(_UNITS.split())},
    **{word: 10 * number for number, word in enumerate(_TENS.split(), start=2)},
}
_LARGE: dict[str, int] = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9}
_RANKS = "first second third fourth fifth sixth seventh eighth ninth tenth"
_RANK_FORMS = "1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th"
_ORDINALS: dict[str, str] = dict(zip(_RANKS.split(), _RANK_FORMS.split(), strict=True))
_NUMBER_WORD = "|".join(sorted([*_SMALL, *_LARGE], key=len, reverse=True))
_SPELT = re.compile(rf"\b(?:{_NUMBER_WORD})(?:(?:-| and | )(?:{_NUMBER_WORD}))*\b")
_SCALED = re.compile(r"\b(\d+(?:\.\d+)?)[ -](thousand|million|billion)\b")
_ORDINAL = re.compile(rf"\b(?:{'|'.join(_ORDINALS)})\b")
_GROUPED = re.compile(r"(?<=\d)[, \u2009\u202f'](?=\d{3}(?!\d))")
_TRAILING_ZEROS = re.compile(r"(?<=\d)\.0+(?!\d)")
_WORDY = re.compile(rf"\b(?:{_NUMBER_WORD}|{'|'.join(_ORDINALS)})\b")
_NUMERIC = re.compile(rf"\d|{_WORDY.pattern}")
_ARTICLE = re.compile(r"^(?:the|a|an) (?=.)")
_CAPITALISED = re.compile(
    r"\b[A-Z][\w'’]*(?:[ -](?:of|the|and|for|de|du|des|la)?[ -]?[A-Z][\w'’]*)+"
)
_INITIALS = re.compile(r"\b[A-Z][A-Z.&]{1,9}\b\.?")


def canonical(text: str) -> str:
    """The text in NFKC without case; dates as 1776-07-04, numbers as digits, spaces single."""
    text = unicodedata.normalize("NFKC", text).casefold()
    numbers = any(letter.isdigit() for letter in text)
    if numbers:
        text = _SCALED.sub(_scaled, _GROUPED.sub("", text))
    if _WORDY.search(text):
        text = _ORDINAL.sub(lambda found: _ORDINALS[found[0]], _SPELT.sub(_in_digits, text))
    if numbers:
        text = _DAY_FIRST.sub(lambda d: f"{d[3]}-{_MONTHS[d[2]]:02}-{int(d[1]):02}", text)
        text = _MONTH_FIRST.sub(lambda d: f"{d[3]}-{_MONTHS[d[1]]:02}-{int(d[2]):02}", text)
        text = _TRAILING_ZEROS.sub("", text)
    return " ".join(text.split())


def stands_in(answer: str, text: str) -> bool:
    """Does the answer stand in the text as words of its own? Both are canonical."""
    return find_whole(_ARTICLE.sub("", answer).strip(" .,;:!?\"'“”‘’"), text) >= 0


def find_whole(part: str, text: str) -> int:
    """Where `part` first stands in the text as words of its own, or -1.

    Chinese, Japanese and Korean do not part words: there, anywhere will do.
    """
    start = text.find(part) if part else -1
    if start < 0 or is_wide(part):
        return start
    while start >= 0 and not _is_whole(text, start, start + len(part)):
        start = text.find(part, start + 1)
    return start


def given_away(question: str, answers: Iterable[str]) -> str:
    """The answer that stands in the question, in any dress, or the empty string."""
    plain = unicodedata.normalize("NFKC", question).casefold()
    for answer in answers:
        bare = unicodedata.normalize("NFKC", answer).casefold()
        if stands_in(bare, plain) or _abbreviated(answer, question):
            return answer
        if _NUMERIC.search(bare) and stands_in(canonical(answer), canonical(question)):
            return answer
    return ""


def _is_whole(text: str, start: int, end: int) -> bool:
    """Is text[start:end] not a part of a longer word, number or dotted name?"""
    before, after = text[start - 1 : start], text[end : end + 1]
    if before.isalnum() or before == "_" or after.isalnum() or after == "_":
        return False
    if before in {".", "-"} and text[start - 2 : start - 1].isalnum() and start > 1:
        return before == "-" and not text[start].isdigit()
    if after in {".", "-", ","} and text[end + 1 : end + 2].isalnum():
        return after == "-" and not text[end - 1].isdigit()
    return not (before == "-" and text[start].isdigit())


def _abbreviated(answer: str, question: str) -> bool:
    """Does the question hold the initials of the answer's name, or the name of its initials?"""
    if _INITIALS.fullmatch(answer):
        wanted = answer.replace(".", "").replace("&", "")
        names = _CAPITALISED.findall(question)
        return len(wanted) >= 3 and any(_initials(name) == wanted for name in names)
    initials = _initials(answer) if _CAPITALISED.fullmatch(answer) else ""
    if len(initials) < 3:
        return False
    return any(found.replace(".", "") == initials for found in _INITIALS.findall(question))


def _initials(name: str) -> str:
    """The capitals that begin the words of a name."""
    return "".join(word[0] for word in re.split(r"[ -]", name) if word[:1].isupper())


def _in_digits(found: re.Match[str]) -> str:
    """Number words in digits; as they are where they do not make one number."""
    words = re.split(r"-| and | ", found[0])
    total = part = 0
    for before, word in zip(["", *words], words, strict=False):
        if word in _SMALL:
            if before in _SMALL and not (_SMALL[before] >= 20 and _SMALL[word] < 10):
                return found[0]
            part += _SMALL[word]
        elif word == "hundred":
            part = max(part, 1) * 100
        else:
            total += max(part, 1) * _LARGE[word]
            part = 0
    return str(total + part)


def _scaled(found: re.Match[str]) -> str:
    """``1.5 million`` in digits."""
    value = float(found[1]) * _LARGE[found[2]]
    return str(int(value)) if value.is_integer() else found[0]
