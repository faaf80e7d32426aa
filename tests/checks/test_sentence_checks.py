"""Instances pass and ideas in general do not; a text in plainly another language is told."""

import gzip
import json
from pathlib import Path

import pytest

from kdos.checks.sentence_checks import detect_other_language, is_abstract_sentence


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


DATA = Path(__file__).parents[2] / "../shared/data"


@pytest.mark.parametrize(
    ("text", "lang", "other"),
    [
        ("In which year was the tower built by Gustave Eiffel opened?", "en", ""),
        ("Who wrote Der Zauberberg?", "en", ""),
        ("Which film by Jean-Luc Godard is called À bout de souffle?", "en", ""),
        ("In welchem Jahr wurde der Turm von Gustave Eiffel eröffnet?", "en", "de"),
        ("En quelle année la tour de Gustave Eiffel a été ouverte?", "en", "fr"),
        ("¿En qué año se inauguró la torre de los Eiffel en París?", "en", "es"),
        ("Which city is it in, and who built the tower?", "de", "en"),
        ("埃菲尔铁塔是哪一年建成的？", "en", "zh"),
        ("埃菲尔铁塔是哪一年建成的？", "zh", ""),
        ("エッフェル塔は何年に完成しましたか。", "ja", ""),
        ("エッフェル塔は何年に完成しましたか。", "zh", "ja"),
        ("В каком году была построена башня?", "ru", ""),
        ("В каком году была построена башня?", "en", "cyrillic"),
        ("In which year was the tower opened, and by whom?", "zh", "latin"),
        ("API?", "zh", ""),
        ("`os.path` 模块的作者 Guido van Rossum 出生于哪一年？", "zh", ""),
    ],
)
def test_languages_are_told_apart(text, lang, other):
    assert detect_other_language(text, lang) == other


@pytest.mark.parametrize(("name", "lang"), [("squad_articles", "en"), ("cmrc2018_zh_articles", "zh")])
def test_real_questions_are_in_their_language(name, lang):
    path = DATA / f"corpora/{name}.jsonl.gz"
    if not path.exists():
        pytest.skip("development data not at hand")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        articles = [json.loads(line) for line in lines]
    questions = [qa["question"] for a in articles for p in a["paragraphs"] for qa in p["qas"]]
    wrong = [question for question in questions if detect_other_language(question, lang)]
    assert len(wrong) <= 0.001 * len(questions), wrong[:20]
