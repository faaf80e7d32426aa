"""Instances pass, ideas in general do not, and where it is not plain the draft goes on."""

import pytest

from kdos.checks.sentence_checks import is_abstract_sentence


@pytest.mark.parametrize(
    ("question", "entities", "answer"),
    [
        ("In which year did Marie Curie win her first Nobel Prize?", [], "1903"),
        ("who founded microsoft?", [], "Bill Gates"),
        ("In what year was aspirin first sold?", ["aspirin"], "1899"),
        ("Which module has a function named `walk`?", [], "os"),
        ("What does pathlib.Path.cwd return?", [], "Path"),
        ("Why did Napoleon invade Russia in 1812?", [], "the blockade"),
        ("Which animal has the most teeth?", [], "Giant armadillo"),
        ("《红楼梦》的作者是谁？", [], "曹雪芹"),
        ("埃菲尔铁塔在哪里？", [], "巴黎"),
        ("Wer schrieb den Zauberberg?", [], "Thomas Mann"),
    ],
)
def test_a_question_about_an_instance_passes(question, entities, answer):
    assert not is_abstract_sentence(question, entities, asked_for=answer)


@pytest.mark.parametrize(
    "question",
    [
        "Why is courage important in leadership?",
        "What is the importance of education?",
        "How does climate affect agriculture?",
        "What are the main advantages of renewable energy?",
        "Explain the concept of inflation.",
        "Discuss how societies change in general.",
        "What makes a good leader?",
        "why is courage important in leadership?",
        "什么是爱情？",
        "为什么教育很重要？",
    ],
)
def test_a_question_about_ideas_does_not(question):
    assert is_abstract_sentence(question, ["courage", "education"], asked_for="it motivates people")


@pytest.mark.parametrize(
    ("point", "entities", "abstract"),
    [
        ("The Massey Ferguson 35 is a tractor model.", [], False),
        ("Aspirin was first sold in 1899.", [], False),
        ("Aspirin relieves pain.", ["aspirin"], False),
        ("Tractors are useful on many farms.", [], True),
        ("A tall tower is a kind of building.", ["Eiffel Tower"], True),
        ("法国的首都是巴黎。", [], False),
    ],
)
def test_a_knowledge_point_is_about_an_instance(point, entities, abstract):
    assert is_abstract_sentence(point, entities, asked_for="") is abstract
