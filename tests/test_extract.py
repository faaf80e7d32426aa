"""Knowledge points of all seeds as one table: each once, with what it was taken from."""

import numpy as np

from kdos.extract import extraction_table, merge_paraphrases, merge_points
from kdos.pool import Extraction, Inventory, Seed, group_paraphrases

BORN, BIRTHPLACE = "Gustave Eiffel was born in Dijon.", "The birthplace of Gustave Eiffel is Dijon."
STANDS = "The Eiffel Tower stands in Paris."


def points():
    seeds = [Seed(f"s{n}", "Who?", ("X",), "p", "d", "") for n in range(3)]
    held = [(BORN, STANDS), (BIRTHPLACE,), (BORN.upper(),)]
    return merge_points(
        extraction_table([(s, Extraction(("Eiffel",), h, "")) for s, h in zip(seeds, held, strict=True)])
    )


def test_the_same_words_are_one_knowledge_point():
    assert points().to_pylist() == [
        {"text": BORN, "multiplicity": 2, "seeds": ["s0", "s2"], "wordings": []},
        {"text": STANDS, "multiplicity": 1, "seeds": ["s0"], "wordings": []},
        {"text": BIRTHPLACE, "multiplicity": 1, "seeds": ["s1"], "wordings": []},
    ]


def test_other_words_join_the_row_of_the_first():
    table = points()
    grouping = group_paraphrases(table["text"].to_pylist(), np.ones((3, 1), np.float32))
    merged = merge_paraphrases(table, grouping)
    assert merged.to_pylist() == [
        {"text": BORN, "multiplicity": 3, "seeds": ["s0", "s2", "s1"], "wordings": [BIRTHPLACE]},
        {"text": STANDS, "multiplicity": 1, "seeds": ["s0"], "wordings": []},
    ]
    inventory = Inventory(
        merged["text"].to_pylist(),
        points=np.zeros((2, 1), np.float32),
        cells=np.zeros(2, np.int32),
        wordings=merged["wordings"].to_pylist(),
    )
    assert inventory.rows([BIRTHPLACE, STANDS, BORN]) == (0, 1)
