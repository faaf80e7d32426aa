"""Profiles: what a pool holds in each cell, as numbers that add up over shards."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from kdos.arrays import Float64Array, Int32Array, Int64Array
from kdos.chance import keyed_generator
from kdos.density.space import Space
from kdos.errors import SpaceMismatchError

UNITS_PER_NAT = 2**20
"""Log densities are summed as whole numbers of 1/NATS nats, so that no order of adding matters."""
BOOTSTRAP_RESAMPLES = 1000
BOOTSTRAP_BINS = 4096
"""The bootstrap draws from this many groups of like densities in place of single points."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts per cell of one space, shape (n_cells,) each; profiles add up, in any order.

    `counts` are distinct points (coverage), `exposures` points with their repeats (exposure), and
    `log_density` the sum of the distinct points' log densities in units of 1/NATS nats.
    """

    space: str
    counts: Int64Array
    exposures: Int64Array
    log_density: Int64Array

    @classmethod
    def empty(cls, space: Space) -> Self:
        """The profile of no points at all."""
        return cls(space.fingerprint, *(np.zeros(space.n_cells, np.int64) for _ in range(3)))

    def __add__(self, other: "Profile") -> "Profile":
        """The profile of both pools together, which must be disjoint."""
        if self.space != other.space:
            raise SpaceMismatchError(
                "profiles add up only within one space. "
                f"Got {self.space} and {other.space}. Measure both pools in one space."
            )
        return Profile(
            self.space,
            self.counts + other.counts,
            self.exposures + other.exposures,
            self.log_density + other.log_density,
        )

    @property
    def n_distinct(self) -> int:
        """How many distinct points there are."""
        return int(self.counts.sum())

    @property
    def n_points(self) -> int:
        """How many points there are, repeats included."""
        return int(self.exposures.sum())


def build_profile(
    cells: Int32Array,
    space: Space,
    *,
    log_density: Float64Array | None = None,
    distinct: Int64Array | None = None,
) -> Profile:
    """The profile of points that lie in `cells`.

    `distinct` names the rows that count as coverage, where the others are copies; all by default.
    """
    covering = cells if distinct is None else cells[distinct]
    counts = np.bincount(covering, minlength=space.n_cells)
    exposures = np.bincount(cells, minlength=space.n_cells)
    sums = np.zeros(space.n_cells, np.int64)
    if log_density is not None:
        levels = log_density if distinct is None else log_density[distinct]
        np.add.at(sums, covering, np.rint(levels * UNITS_PER_NAT).astype(np.int64))
    return Profile(space.fingerprint, counts, exposures, sums)


@dataclass(frozen=True, slots=True)
class PoolLevel:
    """A pool in a few numbers: its knowledge density and how evenly it is spread over the cells.

    `log10_density` is the mean over the distinct points, `log10_density_ci` its 95 % bootstrap
    interval. `effective_cells` is exp of the entropy of the counts; `empty_share` the share of
    cells in [0, 1] without a point; `gini` of the counts, 0 for even and 1 for one cell with all.
    """

    n: int
    distinct: int
    log10_density: float
    log10_density_ci: tuple[float, float]
    effective_cells: float
    empty_share: float
    gini: float


def measure_pool_level(
    pool: Profile, log_density: Float64Array, *, random_seed: int = 0
) -> PoolLevel:
    """Sum a pool up: its profile, and the log density (nats) of each distinct point."""
    rng = keyed_generator(random_seed, "density", "pool_level")
    log10 = np.asarray(log_density) / np.log(10)
    return PoolLevel(
        n=pool.n_points,
        distinct=pool.n_distinct,
        log10_density=float(log10.mean()),
        log10_density_ci=binned_bootstrap_interval(log10, rng=rng),
        effective_cells=effective_cells(pool.counts),
        empty_share=float(np.mean(pool.counts == 0)),
        gini=gini(pool.counts),
    )


def binned_bootstrap_interval(
    values: Float64Array, *, rng: np.random.Generator
) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean, from groups of like values.

    SciPy's bootstrap draws every value in every resample, n * 1,000 draws; here a resample draws
    how often each of up to 4,096 groups comes.
    """
    groups = np.array_split(np.sort(values), min(BOOTSTRAP_BINS, len(values)))
    sizes = np.array([len(group) for group in groups])
    means = np.array([group.mean() for group in groups])
    drawn = rng.multinomial(len(values), sizes / sizes.sum(), size=BOOTSTRAP_RESAMPLES)
    low, high = np.quantile(drawn @ means / len(values), [0.025, 0.975])
    return float(low), float(high)


def effective_cells(counts: npt.ArrayLike) -> float:
    """exp of the entropy of the counts: as many equally full cells would be as uncertain."""
    shares = np.asarray(counts, np.float64)
    shares = shares[shares > 0] / shares.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def gini(counts: npt.ArrayLike) -> float:
    """Gini's coefficient of the counts, in [0, 1)."""
    ordered = np.sort(np.asarray(counts, np.float64))
    rank = np.arange(1, len(ordered) + 1)
    return float(2 * (rank * ordered).sum() / (len(ordered) * ordered.sum()) - 1 - 1 / len(ordered))
