"""A small pool of samples with every column that a run writes."""

from collections.abc import Callable

import pyarrow as pa
import pytest

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("answers", pa.list_(pa.string())),
        ("topic_entities", pa.list_(pa.string())),
        ("knowledge_points", pa.list_(pa.string())),
        ("logic", pa.string()),
        ("distractors", pa.list_(pa.string())),
        ("domain", pa.string()),
        ("lang", pa.string()),
        ("document", pa.string()),
        ("answer_start", pa.int64()),
        ("answer_end", pa.int64()),
        ("evidence", pa.list_(pa.struct([("passage", pa.string()), ("quote", pa.string())]))),
        ("seeds", pa.list_(pa.string())),
        ("cells", pa.list_(pa.int32())),
        ("engine", pa.string()),
        ("prompt_hash", pa.string()),
        ("part", pa.int64()),
    ]
)


@pytest.fixture
def some_samples() -> Callable[[int], pa.Table]:
    """Samples 0 to n_rows - 1 of ten documents, no two alike."""

    def make(n_rows: int) -> pa.Table:
        return pa.Table.from_pylist([a_sample(i, 10) for i in range(n_rows)], SCHEMA)

    return make


def a_sample(i: int, n_documents: int) -> dict[str, object]:
    document = i % n_documents
    points = [f"Engine {i} was built in {1900 + i}.", f"Engine {i} has {i + 2} cylinders."]
    return {
        "id": f"s{i}",
        "question": f"How many cylinders has the engine of {1900 + i}, “№ {i}”?",
        "answer": f"{i + 2} cylinders",
        "answers": [f"{i + 2} cylinders", str(i + 2)],
        "topic_entities": [f"Engine {i}"],
        "knowledge_points": points,
        "logic": f'flowchart TD\n  a["{points[0]}"] --> b["{points[1]}"]',
        "distractors": [str(i + 3)],
        "domain": f"domain {document % 3}",
        "lang": "zh" if i % 5 == 0 else "en",
        "document": f"d{document}",
        "answer_start": i,
        "answer_end": i + 1,
        "evidence": [{"passage": f"d{document}/0", "quote": points[1]}],
        "seeds": [f"q{document}"],
        "cells": [i % 7, i % 11],
        "engine": "rules",
        "prompt_hash": "abc",
        "part": 1 + i % 2,
    }
