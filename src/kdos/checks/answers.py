"""Answers and quotes in one normal form each, and where they stand in a text."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kdos.checks.sentence_checks import has_unspaced_letter
from kdos.pool import Evidence, Passage
from kdos.pool.quotes import find_quote_span, find_whole_span, is_cut
from kdos.pool.wording import normalise_text

MONTH_NAMES = tuple("january february march april may june july august september october november december".split())
MONTHS: dict[str, int] = {
    form: number for number, name in enumerate(MONTH_NAMES, start=1) for form in (name, name[:3])
} | {"sept": 9}
"""Each name of a month, whole or cut to three letters, with the month's number."""


def _alternatives_pattern(words: Iterable[str]) -> str:
    """A pattern for one of the words; the first letter alone rules most others out."""
    longest_first = sorted(words, key=len, reverse=True)
    initials = "".join(sorted({word[0] for word in longest_first}))
    return f"(?=[{initials}])(?:{'|'.join(longest_first)})"


_MONTH = _alternatives_pattern(MONTHS)
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})\.?,? (\d{{4}})\b")
_MONTH_FIRST = re.compile(rf"\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})\b")
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: number for number, word in enumerate(_UNITS.split())} | {
    word: 10 * number for number, word in enumerate(_TENS.split(), start=2)
}
_LARGE: dict[str, int] = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINALS = {
    "first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th", "fifth": "5th",
    "sixth": "6th", "seventh": "7th", "eighth": "8th", "ninth": "9th", "tenth": "10th",
}  # fmt: skip
CARDINALS = frozenset([*_SMALL, *_LARGE])
_CARDINAL = _alternatives_pattern(sorted(CARDINALS))
_SPELT = re.compile(rf"\b{_CARDINAL}(?:(?:-| and | ){_CARDINAL})*\b")
_SCALED = re.compile(r"\b(\d+(?:\.\d+)?)[ -](thousand|million|billion|trillion)\b")
_ORDINAL = re.compile(rf"\b{_alternatives_pattern(_ORDINALS)}\b")
# "1,000" and "1 000" but not the comma of "1,00": three digits must follow, and no fourth.
_GROUPED = re.compile(r"[, \u2009\u202f'](?<=\d.)(?=\d{3}(?!\d))")
_TRAILING_ZEROS = re.compile(r"\d(?<![\d.]\d)\d*\.0+(?!\.?\d)")
_NUMBER_WORDS = frozenset([*CARDINALS, *_ORDINALS])
_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_ARTICLE = re.compile(r"^(?:the|a|an) (?=.)")
# Each word is bounded: "A'A'A'…" has a word's beginning at every other character.
_CAPITALISED = re.compile(r"\b[A-Z][\w'’]{0,80}+(?:[ -](?:of|the|and|for|de|du|des|la)?[ -]?[A-Z][\w'’]{0,80}+)+")
_INITIALS = re.compile(r"\b[A-Z][A-Z.&]{1,9}\b\.?")


def canonicalise_text(text: str) -> str:
    """The text in NFKC without case; dates as 1776-07-04, numbers as digits, spaces single."""
    # Each expression runs only where a word that it could match is there. The order matters: digit
    # groups before scaled numbers ("1,500 thousand"), number words before dates.
    words = normalise_text(text).split()
    text = unicodedata.normalize("NFKC", text).casefold()
    numbers = _DIGIT.search(text) is not None
    if numbers:
        text = _GROUPED.sub("", text)
        if not _LARGE.keys().isdisjoint(words):
            text = _SCALED.sub(_scaled_number_to_digits, text)
    if not CARDINALS.isdisjoint(words):
        text = _SPELT.sub(_number_words_to_digits, text)
    if not _ORDINALS.keys().isdisjoint(words):
        text = _ORDINAL.sub(lambda found: _ORDINALS[found[0]], text)
    if numbers and not MONTHS.keys().isdisjoint(words):
        text = _DAY_FIRST.sub(lambda d: f"{d[3]}-{MONTHS[d[2]]:02}-{int(d[1]):02}", text)
        text = _MONTH_FIRST.sub(lambda d: f"{d[3]}-{MONTHS[d[1]]:02}-{int(d[2]):02}", text)
    if numbers and ".0" in text:
        text = _TRAILING_ZEROS.sub(lambda found: found[0].partition(".")[0], text)
    return " ".join(text.split())


def occurs_as_words(answer: str, text: str) -> bool:
    """Does the answer stand in the text as words of its own? Both are canonical."""
    return find_whole_words(_ARTICLE.sub("", answer).strip(" .,;:!?\"'“”‘’"), text) >= 0


