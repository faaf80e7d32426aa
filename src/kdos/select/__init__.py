"""A dataset and a budget in; the rows that meet a target distribution out."""

from kdos.select.choose import Candidates, Selection
from kdos.select.measured import (
    DEDUP_MODES,
    FittedDataset,
    MeasureOptions,
    demand_in_cells,
    find_candidates,
    fit_dataset,
    measure_dataset,
    measure_in_space_of,
    read_chosen_rows,
    write_selection,
)

__all__ = [
    "DEDUP_MODES", "Candidates", "FittedDataset", "MeasureOptions", "Selection", "demand_in_cells", "find_candidates",
    "fit_dataset", "measure_dataset", "measure_in_space_of", "read_chosen_rows", "write_selection",
]  # fmt: skip
