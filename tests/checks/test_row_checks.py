"""Rows of other people's tables: plain faults are found, and what may be meant is let pass."""

import pytest

from kdos.checks.abstentions import declines_to_answer
from kdos.checks.answer_fit import find_misfit
from kdos.checks.row_checks import (
    check_answer_stated,
    check_fields_filled,
    check_given_away,
    check_row_language,
    check_single_answer,
    check_that_it_asks,
)
from kdos.pool import Draft


def row(question, answer):
    return Draft("r", question, answer, (), (), "", (), ())


@pytest.mark.parametrize(
    "answer",
    [
        "I don't know.",
        "Unknown",
        "idk",
        "I cannot answer this.",
        "Not mentioned in the text",
        "No lo sé.",
        "わかりません",
    ],
)
def test_an_answer_that_declines_is_found(answer):
    refusal = check_answer_stated(row("Who wrote Hamlet?", answer))
    assert refusal is not None
    assert refusal.reason == "answer_declined"


@pytest.mark.parametrize(
    "answer",
    [
        "I'm not sure, but I think it is Paris.",
        "The Unknown Soldier",
        "I Don't Know How to Love Him",
        "there is no perfect way",
        "None of them",
        "No.",
        "in Sofia",
        "not guilty",
    ],
)
def test_an_answer_that_commits_itself_declines_nothing(answer):
    assert not declines_to_answer(answer)


@pytest.mark.parametrize("answer", ["that", "it", "something", "the same", "see above"])
def test_an_answer_that_only_points_is_vague(answer):
    refusal = check_answer_stated(row("Which organ pumps blood?", answer))
    assert refusal is not None
    assert refusal.reason == "answer_vague"


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("", "1889", "no_question"),
        ("null", "1889", "no_question"),
        ("Who?", "", "no_answer"),
        ("Who?", "nan", "no_answer"),
        ("Who?", "N/A", "no_answer"),
    ],
)
def test_fields_that_are_null_are_named(question, answer, reason):
    refusal = check_fields_filled(row(question, answer))
    assert refusal is not None
    assert refusal.reason == reason


@pytest.mark.parametrize(
    "answer", ["B", "(C)", "d)", "Option A", "Answer: C", "A and C", "C) Paris", "all of the above"]
)
def test_a_letter_in_place_of_an_answer_is_found(answer):
    assert check_single_answer(row("Which city is the capital of France?", answer))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which vitamin prevents scurvy?", "C"),
        ("What was the highest grade?", "A"),
        ("Who played B. A. Baracus?", "Mr. T"),
        ("Which band made Waterloo?", "ABBA"),
        ("Who was it?", "E. E. Cummings"),
    ],
)
def test_a_letter_that_is_asked_for_is_an_answer(question, answer):
    assert check_single_answer(row(question, answer)) is None


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("what is it?", "a pump", "not_self_contained"),
        ("Who are they?", "kings", "not_self_contained"),
        ("Explain the concept of inflation.", "prices rise", "abstract_question"),
        ("Why is courage important in life?", "it helps", "abstract_question"),
        ("What are the benefits of exercise?", "better health", "abstract_question"),
    ],
)
def test_a_question_about_nothing_or_everything_is_found(question, answer, reason):
    refusal = check_that_it_asks(row(question, answer))
    assert refusal is not None
    assert refusal.reason == reason


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which organ pumps blood?", "the heart"),
        ("What gas is released by anaerobic bacteria?", "hydrogen sulfide"),
        ("Why do some tribes use remote sensing technology?", "to protect their lands"),
        ("what is the significance of the sahara desert in the north of africa", "the largest hot desert"),
        ("How are unknown coordinates denoted?", "by letters"),
    ],
)
def test_a_question_without_capitals_may_be_about_something(question, answer):
    assert check_that_it_asks(row(question, answer)) is None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("In which Paris street stands it?", "Paris"),
        ("Who wrote Hamlet (hint: Shakespeare)?", "Shakespeare"),
        ("Is the Eiffel Tower by Gustave Eiffel?", "Eiffel"),
        ("What happened on 4 July 1776?", "July 4, 1776"),
    ],
)
def test_an_answer_that_is_given_away_is_found(question, answer):
    assert check_given_away(row(question, answer), [answer])


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        ("Was the gate open or closed?", ["open"]),
        ("Which came first, the comic or the show?", ["comic"]),
        ("Is Coca Cola a public or private company?", ["public"]),
        ("Is it true?", ["yes"]),
        ("What does LGM stand for?", ["Last Glacial Maximum"]),
        ("Which alliance is NATO?", ["North Atlantic Treaty Organization"]),
        ("Who owns Baidu Tieba?", ["Baidu"]),
        ("Where is the headquarter of Bank of Beijing?", ["Beijing"]),
        ("Who performed Who Are You?", ["The Who"]),
        ("Which flowers form the genus Helianthus?", ["Sunflower", "Helianthus", "Sun flower"]),
    ],
)
def test_what_lets_choose_or_names_more_gives_nothing_away(question, answers):
    assert check_given_away(row(question, answers[0]), answers) is None


@pytest.mark.parametrize(
    "question",
    [
        "Wo wurde Ada Lovelace geboren?",
        "Qui a écrit Walk on the Moon ?",
        "Ada Lovelace出生在哪里？",
        "Var är Ada född?",
    ],
)
def test_another_language_is_found_whatever_names_it_holds(question):
    refusal = check_row_language(row(question, "London"), ["London"], "en")
    assert refusal is not None
    assert refusal.reason == "wrong_language"


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        ("Who wrote Der Zauberberg?", ["Thomas Mann"]),
        ("What is Beijing called in Chinese?", ["北京"]),
        ("Which city was Edo?", ["東京都", "Tokyo"]),
        ("Who founded it?", ["Juan de la Cruz Gómez Plata"]),
        ("What type of music does Наследниците Дел Монте play?", ["telenovela"]),
    ],
)
def test_foreign_names_are_no_other_language(question, answers):
    assert check_row_language(row(question, answers[0]), answers, "en") is None


PASSAGE = (
    "The harbour of Port Anna was enlarged in 1872 by the engineer René Dupont. Its lighthouse is 41 metres tall. "
    "In spring, 300 fishing boats call there, most of them from the island of Hale."
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who enlarged the harbour of Port Anna?", "René Dupont"),
        ("In which year was the harbour of Port Anna enlarged?", "1872"),
        ("How tall is its lighthouse?", "41 metres"),
        ("Which island do most of the fishing boats come from?", "Hale"),
    ],
)
def test_an_answer_that_is_asked_for_fits(question, answer):
    assert find_misfit(question, [answer], PASSAGE) == ""


@pytest.mark.parametrize(
    ("question", "answer", "why"),
    [
        ("Who enlarged the harbour of Port Anna?", "41 metres", "kind"),
        ("How many fishing boats call there in spring?", "René Dupont", "kind"),
        ("Who enlarged the harbour of Port Anna?", "Hale", "elsewhere"),
        ("Which engineer enlarged the harbour of Port Anna?", "fishing boats", "elsewhere"),
    ],
)
def test_another_question_s_answer_does_not_fit(question, answer, why):
    assert why in find_misfit(question, [answer], PASSAGE)


def test_a_passage_without_spaces_between_words_is_not_judged():
    assert find_misfit("谁写的？", ["1872"], "港口于1872年扩建。灯塔高41米。") == ""
