"""Which knowledge points say the same thing."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_NOT_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Grouping:
    """Groups of equal rows: `group` shape (n_rows,), `first` and `size` shape (n_groups,).

    `first` is each group's first row: it speaks for the group.
    """

    group: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]


def group_texts(texts: Sequence[str]) -> Grouping:
    """Group texts that are equal but for case, punctuation, width and spacing."""
    known: dict[str, int] = {}
    group = np.fromiter(
        (known.setdefault(normalise(text), len(known)) for text in texts), np.int64, len(texts)
    )
    first = np.full(len(known), len(texts), np.int64)
    np.minimum.at(first, group, np.arange(len(texts)))
    return Grouping(group, first, np.bincount(group, minlength=len(known)))


def normalise(text: str) -> str:
    """The text in NFKC, without case; runs of anything but letters and digits become one space."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _NOT_WORD.sub(" ", folded).strip()
