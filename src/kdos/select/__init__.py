"""A dataset and a budget in; the rows that meet a target distribution out."""

from kdos.select.choose import Candidates, Selection, draw
from kdos.select.dataset import Batch, Dataset, hold_dataset, open_dataset
from kdos.select.rows import DEDUP, candidates, chosen_rows, write_selection
from kdos.select.survey import Options, Placed, Survey, demand_in_cells, placed, placed_in, survey

__all__ = [
    "DEDUP",
    "Batch",
    "Candidates",
    "Dataset",
    "Options",
    "Placed",
    "Selection",
    "Survey",
    "candidates",
    "chosen_rows",
    "demand_in_cells",
    "draw",
    "hold_dataset",
    "open_dataset",
    "placed",
    "placed_in",
    "survey",
    "write_selection",
]
