"""Vectors in; a frozen space, the density of every point and cell, and mergeable profiles out."""

from kdos.density.cells import cell_log_density, effective_cells
from kdos.density.estimator import find_copies, measure_density
from kdos.density.fit import Reference, fit_space, note_small_pool
from kdos.density.health import SpaceHealth, measure_health
from kdos.density.space import Space
from kdos.density.stream import (
    EmbedTexts,
    RowDensities,
    SampledSpace,
    measure_other_dataset,
    measure_sampled_dataset,
    sample_rows,
)
from kdos.density.summary import CellView, compare_datasets, density_summary, thinnest_and_densest_cells

__all__ = [
    "CellView", "EmbedTexts", "Reference", "RowDensities", "SampledSpace", "Space", "SpaceHealth", "cell_log_density",
    "compare_datasets", "density_summary", "effective_cells", "find_copies", "fit_space", "measure_density",
    "measure_health", "measure_other_dataset", "measure_sampled_dataset", "note_small_pool", "sample_rows",
    "thinnest_and_densest_cells",
]  # fmt: skip
