"""A source in; documents, passages and seed questions out, as batches of tables."""

from kdos.seed.own_questions import read_own_questions
from kdos.seed.passages import cut_passages
from kdos.seed.questions import find_source_fields, open_questions
from kdos.seed.seeding import DOCUMENTS, PASSAGES, SEEDS, gather_seeds, make_seeds
from kdos.seed.sources import open_source, source_input

__all__ = [
    "DOCUMENTS", "PASSAGES", "SEEDS", "cut_passages", "find_source_fields", "gather_seeds", "make_seeds",
    "open_questions", "open_source", "read_own_questions", "source_input",
]  # fmt: skip
