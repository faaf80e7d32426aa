"""Planted benchmark questions are found among clean ones; paraphrases by their vectors."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest

from kdos.chance import keyed_generator
from kdos.checks import AnsweredQuestion, BenchmarkIndex, find_paraphrases

ROOT = Path(__file__).parents[2]
DATA = ROOT / "../shared/data"
TEMPLATES = [
    ("Where was {} born?", "In what place was {} born?"),
    ("Who wrote the novel {}?", "Which person was the novel {} written by?"),
    ("In which year was the company {} founded?", "What year was the firm {} founded in?"),
    ("What is the capital of the province of {}?", "Name the capital of {}, the province."),
]


def named(number):
    rng = keyed_generator(5, "name", number)
    syllables = ["ka", "lo", "mi", "ner", "ta", "vos", "ri", "du", "sel", "ba", "gor", "win"]
    return " ".join("".join(rng.choice(syllables, 3)).title() for _ in range(2))


def test_planted_questions_are_found_and_clean_ones_let_through():
    benchmarks = BenchmarkIndex()
    for number in range(2000):
        benchmarks.add_question(
            TEMPLATES[number % 4][0].format(named(number)), [f"A{number}"], name=str(number)
        )
    clean = [TEMPLATES[n % 4][n % 2].format(named(n)) for n in range(2000, 4000)]
    flagged = [question for question in clean if benchmarks.find_match(question, ["A7"])]
    assert len(flagged) <= 5
    for change in (str.upper, str.lower, str.title, lambda text: text.replace("?", " !")):
        for number in range(0, 2000, 10):
            text = change(TEMPLATES[number % 4][0].format(named(number)))
            assert benchmarks.find_match(text, [f"A{number}"]).name == str(number)
    reworded = [
        benchmarks.find_match(TEMPLATES[n % 4][1].format(named(n)), [f"A{n}"]) for n in range(2000)
    ]
    assert sum(found is not None for found in reworded) >= 0.95 * 2000


def test_paraphrases_need_close_vectors_and_an_answer_that_agrees():
    theirs = np.eye(4, dtype=np.float32)
    answers = ["Paris", "Rome", "Paris"]
    near = np.array([[0.9, 0.436, 0, 0], [0.99, 0.141, 0, 0], [0.5, 0.5, 0.5, 0.5]], np.float32)
    held = [AnsweredQuestion("Which city is the capital of France?", ["Paris"])] * 4
    ours = [AnsweredQuestion("What is the seat of government of France?", [a]) for a in answers]
    found = find_paraphrases(ours, held, our_vectors=near, their_vectors=theirs)
    assert [(one.row, one.other) for one in found] == [(0, 0), (1, 0)]
    assert found[0].cosine == pytest.approx(0.9)


def test_names_part_two_questions_however_close_their_vectors():
    one, other = (
        AnsweredQuestion("Where was Marie Curie born?", ["X"]),
        AnsweredQuestion("Where was Ada Lovelace born?", ["X"]),
    )
    ones = np.ones((1, 1), np.float32)
    assert find_paraphrases([one], [other], our_vectors=ones, their_vectors=ones) == []
    assert find_paraphrases([one], [one], our_vectors=ones, their_vectors=ones) != []


@pytest.mark.slow
def test_real_benchmarks_reach_the_promised_recall_and_precision(tmp_path):
    if not DATA.exists():
        pytest.skip("development data not at hand")
    script = ROOT / "benchmarks/checks_contamination.py"
    run = subprocess.run(
        [sys.executable, script, "--data", DATA], capture_output=True, text=True, check=True
    )
    result = orjson.loads(run.stdout)
    for way, recall in {"verbatim": 0.99, "recased": 0.99, "repunctuated": 0.99}.items():
        assert result[f"recall_{way}"] >= recall
        assert result[f"precision_{way}"] >= 0.99
    assert result["recall_reworded"] >= 0.85
    assert result["precision_reworded"] >= 0.99
