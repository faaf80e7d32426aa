"""The skeleton of a text: what is left of its wording once the names, numbers and quotations are masked."""

import re

from kdos.pool.wording import STOP_WORDS, WIDE_LETTERS, read_sentence_words, stem_word

SKELETON_CHARS = 600
"""Characters that a skeleton is read from: longer texts share no template that their beginning does not show."""
MASK = "_"
"""Stands for names, numbers and quotations, one for as many as follow each other."""
_QUOTED = re.compile(
    r"""`[^`]*`|"[^"]*"|“[^“”]*”|„[^„“”]*[“”]|«[^«»]*»|‘[^‘’]*’|「[^「」]*」|『[^『』]*』|《[^《》]*》|(?<!\w)'[^']*'(?!\w)"""
)
_WIDE = re.compile(f"[{WIDE_LETTERS}]")
_BETWEEN_WIDE = re.compile(rf"[^\W{WIDE_LETTERS}]+")
_WORD = re.compile(r"\w+(?:[.'’&]\w+)*[+#]*")
_APOSTROPHES = str.maketrans("", "", "'’")
_MASKS = re.compile(f"{MASK}(?:[\\s,./-]*+{MASK})*+")


def read_skeleton(text: str) -> str:
    """The text, without case, with a mask in the place of its names, numbers and quoted parts (our design).

    Names are those of `read_sentence_words`, and the first word where it begins with a capital and is no small word.
    Where words have no capitals, as in Chinese and Japanese, numbers and words of other scripts are masked.
    """
    text = _QUOTED.sub(MASK, text[:SKELETON_CHARS])
    if _WIDE.search(text):
        return _squeeze(_BETWEEN_WIDE.sub(MASK, text))
    read = read_sentence_words(text)
    first = _WORD.search(read.text)

    def mask_name(found: re.Match[str]) -> str:
        word, lowered = found[0], found[0].casefold()
        if word.islower() and word.translate(_APOSTROPHES).isalpha():
            return lowered  # "it's" has a sign inside, and "may" is the stem of May: both are plain words
        opens = first is not None and found.start() == first.start()
        begins_name = opens and word[0].isupper() and lowered not in STOP_WORDS
        return MASK if begins_name or stem_word(lowered) in read.names else lowered

    return _squeeze(_WORD.sub(mask_name, read.text))


def _squeeze(masked: str) -> str:
    """Masks that follow each other as one, and single spaces."""
    return " ".join(_MASKS.sub(MASK, masked).split())
