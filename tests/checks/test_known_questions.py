"""Questions that say the same are found, planted ones and paraphrases too; others let through."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.chance import keyed_generator
from kdos.checks import AnsweredQuestion, BenchmarkIndex, KnownQuestions, find_paraphrases
from kdos.checks.known_questions import BENCHMARK_THRESHOLDS, differ_by_names, word_overlap
from kdos.pool.wording import read_sentence_words

ROOT = Path(__file__).parents[2]
DATA = ROOT / "../shared/data"
TEMPLATES = [
    ("Where was {} born?", "In what place was {} born?"),
    ("Who wrote the novel {}?", "Which person was the novel {} written by?"),
    ("In which year was the company {} founded?", "What year was the firm {} founded in?"),
    ("What is the capital of the province of {}?", "Name the capital of {}, the province."),
]
SAME = [
    ("In which year was the Eiffel Tower built?", "In what year was the Eiffel Tower built?"),
    ("In which year was the Eiffel Tower built?", "in which year was the eiffel tower built"),
    ("Who founded the U.K. firm Acme?", "Who founded the UK firm Acme??"),
    ("What is Marie Curie's first Nobel Prize?", "What was the first Nobel Prize of Marie Curie?"),
    ("How many of the 10,000 came?", "How many of the 10000 came?"),
    ("哪一年建成了埃菲尔铁塔？", "哪一年建成了埃菲尔铁塔呢？"),
]
OTHER = [
    ("In which year was the Eiffel Tower built?", "In which year was the Tokyo Tower built?"),
    ("What is the capital of France?", "What is the capital of Spain?"),
    ("What happened in Rome in 1870?", "What happened in Rome in 1871?"),
    ("Which function of os has `a` and `b`?", "Which function of os has `a` and `c`?"),
    ("Which class has the method add_one?", "Which class has the method add_two?"),
    ("Who performed Where We Are?", "Who performed If I Had You?"),
    ("Which tower was built by Gustave Eiffel?", "Which statue has a frame by Gustave Eiffel?"),
]


@pytest.mark.parametrize(("known", "asked"), SAME)
@pytest.mark.parametrize("thresholds", [None, BENCHMARK_THRESHOLDS])
def test_the_same_question_in_other_words_is_found(known, asked, thresholds):
    questions = KnownQuestions() if thresholds is None else KnownQuestions(thresholds)
    questions.add_question(known, ["X"], name="first")
    found = questions.find_match(asked, ["X"])
    assert found is not None
    assert (found.name, found.question) == ("first", known)


@pytest.mark.parametrize(("known", "asked"), OTHER)
def test_a_question_about_something_else_is_let_through(known, asked):
    questions = KnownQuestions()
    questions.add_question(known, ["X"])
    assert questions.find_match(asked, ["X"]) is None
    assert questions.find_match(asked, ["Y"]) is None


def test_word_for_word_needs_no_answer():
    questions = KnownQuestions()
    questions.add_question("Who was he?")
    assert questions.find_match("WHO was he").similarity == 1.0
    assert questions.find_match("Who was she?") is None


def test_another_answer_needs_the_same_words_in_the_same_order():
    questions = KnownQuestions()
    questions.add_question("Who did Harry Vardon beat in 1900?", ["J. H. Taylor"])
    assert questions.find_match("Who beat Harry Vardon in 1900?", ["Someone"]) is None
    assert questions.find_match("Who did Harry Vardon beat in 1900, please?", ["Someone"]) is not None


def test_adding_twice_changes_nothing():
    questions = KnownQuestions()
    for _ in range(2):
        questions.add_question("Who built the Eiffel Tower?", ["Eiffel"])
    assert len(questions) == 1


def test_templates_about_many_things_are_all_let_through():
    """Early on no word is rare: names must part questions that share a long template."""
    questions = KnownQuestions()
    for number in range(300):
        question = (
            f"Which function of the module mod{number % 7} takes a parameter named `arg{number}` "
            "whose default value is None and also returns a list of strings?"
        )
        assert questions.find_match(question, ["walk"]) is None, number
        questions.add_question(question, ["walk"])
    assert len(questions) == 300


WORDS = st.lists(
    st.sampled_from(["Paris", "Rome", "tower", "built", "year", "1889", "of", "the", "in", "who", "os.path"]),
    max_size=8,
)


@given(WORDS, WORDS)
def test_likeness_is_a_symmetric_share(one, other):
    here, there = read_sentence_words(" ".join(one)), read_sentence_words(" ".join(other))
    assert word_overlap(here, there) == word_overlap(there, here)
    assert 0 <= word_overlap(here, there) <= 1
    assert differ_by_names(here, there) == differ_by_names(there, here)
    assert not differ_by_names(here, here)


@given(st.lists(WORDS.map(" ".join), max_size=12), WORDS.map(" ".join))
def test_what_is_found_is_what_looking_at_every_question_finds(known, asked):
    """The index against the slow twin that has no index: every known question is a candidate."""
    quick, slow = KnownQuestions(BENCHMARK_THRESHOLDS), Everything(BENCHMARK_THRESHOLDS)
    for question in known:
        quick.add_question(question, ["x"])
        slow.add_question(question, ["x"])
    assert quick.find_match(asked, ["x"]) == slow.find_match(asked, ["x"])


class Everything(KnownQuestions):
    def _candidate_rows(self, wording, weights, among):
        return range(among)


@given(st.lists(WORDS.map(" ".join), max_size=12), WORDS.map(" ".join), st.integers(0, 12))
def test_what_came_later_changes_nothing(known, asked, among):
    every, first = KnownQuestions(), KnownQuestions()
    for question in known:
        every.add_question(question, ["A"])
    for question in known:
        if len(first) < among:
            first.add_question(question, ["A"])
    assert every.find_match(asked, ["A"], among=min(among, len(every))) == first.find_match(asked, ["A"])


def test_a_benchmark_question_inside_a_longer_one_is_found():
    benchmarks = BenchmarkIndex()
    benchmarks.add_question(
        "Who was the first person to walk on the surface of the Moon?", ["Neil Armstrong"], name="b1"
    )
    longer = (
        "A quiz in class asked this: who was the first person to walk on the surface of the Moon, "
        "and which colour did his boots have at that time?"
    )
    assert benchmarks.find_match(longer, ["grey"]).name == "b1"
    assert benchmarks.find_match("Who was the first person to walk on the stage of Covent Garden?") is None


def named(number):
    rng = keyed_generator(5, "name", number)
    syllables = ["ka", "lo", "mi", "ner", "ta", "vos", "ri", "du", "sel", "ba", "gor", "win"]
    return " ".join("".join(rng.choice(syllables, 3)).title() for _ in range(2))


def test_planted_questions_are_found_and_clean_ones_let_through():
    benchmarks = BenchmarkIndex()
    for number in range(2000):
        benchmarks.add_question(TEMPLATES[number % 4][0].format(named(number)), [f"A{number}"], name=str(number))
    clean = [TEMPLATES[n % 4][n % 2].format(named(n)) for n in range(2000, 4000)]
    flagged = [question for question in clean if benchmarks.find_match(question, ["A7"])]
    assert len(flagged) <= 5
    for change in (str.upper, str.lower, str.title, lambda text: text.replace("?", " !")):
        for number in range(0, 2000, 10):
            text = change(TEMPLATES[number % 4][0].format(named(number)))
            assert benchmarks.find_match(text, [f"A{number}"]).name == str(number)
    reworded = [benchmarks.find_match(TEMPLATES[n % 4][1].format(named(n)), [f"A{n}"]) for n in range(2000)]
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
    run = subprocess.run([sys.executable, script, "--data", DATA], capture_output=True, text=True, check=True)
    result = orjson.loads(run.stdout)
    for way, recall in {"verbatim": 0.99, "recased": 0.99, "repunctuated": 0.99}.items():
        assert result[f"recall_{way}"] >= recall
        assert result[f"precision_{way}"] >= 0.99
    assert result["recall_reworded"] >= 0.85
    assert result["precision_reworded"] >= 0.99
