"""Whether an answer tries at all, or says that it cannot."""

import re

_NOT = r"(?:do(?:es)? not|did not|don't|doesn't|didn't|can ?not|can't|could not|couldn't)"
_UNABLE = r"(?:am|is|are|was|were)(?: currently)? (?:unable|not able) to"
_KNOW = r"(?:know|have|find|provide|verify|determine|recall|access|answer|confirm|locate|see|say)"
_SOURCES = r"(?:knowledge base|sources?|context|documents?|information|data|records?|results?)"
_TELL = r"(?:contain|provide|include|indicate|specify|mention|state|say|show|have)"
_SAYS_NO = re.compile(
    rf"\b(?:i|we)(?:'m| am| are)? (?:really |currently |also |still )?{_NOT}"
    rf"(?: \w+)? {_KNOW}\b"
    rf"|\b(?:i|we) {_UNABLE}\b|\bi'm (?:unable|not able) to\b"
    r"|\b(?:i'm|i am|we are|we're) (?:not (?:sure|aware|certain|familiar)|unsure|uncertain)\b"
    rf"|\b{_SOURCES} {_NOT} {_TELL}\b"
    r"|\b(?:is|are) not (?:publicly |readily |widely )?(?:available|known|disclosed)\b"
    r"|\b(?:there is|i have|i found|with) no (?:\w+ ){0,3}(?:information|data|record|mention|way)\b"
    r"|^(?:it is |it's |that is )?(?:unknown|unclear|not known|n/?a|none given|no answer)\b\W*$"
    r"|^i (?:have )?no idea\b|^sorry\b"
    r"|我不知道|不清楚|无法(?:确定|回答|提供|得知)|不知道|没有(?:相关)?信息"
    r"|не знаю|нет информации|не могу (?:ответить|найти)"
)
# Not `kdos.pool.sentences`: the answer is case-folded, and its first stop is all that is asked for.
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|(?<=[。！？])|\n")


def attempts_answer(answer: str) -> bool:
    """Whether the answer commits itself: its first sentence says anything but that it cannot."""
    plain = answer.strip().casefold().replace("’", "'")
    first = _SENTENCE_END.split(plain, maxsplit=1)[0]
    return bool(plain) and _SAYS_NO.search(first) is None
