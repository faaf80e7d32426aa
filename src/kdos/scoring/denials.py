"""What an answer says, without what it denies or takes back: "not Paris but London" says London (our design).

Plain wordings only; what no rule shows to be denied is said.
"""

import re

from kdos.pool.wording import stem_word
from kdos.scoring.answer_words import answer_words

LONGEST_DENIED = 200
"""Characters that one denial reaches: beyond them a sentence speaks of something else."""
_DENIAL_HINTS = (
    *(
        "not",
        "n't",
        "never",
        "rather",
        "instead",
        "opposed to",
        "unlike",
        "contrary",
        "neither",
        "except",
        "other than",
    ),
    *("apart from", "anything but", "mistake", "confused", "wrong", "incorrect", "false", "misconception", "myth"),
    *(" but", "nicht", "kein", "sino", "mais", "不是", "非"),
)
_CORRECTION_HINTS = (
    *("no,", "no.", "no!", "no:", "no;", "no –", "no —", " no -", "sorry", "wait", "oops", "i mean", "scratch that"),
    *("make that", "correction", "or rather", "~~"),
)
_VERB = (
    r"(?:is|was|are|were|be|been|does|did|do|has|have|had|can|could|will|would|should|am|[wh]as been|could have been)"
)
_NOT = (
    rf"(?P<verb>\b{_VERB} )?\b(?:not|NOT|Not)\b"
    r"|(?P<short>\b(?:[Ii]s|[Ww]as|[Aa]re|[Ww]ere|[Dd]id|[Dd]oes|do|ca|[Cc]ould|wo|[Ww]ould|[Hh]as|had|have)n't\b)"
    r"|\b(?:cannot|never)\b|\b[Nn]either\b"
)
_AFFIRMED_AFTER = (
    r"(?! (?:only|just|merely|simply|solely|until|till|least|to mention|surprisingly)\b)"
    r"(?! (?:later|more|less|fewer|earlier) than\b)"
)
_DENIAL = re.compile(
    rf"(?<!whether or )(?<!\bif )(?:{_NOT}){_AFFIRMED_AFTER}"
    r"|\b(?:[Rr]ather than|[Ii]nstead of|[Aa]s opposed to|[Uu]nlike|[Cc]ontrary to|[Ee]xcept(?: for)?|[Aa]part from"
    r"|[Aa]nything but|mistaken for|confused with|(?<!none )(?<!one )(?<!body )other than)\b"
)
_ABBREVIATED = r"(?<!\b[A-Z]\.)(?<!\b(?:Dr|Mr|Ms|St)\.)(?<!\bMrs\.)"
_SENTENCE_END = re.compile(rf"[.!?]{_ABBREVIATED}(?=\s|$)|[;:\n)—]| [–-] ")
_TURN = re.compile(
    r"(?:(?<![ ,]),? *+)?\b(?:(?:but|rather|instead|however)\b|(?:it|he|she|that|this)(?:'s| is| was| were)\b)", re.I
)
_NEW_CLAUSE = re.compile(
    r", ?(?:and|so|it|he|she|they|we|i|this|that|there|which|who|in fact|actually|instead|rather"
    r"|the right|the correct)\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r" (?=(?:he|she|it|they|we|i)\b)", re.IGNORECASE)
_CLAUSE_START = re.compile(r"[,.;:!?\n—]")
_REFUTED = re.compile(
    r"\b(?:is|was|are|were|be) (?:wrong|incorrect|false|untrue|a (?:common |popular )?(?:mistake|misconception|myth))"
    r"\b"
)
_OPINION = re.compile(
    r"\b(?:(?:people|many|some|most|others|you|we)(?: \w+){0,2} "
    r"(?:think|thought|believed?|assumed?|say|said|claim(?:ed)?|guess(?:ed)?)"
    r"|i(?: \w+)? (?:thought|believed|assumed|guessed))\b"
    r"[^.;!?]{0,80}?,? but\b(?! (?:i|we)(?:'m| am| can| do))",
    re.IGNORECASE,
)
_CORRECTION = re.compile(
    r"(?:^|[,.;:?!…—–-])\s*+"
    r"(?:(?:(?:oh|ah|actually),? )?(?:no|wait|sorry|oops)(?:,? (?:no|wait|sorry|actually))*[,.:;!—–]"
    r"|(?:no|sorry) [–—-]"
    r"|(?:scratch that|correction|or rather|i meant?(?: to say)?|make that)\b[,.:;]?)\s*+",
    re.IGNORECASE,
)
_FOREIGN = re.compile(
    r"\b(?:nicht|kein\w{0,2}|no|non|pas)\b [^.;!?]{1,60}?,? (?=(?:sondern|sino|bensì|mais)\b)"
    r"|(?:不是|并非|而非|而不是)[^，。；！？、,;而]{1,40}",
    re.IGNORECASE,
)
_AROUND = " \n,.;:!?…–—-"
_STRUCK_OUT = re.compile(r"~~[^~]{1,200}~~")
_THE_ANSWER = frozenset(
    map(stem_word, ["answer", "right", "correct", "it", "one", "true", "him", "her", "them", "this", "that", "case"])
)


def drop_corrected_parts(answer: str) -> str:
    """The answer from its last correction on: "Paris, no, wait, London" says London."""
    lowered = answer.lower()
    if not any(map(lowered.__contains__, _CORRECTION_HINTS)):
        return answer
    text = _STRUCK_OUT.sub(" ", answer)
    ends = [found.end() for found in _CORRECTION.finditer(text) if text[: found.start()].strip(_AROUND)]
    return text[ends[-1] :] if ends and text[ends[-1] :].strip(_AROUND) else text


def drop_denied_parts(answer: str, question: str) -> str:
    """The answer without what it denies or sets aside: "not Paris but London" says London."""
    text = answer.replace("’", "'")
    lowered = text.lower()
    if not any(map(lowered.__contains__, _DENIAL_HINTS)):
        return answer
    text = _OPINION.sub(" ", _FOREIGN.sub(" ", text))
    return _drop_denials(_drop_refuted(text), question)


def _drop_refuted(text: str) -> str:
    """The text without clauses that say of something that it is wrong."""
    kept: list[str] = []
    start = 0
    for found in _REFUTED.finditer(text):
        before = text[start : found.start()]
        kept.append(before[: _start_of_clause(before)])
        start = found.end()
    return " ".join((*kept, text[start:])) if kept else text


def _drop_denials(text: str, question: str) -> str:
    """The text without each denied stretch, and without what the question's own words are denied of."""
    kept: list[str] = []
    start = 0
    while found := _DENIAL.search(text, start):
        end = _end_of_denied(text, found)
        before, denied = text[start : found.start()], text[found.end() : end]
        if " until " in denied or " till " in denied:
            kept.append(text[start:end])
        else:
            has_subject = (found["verb"] or found["short"]) and _is_asked(denied, question)
            kept.append(before[: _start_of_clause(before)] if has_subject else before)
        start = end
    return " ".join((*kept, text[start:]))


def _end_of_denied(text: str, found: re.Match[str]) -> int:
    """Where what a denial speaks of ends: at its clause's end, or at what is said instead."""
    start, limit = found.end(), min(len(text), found.end() + LONGEST_DENIED)
    stop = _SENTENCE_END.search(text, start, limit)
    end = stop.start() if stop else limit
    turn = _TURN.search(text, start, end)
    comma = text.find(",", start, end)
    # "not London, Paris or Rome, but Berlin": the list goes on to its but.
    if turn and (comma < 0 or turn.start() <= comma or not _NEW_CLAUSE.match(text, comma)):
        return turn.start()
    if comma >= 0:
        return comma
    aside = _PRONOUN.search(text, start, end) if " than" in found[0] or " of" in found[0] else None
    return aside.start() if aside else end


def _is_asked(denied: str, question: str) -> bool:
    """Is all that is denied what the question asks for, as of "Paris is not the capital of Spain"?"""
    asked = _THE_ANSWER.union(map(stem_word, answer_words(question)))
    words = [stem_word(word) for word in answer_words(denied)]
    return bool(words) and asked.issuperset(words)


def _start_of_clause(text: str) -> int:
    return max((found.end() for found in _CLAUSE_START.finditer(text)), default=0)
