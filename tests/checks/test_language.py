"""A text in plainly another language is told; a short or mixed one is let through."""

import gzip
import json
from pathlib import Path

import pytest

from kdos.checks.sentence_checks import detect_other_language

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


@pytest.mark.parametrize(
    ("name", "lang"), [("squad_articles", "en"), ("cmrc2018_zh_articles", "zh")]
)
def test_real_questions_are_in_their_language(name, lang):
    path = DATA / f"corpora/{name}.jsonl.gz"
    if not path.exists():
        pytest.skip("development data not at hand")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        articles = [json.loads(line) for line in lines]
    questions = [qa["question"] for a in articles for p in a["paragraphs"] for qa in p["qas"]]
    wrong = [question for question in questions if detect_other_language(question, lang)]
    assert len(wrong) <= 0.001 * len(questions), wrong[:20]
