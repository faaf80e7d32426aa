"""What rows of other people's tables must satisfy, beyond drafts' checks: plain faults only (our design).

A draft has its writer, who can be asked again, so its checks are strict; of a row that somebody wrote, what may be
meant is let pass. Each check gives a refusal or None.
"""

import re
import unicodedata
from collections.abc import Sequence

from kdos.checks.abstentions import declines_to_answer
from kdos.checks.answer_fit import find_misfit
from kdos.checks.answers import canonicalise_text, find_whole_words
from kdos.checks.refusals import make_refusal
from kdos.checks.sentence_checks import detect_other_language, is_essay_question
from kdos.pool import Draft, Refusal
from kdos.pool.wording import read_sentence_words

_NULLS = frozenset("null nan n/a undefined <na> #n/a - -- – — ? ?? tbd todo [] {} . ...".split())
_POINTING_WORDS = """
that this it they them he him she her these those there something someone somebody somewhere thing things stuff same
above below former latter as see the passage text a an of in
"""
_POINTING = frozenset(_POINTING_WORDS.split())
_OPTION_LETTER = re.compile(
    r"(?:(?:the )?(?:correct |right |best )?(?:option|choice|answer)s?(?: is|:)? )?[(（\[]?[A-Ha-h][)）\].:：]?"
    r"(?:(?:,| and| &| or) ?[(（\[]?[A-H][)）\].:：]?)*",
    re.IGNORECASE,
)
_OPTION_FIRST = re.compile(r"[(（\[][A-Ha-h][)）\]]\s|[A-Ha-h][)）]\s|(?:option|choice) [A-Ha-h]\b", re.IGNORECASE)
_ALL_OPTIONS = re.compile(r"(?:all|none|both|neither|any) of the (?:above|options|choices)\W*", re.IGNORECASE)
_ASKS_LETTER = re.compile(
    r"\b(?:letters?|vitamins?|grades?|notes?|keys?|types?|groups?|class|symbols?|abbreviat\w*|stands?|drives?|hepatitis"
    r"|languages?|ratings?|blood|strings?|variables?|elements?|code|initials?|sizes?|divisions?|categor\w+|levels?|cups?"
    r"|majors?|minors?|vowels?|consonants?|alphabets?|roman|lines?|trains?|tuned?|hexadecimal|plans?|films?|movies?"
    r"|novels?|scales?|chords?|keyboard|constants?|numerals?|units?|midfielder|position|spell\w*)\b",
    re.IGNORECASE,
)
_AROUND = " .,;:!?\"'“”‘’()[]"
_ARTICLE = re.compile(r"^(?:the|a|an) (?=.)")
_ASKING_WORDS = frozenset(
    ["who", "what", "which", "where", "when", "why", "how", "whom", "whose", "it", "that", "this", "one", "i"]
)
_ASKS_FOR_NAME = re.compile(
    r"\b(?:stands? for|short for|acronym|abbreviat\w+|initialism|full (?:form|name))\b", re.IGNORECASE
)
_OR_BEFORE = re.compile(r"\bor\b[^.?!]{0,40}$")
_OR_AFTER = re.compile(r"(?: [\w'-]{1,30}){0,4}?,? or\b")
_LISTED = re.compile(r"\bor\b.{0,80}\?\s*$")
_JOINING = r"(?: (?:of|the|de|la|du|des|von|van|al|in|and|&|for|at|on))"
_NAME_GOES_ON = re.compile(rf"(?:['’]s)?{_JOINING}{{0,2}}[ -][\"“'‘(]?(?:[A-ZÀ-Þ]|\d)")
_NAME_BEGINS = re.compile(rf"(?<![\w'’.&])(?:[A-ZÀ-Þ][\w'’.&]*+|\d++){_JOINING}{{1,2}}[ -][\"“'‘]?$")
_FIRST_WORD = re.compile(r"^\W*\w+\W*$")
_LONGEST_NAME = 60
"""Characters before an answer that are searched for the beginning of its name."""
_NAMES_A_LANGUAGE = re.compile(
    r"\b(?:chinese|japanese|korean|russian|greek|hebrew|arabic|hindi|sanskrit|kanji|characters?|symbols?|letters?|script"
    r"|languages?|written|spelled|spelt|words?|native|translat\w+|cyrillic|called in)\b",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W\d_]")
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
MIN_ANSWER_WORDS = 8
"""Words of the shortest answer in Latin letters whose language is told: names have small words of other languages."""


def check_fields_filled(draft: Draft) -> Refusal | None:
    """Question and answer are there, and are no written-out null."""
    for name, text in (("question", draft.question), ("answer", draft.answer)):
        plain = text.strip()
        if not plain:
            return make_refusal(f"no_{name}", f"the {name} is null or blank")
        if plain.casefold() in _NULLS:
            return make_refusal(f"no_{name}", f"the {name} is {plain!r}")
    return None


