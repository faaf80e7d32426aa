"""A measured dataset in numbers and words: what the whole is like, and what its cells are about."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kdos.arrays import Int64Array
from kdos.density.cells import cell_log_density, measure_pool_level
from kdos.density.stream import NO_CELL, RowDensities, SampledSpace

_WORD = re.compile(r"[^\W\d_]{3,}")
EXAMPLES, TERMS = 3, 5
SHOWN_MISSING_CELLS = 5
"""Cells that one dataset has and the other lacks, described."""
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


def density_summary(fitted: SampledSpace, rows: RowDensities, *, random_seed: int) -> dict[str, Any]:
    """The JSON of ``kdos density``; densities are log10, shares in [0, 1]."""
    space, usable = fitted.space, fitted.sample.usable
    level = measure_pool_level(rows.profile, rows.distinct_log_density, random_seed=random_seed)
    return {
        **asdict(level),
        "skipped": int((~usable).sum()),
        "novel_share": float(rows.novel[usable].mean()),
        "dim": space.dim,
        "intrinsic_dim": space.intrinsic_dim,
        "cells": space.n_cells,
        "reference": len(fitted.sample.rows),
        "space": space.fingerprint,
    }


def compare_datasets(fitted: SampledSpace, rows: RowDensities, other: RowDensities) -> dict[str, Any]:
    """What the first dataset has and the second lacks; shares are of distinct rows, in [0, 1]."""
    ours, theirs = rows.profile.counts, other.profile.counts
    lacking = (theirs == 0) & (ours > 0)
    order = np.flatnonzero(lacking)[np.argsort(-ours[lacking], kind="stable")]
    views = _describe_cells(fitted, order[:SHOWN_MISSING_CELLS], ours)
    return {
        "n": other.profile.n_points,
        "distinct": other.profile.n_distinct,
        "log10_density": float(other.distinct_log_density.mean() / np.log(10)),
        "novel_share": float(other.novel[other.cells != NO_CELL].mean()),
        "tv": float(0.5 * np.abs(ours / ours.sum() - theirs / theirs.sum()).sum()),
        "lacking_cells": int(lacking.sum()),
        "lacking_share": float(ours[lacking].sum() / ours.sum()),
        "lacking": [asdict(view) for view in views.values()],
    }


def thinnest_and_densest_cells(
    fitted: SampledSpace, counts: Int64Array, *, n_shown: int
) -> tuple[list[CellView], list[CellView]]:
    """The cells of lowest and of highest density that hold a row, most extreme first.

    `counts`, shape (n_cells,), are those of distinct rows.
    """
    density = cell_log_density(counts, fitted.space.log_volumes)
    held = np.flatnonzero(counts)
    order = held[np.argsort(density[held], kind="stable")]
    thin, dense = order[:n_shown], order[::-1][:n_shown]
    views = _describe_cells(fitted, np.unique([*thin, *dense]), counts)
    return [views[int(cell)] for cell in thin], [views[int(cell)] for cell in dense]


def _describe_cells(fitted: SampledSpace, cells: Iterable[int], counts: Int64Array) -> dict[int, CellView]:
    density = cell_log_density(counts, fitted.space.log_volumes) / np.log(10)
    texts = fitted.sample.texts
    common = _count_words(texts[:: -(-len(texts) // KNOWN_TEXTS)] if texts else ())
    views: dict[int, CellView] = {}
    for cell in map(int, cells):
        rows = np.flatnonzero(fitted.reference.cells == cell).tolist() if texts else []
        inside = [texts[row] for row in rows]
        views[cell] = CellView(
            cell=cell,
            count=int(counts[cell]),
            log10_density=float(density[cell]),
            examples=tuple(dict.fromkeys(inside))[:EXAMPLES],
            terms=_distinctive_words(inside, common),
        )
    return views


def _count_words(texts: Iterable[str]) -> Counter[str]:
    """In how many texts each word occurs."""
    return Counter(word for text in texts for word in set(_WORD.findall(text.casefold())))


def _distinctive_words(texts: Sequence[str], common: Counter[str]) -> tuple[str, ...]:
    """Words that many of the texts have and few others: by count over overall frequency's root."""
    here = _count_words(texts)
    ranked = sorted(here, key=lambda word: (-here[word] / (common[word] + 1) ** 0.5, word))
    return tuple(ranked[:TERMS])
