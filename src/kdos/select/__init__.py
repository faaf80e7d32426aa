"""A dataset and a budget in; the rows that meet a target distribution out."""

from kdos.select.choose import Candidates, Selection, draw
from kdos.select.dataset import Batch, Dataset, open_dataset
from kdos.select.rows import DEDUP, candidates, write_selection
from kdos.select.survey import Options, Placed, Survey, placed, placed_in, survey

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
    "draw",
    "open_dataset",
    "placed",
    "placed_in",
    "survey",
    "write_selection",
]
