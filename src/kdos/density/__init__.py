"""Vectors in; a frozen space, the density of every point and cell, and mergeable profiles out."""

from kdos.density.cells import cell_log_density, sampled_cell_log_density
from kdos.density.copies import find_copies, hash_rows
from kdos.density.estimator import (
    PointDensities,
    PointIndex,
    PointSet,
    build_index,
    distinct_points,
    measure_density,
)
from kdos.density.fit import Reference, fit_space
from kdos.density.profile import PoolLevel, Profile, build_profile, measure_pool_level
from kdos.density.space import Space

__all__ = [
    "PointDensities",
    "PointIndex",
    "PointSet",
    "PoolLevel",
    "Profile",
    "Reference",
    "Space",
    "build_index",
    "build_profile",
    "cell_log_density",
    "distinct_points",
    "find_copies",
    "fit_space",
    "hash_rows",
    "measure_density",
    "measure_pool_level",
    "sampled_cell_log_density",
]
