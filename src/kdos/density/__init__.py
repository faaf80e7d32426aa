"""Vectors in; a frozen space, the density of every point and cell, and mergeable profiles out."""

from kdos.density.cells import cell_log_density, sampled_log_density
from kdos.density.copies import find_copies, row_hashes
from kdos.density.estimator import (
    Index,
    Measurement,
    Pool,
    index_of,
    log_density,
    measure,
    pool_of,
)
from kdos.density.fit import Reference, fit_space
from kdos.density.profile import PoolLevel, Profile, pool_level, profile
from kdos.density.space import Space

__all__ = [
    "Index",
    "Measurement",
    "Pool",
    "PoolLevel",
    "Profile",
    "Reference",
    "Space",
    "cell_log_density",
    "find_copies",
    "fit_space",
    "index_of",
    "log_density",
    "measure",
    "pool_level",
    "pool_of",
    "profile",
    "row_hashes",
    "sampled_log_density",
]
