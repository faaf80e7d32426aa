"""A dataset and a budget in; the rows that meet a target distribution out."""

from kdos.select.choose import Candidates, Selection, draw_rows
from kdos.select.measured import (
    FittedDataset,
    MeasureOptions,
    demand_in_cells,
    fit_dataset,
    measure_dataset,
    measure_in_space_of,
)
from kdos.select.rows import DEDUP_MODES, chosen_row_tables, find_candidates, write_selection

__all__ = [
    "DEDUP_MODES",
    "Candidates",
    "FittedDataset",
    "MeasureOptions",
    "Selection",
    "chosen_row_tables",
    "demand_in_cells",
    "draw_rows",
    "find_candidates",
    "fit_dataset",
    "measure_dataset",
    "measure_in_space_of",
    "write_selection",
]
