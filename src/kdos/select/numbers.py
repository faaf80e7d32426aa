"""A measured dataset in numbers, and two beside each other."""

from dataclasses import asdict
from typing import Any

import numpy as np

from kdos.density import measure_pool_level
from kdos.select.describe import describe
from kdos.select.survey import Placed, Survey

SHOWN = 5
"""Cells that one dataset has and the other lacks, described."""


def summarise(found: Survey, at: Placed, *, random_seed: int) -> dict[str, Any]:
    """A measured dataset in numbers; densities are log10."""
    space = found.space
    level = asdict(measure_pool_level(at.pool, at.levels, random_seed=random_seed))
    return {
        **level,
        "skipped": int((~found.usable).sum()),
        "novel_share": float(at.novel[found.usable].mean()),
        "dim": space.dim,
        "intrinsic_dim": space.intrinsic_dim,
        "cells": space.n_cells,
        "reference": len(found.sample),
        "space": space.fingerprint,
    }


def compared(found: Survey, at: Placed, other: Placed) -> dict[str, Any]:
    """What the first dataset has and the second lacks; shares are of distinct rows, in [0, 1]."""
    ours, theirs = at.pool.counts, other.pool.counts
    lacking = (theirs == 0) & (ours > 0)
    order = np.flatnonzero(lacking)[np.argsort(-ours[lacking], kind="stable")][:SHOWN]
    views = describe(found, order, ours)
    return {
        "n": other.pool.n_points,
        "distinct": other.pool.n_distinct,
        "log10_density": float(other.levels.mean() / np.log(10)),
        "novel_share": float(other.novel[other.cells >= 0].mean()),
        "tv": float(0.5 * np.abs(ours / ours.sum() - theirs / theirs.sum()).sum()),
        "lacking_cells": int(lacking.sum()),
        "lacking_share": float(ours[lacking].sum() / ours.sum()),
        "lacking": [asdict(views[int(cell)]) for cell in order],
    }
