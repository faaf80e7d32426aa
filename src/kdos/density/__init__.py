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
from kdos.density.stream import (
    RowBatch,
    RowDensities,
    RowSample,
    SampledSpace,
    measure_other_dataset,
    measure_sampled_dataset,
    sample_rows,
)
from kdos.density.summary import (
    CellView,
    compare_datasets,
    density_summary,
    thinnest_and_densest_cells,
)

__all__ = [
    "CellView",
    "PointDensities",
    "PointIndex",
    "PointSet",
    "PoolLevel",
    "Profile",
    "Reference",
    "RowBatch",
    "RowDensities",
    "RowSample",
    "SampledSpace",
    "Space",
    "build_index",
    "build_profile",
    "cell_log_density",
    "compare_datasets",
    "density_summary",
    "distinct_points",
    "find_copies",
    "fit_space",
    "hash_rows",
    "measure_density",
    "measure_other_dataset",
    "measure_pool_level",
    "measure_sampled_dataset",
    "sample_rows",
    "sampled_cell_log_density",
    "thinnest_and_densest_cells",
]
