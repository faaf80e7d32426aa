"""A run's samples, or any table's questions and answers, in, a dataset folder for a trainer out."""

from kdos.export.card import DatasetCard, render_card
from kdos.export.dataset import write_dataset
from kdos.export.finished_run import read_card, read_samples, read_seed_documents
from kdos.export.grouping import name_groups
from kdos.export.hub import HubDataset, check_hub_dataset, push_folder
from kdos.export.packing import PackedCounts, load_tokenizer, write_packed
from kdos.export.splitting import Split, source_documents, split_by_document, split_by_units
from kdos.export.tables import TableRows, read_table
from kdos.export.trainers import write_llamafactory, write_text, write_trl

__all__ = [
    "DatasetCard", "HubDataset", "PackedCounts", "Split", "TableRows", "check_hub_dataset", "load_tokenizer",
    "name_groups", "push_folder", "read_card", "read_samples", "read_seed_documents", "read_table", "render_card",
    "source_documents", "split_by_document", "split_by_units", "write_dataset", "write_llamafactory", "write_packed",
    "write_text", "write_trl",
]  # fmt: skip