def find_whole_words(part: str, text: str) -> int:
    """Where `part` first stands in the text as words of its own, or -1.

    Chinese, Japanese and Korean do not part words: there, anywhere will do.
    """
    start = text.find(part) if part else -1
    if start < 0 or has_unspaced_letter(part):
        return start
    while start >= 0 and not _has_word_boundaries(text, start, start + len(part)):
        start = text.find(part, start + 1)
    return start


def find_leaked_answer(question: str, answers: Iterable[str]) -> str:
    """The answer that stands in the question, in any dress, or the empty string."""
    plain = unicodedata.normalize("NFKC", question).casefold()
    in_digits = None
    for answer in answers:
        bare = unicodedata.normalize("NFKC", answer).casefold()
        if occurs_as_words(bare, plain) or _matches_initials(answer, question):
            return answer
        if _holds_number(bare):
            in_digits = canonicalise_text(question) if in_digits is None else in_digits
            if occurs_as_words(canonicalise_text(answer), in_digits):
                return answer
    return ""


def _holds_number(text: str) -> bool:
    """Does the text hold a number in digits or words?"""
    return bool(_DIGIT.search(text)) or not _NUMBER_WORDS.isdisjoint(_WORD.findall(text))


def _has_word_boundaries(text: str, start: int, end: int) -> bool:
    """Is text[start:end] not a part of a longer word, number or dotted name?"""
    # A dot, hyphen or comma joins a longer name or number only if a letter or digit follows it:
    # "3" does not stand in "3.14" nor "cwd" in "Path.cwd", but "Paris" does in "Paris.".
    before, after = text[start - 1 : start], text[end : end + 1]
    if before.isalnum() or before == "_" or after.isalnum() or after == "_":
        return False
    if before in {".", "-"} and text[start - 2 : start - 1].isalnum() and start > 1:
        return before == "-" and not text[start].isdigit()
    if after in {".", "-", ","} and text[end + 1 : end + 2].isalnum():
        return after == "-" and not text[end - 1].isdigit()
    return not (before == "-" and text[start].isdigit())


def _matches_initials(answer: str, question: str) -> bool:
    """Does the question hold the initials of the answer's name, or the name of its initials?"""
    if _INITIALS.fullmatch(answer):
        wanted = answer.replace(".", "").replace("&", "")
        names = _CAPITALISED.findall(question)
        return len(wanted) >= 3 and any(_initials_of_name(name) == wanted for name in names)
    initials = _initials_of_name(answer) if _CAPITALISED.fullmatch(answer) else ""
    if len(initials) < 3:
        return False
    return any(found.replace(".", "") == initials for found in _INITIALS.findall(question))


def _initials_of_name(name: str) -> str:
    """The capitals that begin the words of a name."""
    return "".join(word[0] for word in re.split(r"[ -]", name) if word[:1].isupper())


def _number_words_to_digits(found: re.Match[str]) -> str:
    """Number words in digits; as they are where they do not make one number."""
    words = re.split(r"-| and | ", found[0])
    # `part` gathers what is below a thousand, as in "two hundred and fifty"; thousand and above
    # close it. Units that follow units ("one two three") make no number and stay words.
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


def _scaled_number_to_digits(found: re.Match[str]) -> str:
    """``1.5 million`` in digits."""
    # As a fraction: 1.1 times a million is no whole number in binary.
    value = Fraction(found[1]) * _LARGE[found[2]]
    return str(value.numerator) if value.denominator == 1 else found[0]


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """A stretch of a document: `start` and `end` count characters of the document's text."""

    document: str
    start: int
    end: int


def is_quoted(piece: Evidence, passages: Mapping[str, Passage]) -> bool:
    """Whether a quote stands in the passage that it names."""
    passage = passages.get(piece.passage)
    return passage is not None and find_quote_span(piece.quote, passage.text) is not None


def locate_answer_evidence(
    evidence: Sequence[Evidence], answer: str, passages: Mapping[str, Passage]
) -> AnswerSpan | None:
    """Where the answer stands inside the first quote that holds it."""
    for piece in evidence:
        passage = passages.get(piece.passage)
        span = find_quote_span(piece.quote, passage.text) if passage else None
        if passage is None or span is None:
            continue
        inside = find_answer_span(answer, passage.text[span[0] : span[1]])
        if inside is not None:
            start, end = (passage.start + span[0] + at for at in inside)
            return AnswerSpan(passage.document, start, end)
    return None


def find_answer_span(answer: str, text: str) -> tuple[int, int] | None:
    """Where the answer stands in the text as words of its own; case may differ if it must."""
    answer = answer.strip()
    for wanted, searched in ((answer, text), (answer.lower(), text.lower())):
        start = find_whole_words(wanted, searched)
        # Lower case may change a text's length (İ): offsets would then point elsewhere.
        if start >= 0 and len(searched) == len(text):
            found = start, start + len(answer)
            return find_whole_span(answer, text) if is_cut(text, *found) else found
    return find_quote_span(answer, text) if " " in answer else None
