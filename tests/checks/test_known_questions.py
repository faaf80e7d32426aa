"""Questions that say the same are found; questions about something else are let through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.checks import BenchmarkIndex, KnownQuestions
from kdos.checks.known_questions import BENCHMARK_THRESHOLDS, differ_by_names, word_overlap
from kdos.pool.wording import read_sentence_words

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
    assert (
        questions.find_match("Who did Harry Vardon beat in 1900, please?", ["Someone"]) is not None
    )


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
    st.sampled_from(
        ["Paris", "Rome", "tower", "built", "year", "1889", "of", "the", "in", "who", "os.path"]
    ),
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
    def _candidate_rows(self, wording, weights):
        return range(len(self))


def test_a_benchmark_question_inside_a_longer_one_is_found():
    benchmarks = BenchmarkIndex()
    benchmarks.add_question(
        "Who was the first person to walk on the surface of the Moon?",
        ["Neil Armstrong"],
        name="b1",
    )
    longer = (
        "A quiz in class asked this: who was the first person to walk on the surface of the Moon, "
        "and which colour did his boots have at that time?"
    )
    assert benchmarks.find_match(longer, ["grey"]).name == "b1"
    assert (
        benchmarks.find_match("Who was the first person to walk on the stage of Covent Garden?")
        is None
    )
