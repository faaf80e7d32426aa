"""A run's samples in, a dataset folder for a trainer out."""

from kdos.export.card import Card, render_card
from kdos.export.dataset import write_dataset, write_parquet
from kdos.export.finished import read_card, read_samples, read_seed_documents
from kdos.export.llamafactory import write_llamafactory
from kdos.export.splitting import Split, split_by_document
from kdos.export.text import Packed, write_packed, write_text
from kdos.export.tokenizer import load_tokenizer
from kdos.export.trl import write_trl

__all__ = [
    "Card",
    "Packed",
    "Split",
    "load_tokenizer",
    "read_card",
    "read_samples",
    "read_seed_documents",
    "render_card",
    "split_by_document",
    "write_dataset",
    "write_llamafactory",
    "write_packed",
    "write_parquet",
    "write_text",
    "write_trl",
]
