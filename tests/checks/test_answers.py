"""An answer is known in any dress, and never found inside another word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.checks.answers import canonicalise_text, find_leaked_answer, find_whole_words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,953,122", "1953122"),
        ("one thousand", "1,000"),
        ("two hundred and fifty", "250"),
        ("twenty-one", "21"),
        ("1.5 million", "1,500,000"),
        ("3 million", "three million"),
        ("5.0", "5"),
        ("July 4, 1776", "4 July 1776"),
        ("4th of July 1776", "1776-07-04"),
        ("Sept. 3, 1939", "3 September 1939"),
        ("the first", "the 1st"),
        ("Ｅｉｆｆｅｌ　Tower", "eiffel tower"),
    ],
)
def test_one_value_has_one_form(one, other):
    assert canonicalise_text(one) == canonicalise_text(other)


@pytest.mark.parametrize("text", ["one two three", "two twenty", "hundred and one dalmatians x"])
def test_words_that_make_no_number_stay_apart_from_each_other(text):
    assert canonicalise_text(text) == canonicalise_text(canonicalise_text(text))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("In which Paris street stands it?", "Paris"),
        ("Was it PARIS, the city?", "the Paris"),
        ("What happened on 4 July 1776?", "July 4, 1776"),
        ("Who counted one thousand nine hundred sheep?", "1,900"),
        ("Which alliance is NATO's full name?", "North Atlantic Treaty Organization"),
        ("What does the North Atlantic Treaty Organization call itself?", "NATO"),
        ("巴黎的埃菲尔铁塔在哪里？", "巴黎"),
        ("Which tower is in Paris's centre?", "Paris"),
        ("What is a Perkins-engined tractor?", "Perkins"),
    ],
)
def test_an_answer_that_is_given_away_is_found(question, answer):
    assert find_leaked_answer(question, [answer]) == answer


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which comparison is meant?", "Paris"),
        ("Which engine has the Massey Ferguson 35?", "3"),
        ("Which 3-cylinder engine is it?", "3"),
        ("What is the value of 1,000 divided by 8?", "100"),
        ("Which method of int.from_bytes is it?", "from"),
        ("What is printed by it?", "int"),
        ("Is it 3.14 or more?", "14"),
        ("Which constant is it?", "-1"),
        ("In which year?", ""),
    ],
)
def test_an_answer_inside_another_word_or_number_is_not_given_away(question, answer):
    assert find_leaked_answer(question, [answer]) == ""


@given(st.text(st.characters(codec="ascii"), max_size=40), st.text("abc .-_1", min_size=1, max_size=4))
def test_a_whole_word_stands_where_it_is_found(text, part):
    at = find_whole_words(part, text)
    if at >= 0:
        assert text[at : at + len(part)] == part
        assert not text[at - 1 : at].isalnum() or at == 0
        assert not text[at + len(part) : at + len(part) + 1].isalnum()
