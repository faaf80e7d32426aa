import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.scoring import contains_gold_answer, exact_match, is_correct_answer, token_f1

DATA = Path(__file__).parents[2] / "../shared/data/qa"
ASKED = "what is it?"
DAY = "On what day, month, and year was it?"


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("six geese a-laying", "6 geese a-laying"),
        ("twenty-two", "22"),
        ("She was 22.", "Twenty two"),
        ("7,826,367", "7826367 people"),
        ("7, 826, 367", "7826367"),
        ("$40,000", "40,000 dollars"),
        ("one kilometre wide", "1 km"),
        ("60 %", "60 percent"),
        ("164-acre", "164"),
        ("Maurice Yaméogo of Upper Volta", "Maurice Yameogo"),
        ("Elisha Cuthbert", "Elisha Ann Cuthbert"),
        ("Heather Michele O'Rourke", "Heather O’Rourke"),
        ("H. B. Reese", "H.B. Reese"),
        ("the name is Robert Faid of Greenville", "Robert W. Faid"),
        ("Perla Haney - Jardine", "Haney-Jardine"),
        ("famines", "Famine"),
        ("Lisbon", "Lisbon, Portugal"),
        ("morgue", "A morgue or mortuary"),
        ("NL08", "NL-08"),
        ("1 : 43", "1:43 scale"),
        ("The French Empire style", 'Second Empire (also know as "French Empire")'),
        ("Terry Spencer and Tom Spencer", "Terry Spencer & Tom Spencer"),
        ("答案是北京", "北京"),
        ("Florencia de la V was the first to do so", "Florencia de la V"),
    ],
)
def test_one_answer_in_two_forms_is_right(answer, gold):
    assert is_correct_answer(answer, ["nothing of the kind", gold], question=ASKED)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("Apollo", "Apollo 11"),
        ("Apollo 12", "Apollo 11"),
        ("TLS 1.2", "TLS 1.3"),
        ("24", "4"),
        ("3.5", "3"),
        ("London", "King's College London School of Law"),
        ("Terry Spencer", "Terry Spencer & Tom Spencer"),
        ("Iltija", "Iltija and Irtiqa."),
        ("Paris", "London"),
        ("the", "The Who"),
        ("A negative blood type", "O- blood type"),
        ("上海", "北京"),
        ("", "x"),
        ("!?", "x"),
    ],
)
def test_another_answer_is_wrong(answer, gold):
    assert not is_correct_answer(answer, [gold], question=ASKED)


@pytest.mark.parametrize(
    ("answer", "gold", "question", "right"),
    [
        ("October 17, 1879", "17 October, 1879", DAY, True),
        ("It was opened on 10 November 2007, with a show", "November 10, 2007", DAY, True),
        ("Dec. 8th, 2020", "8 December 2020", DAY, True),
        ("December 9, 2020", "8 December 2020", DAY, False),
        ("2020", "8 December 2020", DAY, False),
        ("December 2020", "8 December 2020", DAY, False),
        ("December 2020", "8 December 2020", "In which month and year?", True),
        ("2020", "8 December 2020", "In which month and year?", False),
        ("2020", "8 December 2020", "when did it come out", True),
        ("2019", "8 December 2020", "when did it come out", False),
        ("November 2020", "8 December 2020", "when did it come out", False),
        ("April 20, 1937", "1937", "when was it made", True),
        ("1938", "1937", "when was it made", False),
        ("around 1979", "1979", "when", True),
        ("February 19", "February 19", "when", True),
        ("from 1917 to 1919", "1917-1919", "From what year to what year?", True),
    ],
)
def test_dates_agree_as_far_as_the_question_asks(answer, gold, question, right):
    assert is_correct_answer(answer, [gold], question=question) is right


RANGED = "121 (acceptable range: anything between 119 and 123)"


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("121", RANGED, True),
        ("It comprises about 119 photographs.", RANGED, True),
        ("a hundred and twenty-three", RANGED, True),
        ("124", RANGED, False),
        ("many", RANGED, False),
        ("2.6%", "2.61% (acceptable range: anything between 2.58% and 2.64%)", True),
        ("2.65 %", "2.61% (acceptable range: anything between 2.58% and 2.64%)", False),
        ("110 m", "110.50 m (acceptable range: anything between 109.39 and 111.61 m)", True),
        ("41:19", "41:18 (acceptable range: anything between 41:17 and 41:19)", True),
        ("41:20", "41:18 (acceptable range: anything between 41:17 and 41:19)", False),
        ("the 52nd", "53rd minute (acceptable range: anything between 52nd and 54th minute)", True),
        ("2,100,000 visitors", "2,111,578 (acceptable range: anything between 2,006,000 and 2,217,157)", True),
        (
            "70,000 spectators",
            "70,435 spectators (acceptable range: anything between 66,913 and 74,017 spectators)",
            True,
        ),
        ("2.6 (acceptable)", "2.61% (acceptable range: nobody knows)", False),
    ],
)
def test_numbers_within_an_acceptable_range(answer, gold, right):
    assert is_correct_answer(answer, [gold], question=ASKED) is right


def test_a_number_of_the_question_is_no_answer():
    gold = "76 (acceptable range: anything between 75 and 77)"
    question = "How many of the 77 competitors finished?"
    assert not is_correct_answer("Of the 77 competitors, 60 finished.", [gold], question=question)
    assert is_correct_answer("Of the 77 competitors, 76 finished.", [gold], question=question)


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=3))
def test_any_text_can_be_matched_and_an_answer_is_right_by_itself(answer, golds):
    is_correct_answer(answer, golds, question=answer)
    if any(letter.isalnum() for letter in answer) and "(" not in answer:
        assert is_correct_answer(answer, [*golds, answer], question="?")


def judged():
    with gzip.open(DATA / "efficientqa_judged.jsonl.gz", "rt", encoding="utf-8") as stream:
        for row in map(json.loads, stream):
            for answer in row["judged_correct"]:
                yield row["question"], answer, row["answers"], True
            for answer in row["judged_incorrect"]:
                yield row["question"], answer, row["answers"], False


def test_the_rule_agrees_with_people():
    if not DATA.exists():
        pytest.skip("the development data is not here")
    rows = list(judged())
    rules = {
        "em": lambda q, a, g: bool(exact_match(a, g)),
        "contains": lambda q, a, g: bool(contains_gold_answer(a, g)),
        "f1": lambda q, a, g: token_f1(a, g) >= 0.5,
        "correct": lambda q, a, g: is_correct_answer(a, g, question=q),
    }
    agreed = {
        name: sum(rule(q, a, g) == verdict for q, a, g, verdict in rows) / len(rows) for name, rule in rules.items()
    }
    assert agreed["correct"] >= 0.90
    assert agreed["correct"] > max(agreed["em"], agreed["contains"], agreed["f1"])


def test_every_range_of_simpleqa_verified_is_read():
    if not DATA.exists():
        pytest.skip("the development data is not here")
    with gzip.open(DATA / "simpleqa_verified.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows = [row for row in map(json.loads, stream) if "acceptable range" in row["answers"][0]]
    assert len(rows) > 40
    for row in rows:
        (gold,) = row["answers"]
        if "crores" in gold:
            continue
        main = gold.partition(" (")[0]
        assert is_correct_answer(main, [gold], question=row["question"])
        assert not is_correct_answer("some 0.003 of them", [gold], question=row["question"])