def check_answer_stated(draft: Draft) -> Refusal | None:
    """The answer says something: neither that it does not know, nor only that or it."""
    if declines_to_answer(draft.answer):
        return make_refusal("answer_declined", draft.answer[:160])
    words = re.findall(r"\w+", draft.answer.casefold())
    if words and _POINTING.issuperset(words) and not draft.answer.isupper():
        return make_refusal("answer_vague", draft.answer)
    return None


def check_single_answer(draft: Draft) -> Refusal | None:
    """The answer is no letter of an option whose text is not there, unless the question asks for a letter."""
    answer = draft.answer.strip()
    if _OPTION_FIRST.match(answer) or _ALL_OPTIONS.fullmatch(answer):
        return make_refusal("multiple_choice", f"the answer is an option: {answer[:80]}")
    # Alone a letter may be what is asked for: a vitamin, a grade, a note.
    alone = len(answer.strip(".")) == 1
    if _OPTION_LETTER.fullmatch(answer) and not (alone and _ASKS_LETTER.search(draft.question)):
        return make_refusal("multiple_choice", f"the answer is an option: {answer}")
    return None


def check_that_it_asks(draft: Draft) -> Refusal | None:
    """The question names what it asks about, and has an answer that is no essay."""
    if not read_sentence_words(draft.question).words:
        return make_refusal("not_self_contained", draft.question)
    if is_essay_question(draft.question, draft.answer):
        return make_refusal("abstract_question", draft.question)
    return None


def check_row_language(draft: Draft, answers: Sequence[str], lang: str) -> Refusal | None:
    """The question is in the language of the row, and so is an answer that is long enough to tell."""
    lang = lang.strip().lower().replace("_", "-").partition("-")[0]  # pt-BR is pt
    other = detect_other_language(draft.question, lang)
    if other:
        return make_refusal("wrong_language", f"the question is in {other}, not {lang}")
    if lang == "en" and answers and not _NAMES_A_LANGUAGE.search(draft.question):
        others = [_other_answer_language(answer, lang) for answer in answers]
        other = others[0] if all(others) else ""
    return make_refusal("wrong_language", f"the answer is in {other}, not {lang}") if other else None


def _other_answer_language(answer: str, lang: str) -> str:
    if not answer.isascii() and len(_LETTER.findall(answer)) > 1 and not _LATIN.search(answer):
        return "another script"
    return detect_other_language(answer, lang) if len(answer.split()) >= MIN_ANSWER_WORDS else ""


def check_given_away(draft: Draft, answers: Sequence[str]) -> Refusal | None:
    """The answer does not stand in the question.

    Not given away are one of two things to choose from, what an acronym stands for, and a part of a longer name that
    is not its head: Baidu in "Baidu Tieba", Beijing in "Bank of Beijing". Of many forms of an answer the first counts,
    and others where they are half of all.
    """
    if _ASKS_FOR_NAME.search(draft.question):
        return None
    given = [place for place, answer in enumerate(answers) if _is_given_away(answer, draft.question)]
    if given and (given[0] == 0 or 2 * len(given) >= len(answers)):
        return make_refusal("answer_directly_in_question", answers[given[0]])
    return None


def _is_given_away(answer: str, question: str) -> bool:
    plain = unicodedata.normalize("NFKC", question).casefold()
    bare = _ARTICLE.sub("", unicodedata.normalize("NFKC", answer).casefold()).strip(_AROUND)
    if not bare or bare in _ASKING_WORDS:
        return False
    start = find_whole_words(bare, plain)
    if start >= 0:
        end = start + len(bare)
        chosen = _OR_BEFORE.search(plain, 0, start) or _OR_AFTER.match(plain, end) or _LISTED.search(plain, end)
        return not chosen and not _is_part_of_name(answer, question, bare)
    in_digits = canonicalise_text(answer)
    return any(map(str.isdigit, in_digits)) and find_whole_words(in_digits, canonicalise_text(question)) >= 0


def _is_part_of_name(answer: str, question: str, bare: str) -> bool:
    """Is the answer, wherever it stands, a part of a longer name?"""
    folded = question.casefold()
    if len(folded) != len(question) or answer[:1].islower():
        return False
    places = [found.start() for found in re.finditer(re.escape(bare), folded)]
    return bool(places) and all(
        _NAME_GOES_ON.match(question, at + len(bare)) or _name_begins_before(question, at) for at in places
    )


def _name_begins_before(question: str, at: int) -> bool:
    found = _NAME_BEGINS.search(question, max(0, at - _LONGEST_NAME), at)
    # The question's own first word has a capital and begins no name: "Is Paris …".
    return found is not None and not _FIRST_WORD.match(question[:at])


def check_answer_asked_for(draft: Draft, answers: Sequence[str], passage: str) -> Refusal | None:
    """The passage speaks of what is asked where it holds the answer, which is of the kind that is asked for."""
    found = find_misfit(draft.question, answers, passage)
    return make_refusal("answer_not_asked_for", f"{draft.answer}: {found}") if found else None
