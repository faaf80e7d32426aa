"""Every score of one answer, and whether it tries at all."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.scoring import (
    AnswerScores,
    BenchmarkQuestion,
    attempts_answer,
    contains_gold_answer,
    exact_match,
    harness_match,
    score_answer,
    token_f1,
)

ANSWERS = st.text(st.sampled_from("aAnTthe .,!-é1"), max_size=12)


def test_every_score_of_one_answer():
    question = BenchmarkQuestion("q", "Where?", ("New York",), benchmark="nq_open")
    assert score_answer("in New York City", question) == AnswerScores(
        em=0.0, f1=2 / 3, contains=1.0, correct=1.0, attempted=1.0, em_harness=0.0
    )


def test_an_answer_that_declines_is_not_correct_though_it_names_it():
    question = BenchmarkQuestion("q", "Who was it?", ("Ada",))
    found = score_answer("I don't know whether Ada or Eve.", question)
    assert (found.contains, found.correct, found.attempted) == (1.0, 0.0, 0.0)


def test_patterns_say_what_is_right():
    question = BenchmarkQuestion("q", "How tall?", (), patterns=(r"20\s?,?\s?320\s?f(ee|oo)t|6,194 ?m",))
    assert score_answer("20,320 FEET", question) == AnswerScores(1.0, 1.0, 1.0, 1.0, 1.0)
    assert score_answer("It is 6,194 m tall.", question) == AnswerScores(0.0, 0.0, 1.0, 1.0, 1.0)
    assert score_answer("6 m", question) == AnswerScores(0.0, 0.0, 0.0, 0.0, 1.0)


DATA = Path(__file__).parents[2] / "../shared/data/qa"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "  ",
        "I don't know.",
        "I don’t know the answer to that just yet. Please reach out to support.",
        "I'm not sure about that.",
        "My knowledge base does not indicate that she was ever elected.",
        "I am unable to verify the day, month, and year.",
        "I cannot find information on when it was presented. However, I can help with others.",
        "Unknown.",
        "n/a",
        "The exact date is not publicly available.",
        "我不知道",
        "К сожалению, у меня нет информации об этом.",
    ],
)
def test_an_answer_that_says_it_has_none(answer):
    assert not attempts_answer(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Paris",
        "The Unknown Soldier",
        "No.",
        "None of them.",
        "It was founded in 1990. I do not know the exact day.",
        "He does not appear in the film; it was Jones.",
        "I Can't Get No Satisfaction",
    ],
)
def test_an_answer_that_commits_itself(answer):
    assert attempts_answer(answer)


def test_attempts_and_abstentions_of_real_models_are_told_apart():
    if not DATA.exists():
        pytest.skip("the development data is not here")
    with gzip.open(DATA / "llm_answers_simpleqa.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    tried = [row.get("attempt") == "attempt" or row.get("verdict") in ("correct", "incorrect") for row in rows]
    found = [attempts_answer(row["response"]) for row in rows]
    pairs = list(zip(tried, found, strict=True))
    assert sum(a == b for a, b in pairs) / len(pairs) >= 0.99
    assert sum(not b for a, b in pairs if not a) / tried.count(False) >= 0.95


@pytest.mark.parametrize(
    ("answer", "golds", "em", "f1", "has"),
    [
        ("The Beatles", ["beatles"], 1, 1, 1),
        ("the beatles!", ["Abba", "Beatles"], 1, 1, 1),
        ("It was the Beatles.", ["The Beatles"], 0, 0.5, 1),
        ("Beatle", ["The Beatles"], 0, 0, 0),
        ("new york city", ["New York"], 0, 0.8, 1),
        ("york", ["New York"], 0, 2 / 3, 0),
        ("a b c d", ["b d"], 0, 0.8, 0),
        ("", ["x"], 0, 0, 0),
        ("", [""], 1, 1, 0),
        ("x", [], 0, 0, 0),
    ],
)
def test_the_metrics_of_the_papers(answer, golds, em, f1, has):
    assert exact_match(answer, golds) == em
    assert token_f1(answer, golds) == pytest.approx(f1)
    assert contains_gold_answer(answer, golds) == has


@given(answer=ANSWERS, golds=st.lists(ANSWERS, max_size=3))
def test_exact_match_is_the_strictest(answer, golds):
    assert 0 <= exact_match(answer, golds) <= token_f1(answer, golds) <= 1
    if any(exact_match(answer, [gold]) and contains_gold_answer(gold, [gold]) for gold in golds):
        assert contains_gold_answer(answer, golds) == 1


@given(answer=ANSWERS, golds=st.lists(ANSWERS, max_size=4))
def test_more_gold_answers_never_lower_a_score(answer, golds):
    for metric in (exact_match, token_f1, contains_gold_answer):
        assert metric(answer, golds) <= metric(answer, [*golds, answer])


@pytest.mark.parametrize(
    ("benchmark", "answer", "golds", "found"),
    [
        ("nq_open", "The Beatles", ["beatles!"], 1),
        ("nq_open", "theory", ["ory"], 0),
        ("nq_open", "  Beatles ", ["Beatles"], 1),
        ("triviaqa", "The Beatles", ["Beatles"], 0),
        ("triviaqa", " Beatles", ["Beatles"], 1),
        ("triviaqa", "BEATLES.", ["Beatles"], 1),
        ("webquestions", "Paris, France", ["Paris"], 1),
        ("webquestions", "in Paris", ["Paris"], 0),
        ("simpleqa", "Paris", ["Paris"], None),
    ],
)
def test_the_conventions_of_the_harness(benchmark, answer, golds, found):
    assert harness_match(answer, golds, benchmark) == found
