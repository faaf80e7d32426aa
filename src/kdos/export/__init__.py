"""A run's samples in, a dataset folder for a trainer out."""

from kdos.export.card import Card, render_card
from kdos.export.dataset import write_dataset, write_parquet

__all__ = ["Card", "render_card", "write_dataset", "write_parquet"]
