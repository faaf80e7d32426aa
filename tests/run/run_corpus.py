"""A small corpus of plain facts, its configuration, and what a run made of it."""

import hashlib
import json

import pyarrow.parquet as pq

PLACES = ("Lisbon", "Porto", "Braga", "Coimbra", "Faro", "Evora", "Aveiro", "Leiria", "Viseu", "Beja")
TRADES = ("bridge", "library", "theatre", "market", "harbour", "museum", "observatory", "archive")


def write_corpus(path):
    """Articles of plain facts: places with buildings, each with a year, a number and a name."""
    with path.open("w") as file:
        for i, place in enumerate(PLACES):
            paragraphs = [
                f"The {trade} of {place} was opened in {1700 + 13 * i + 7 * j}. "
                f"It was designed by Maria {place}{trade.title()} for {1000 + 37 * i + j} crowns. "
                f"Some {200 + 11 * j + i} people built the {trade} of {place} in {3 + j} years."
                for j, trade in enumerate(TRADES)
            ]
            row = {"id": place.lower(), "title": place, "text": "\n\n".join(paragraphs)}
            file.write(json.dumps(row) + "\n")
    return path


def config_of(corpus, **changes):
    value = {
        "source": {"kind": "text", "path": str(corpus)},
        "target": "sqrt",
        "exposures": 6,
        "budget": {"samples": 120},
        "space": {"cells": 10},
        "random_seed": 5,
    }
    return value | changes


def dataset_hash(folder):
    digest = hashlib.sha256()
    for path in sorted((folder / "dataset").glob("*.parquet")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def samples_of(folder):
    return [row for path in (folder / "dataset").glob("*.parquet") for row in rows_of(path)]


def rows_of(path):
    return pq.read_table(path).to_pylist()
