"""A run's samples in, a dataset folder for a trainer out."""

from kdos.export.card import DatasetCard, render_card
from kdos.export.dataset import write_dataset
from kdos.export.finished_run import read_card, read_samples, read_seed_documents
from kdos.export.packing import PackedCounts, load_tokenizer, write_packed
from kdos.export.splitting import Split, split_by_document
from kdos.export.trainers import write_llamafactory, write_text, write_trl

__all__ = [
    "DatasetCard", "PackedCounts", "Split", "load_tokenizer", "read_card", "read_samples", "read_seed_documents",
    "render_card", "split_by_document", "write_dataset", "write_llamafactory", "write_packed", "write_text",
    "write_trl",
]  # fmt: skip
