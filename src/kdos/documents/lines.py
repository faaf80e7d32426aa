"""Lines that were broken to fit a width, put together again."""

import re
from collections.abc import Iterable, Set

from kdos.pool.sentences import is_mostly_unspaced

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
HYPHENS = "-\u00ad\u2010\x02\ufffe"
_CONJUNCTIONS = frozenset(("and", "or", "to", "und", "oder", "bis", "et", "ou", "y", "o", "e", "или", "и"))
_FIRST_WORD = re.compile(r"[^\W\d_]+")
# What stands where a word was divided; these are pdfium's.
_AFTER_SOFT_HYPHEN = re.compile(r"(?<=[\x02\ufffe])")
_DIVIDED = re.compile(r"(?<![^\W\d_])[^\W\d_]++(?:[-\u00ad\u2010][ \t]*+\n[ \t]*+|[\x02\ufffe]\s*+)[^\W\d_]++")


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """The words of a document in small letters, those with a hyphen whole; no halves of a word that a line's end cut.

    `texts` are lines, or several lines each.
    """
    whole = _DIVIDED.sub(" ", "\n".join(texts))
    return frozenset(word.lower() for word in _WORD.findall(whole))


def join_lines(lines: Iterable[str], known: Set[str], *, divides: bool = False) -> str:
    """Lines as one, a word that ends one line and goes on in the next as one word, with its hyphen where it has one.

    `known` are the document's words: they tell whether the hyphen is the word's own, or shows that it was divided.
    Where they do not, it was divided if the document `divides` words at the ends of its lines, as typesetters do.
    """
    joined = ""
    for part in (part.strip() for line in lines for part in _AFTER_SOFT_HYPHEN.split(line)):
        if not joined or not part:
            joined += part
        elif joined[-1] in HYPHENS and (start := _last_word(joined[:-1])) and (end := _FIRST_WORD.match(part)):
            joined = joined[:-1] + _between(start, end[0], known, divides=divides) + part
        elif is_mostly_unspaced(joined[-1]) and is_mostly_unspaced(part[0]):
            joined += part
        else:
            joined += f" {part}"
    return joined


def _last_word(text: str) -> str:
    """The letters that a text ends with."""
    start = len(text)
    while start and text[start - 1].isalpha():
        start -= 1
    return text[start:]


def _between(start: str, end: str, known: Set[str], *, divides: bool) -> str:
    """What stands between the halves of a word: ``pre- and post-war``, ``Jean-Paul``, ``well-known``, ``divided``."""
    if end in _CONJUNCTIONS:
        return "- "
    return "-" if end[0].isupper() or _has_hyphen(start, end, known, divides=divides) else ""


def _has_hyphen(start: str, end: str, known: Set[str], *, divides: bool) -> bool:
    """Whether a word such as ``well-known`` has a hyphen of its own."""
    whole, hyphened = f"{start}{end}".lower(), f"{start}-{end}".lower()
    if (whole in known) != (hyphened in known):
        return hyphened in known
    return not divides or {start.lower(), end.lower()} <= known
