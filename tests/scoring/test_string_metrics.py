import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.scoring import contains_gold_answer, exact_match, harness_match, token_f1

ANSWERS = st.text(st.sampled_from("aAnTthe .,!-é1"), max_size=12)


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
