"""What a cell is about: its count, its density, some of its rows and the words they share."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import Int64Array
from kdos.density import cell_log_density
from kdos.select.survey import Placed, Survey

_WORD = re.compile(r"[^\W\d_]{3,}")
EXAMPLES, TERMS = 3, 5
KNOWN_TEXTS = 20_000
"""Texts, evenly spread, that tell how common a word is."""


@dataclass(frozen=True, slots=True)
class CellView:
    """A cell for the eye: `log10_density` of its distinct rows, example texts, telling words."""

    cell: int
    count: int
    log10_density: float
    examples: tuple[str, ...]
    terms: tuple[str, ...]


def thin_and_crowded(
    found: Survey, at: Placed, *, count: int
) -> tuple[list[CellView], list[CellView]]:
    """The cells of lowest and of highest density that hold a row, most extreme first."""
    density = cell_log_density(at.pool.counts, found.space)
    held = np.flatnonzero(at.pool.counts)
    order = held[np.argsort(density[held], kind="stable")]
    thin, crowded = order[:count], order[::-1][:count]
    views = describe(found, np.unique([*thin, *crowded]), at.pool.counts)
    return [views[int(cell)] for cell in thin], [views[int(cell)] for cell in crowded]


def describe(found: Survey, cells: Iterable[int], counts: Int64Array) -> dict[int, CellView]:
    """Views of some cells, with examples from the rows that the space was fitted on."""
    density = cell_log_density(counts, found.space) / np.log(10)
    common = word_counts(found.texts[:: -(-len(found.texts) // KNOWN_TEXTS)] if found.texts else ())
    views: dict[int, CellView] = {}
    for cell in (int(cell) for cell in cells):
        rows = np.flatnonzero(found.reference.cells == cell).tolist() if found.texts else []
        texts = [found.texts[row] for row in rows]
        views[cell] = CellView(
            cell=cell,
            count=int(counts[cell]),
            log10_density=float(density[cell]),
            examples=tuple(dict.fromkeys(texts))[:EXAMPLES],
            terms=telling_words(texts, common),
        )
    return views


def word_counts(texts: Iterable[str]) -> Counter[str]:
    """In how many texts each word occurs."""
    return Counter(word for text in texts for word in set(_WORD.findall(text.casefold())))


def telling_words(texts: Sequence[str], common: Counter[str]) -> tuple[str, ...]:
    """Words that many of the texts have and few others: by count over overall frequency's root."""
    here = word_counts(texts)
    ranked = sorted(here, key=lambda word: (-here[word] / (common[word] + 1) ** 0.5, word))
    return tuple(ranked[:TERMS])
