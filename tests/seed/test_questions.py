import json

import pytest

from kdos.config import SourceConfig
from kdos.errors import InputError
from kdos.pool import Document, Passage, Refusal, Seed
from kdos.seed import open_questions


def opened(path, items, **settings):
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return list(open_questions(SourceConfig(kind="qa", path=str(path), **settings)))


def test_questions_become_seeds_and_bad_rows_refusals(tmp_path):
    found = opened(
        tmp_path / "q.jsonl",
        [
            {"id": "a", "question": "Who?", "answers": ["X", "Y"], "domain": "law"},
            {"id": "b", "question": None, "answers": ["X"]},
            {"id": "c", "question": "What?", "answers": []},
            {"id": "a", "question": "When?", "answers": ["1"]},
            {"question": "Where?", "answers": ["Z"]},
        ],
    )
    assert found[0] == Seed("a", "Who?", ("X", "Y"), "", "", "law")
    assert [item.reason for item in found[1:4]] == ["no_question", "no_answer", "duplicate_id"]
    assert found[4].id == "q.jsonl:5"


def test_a_passage_comes_once_before_its_seeds_and_holds_the_answer(tmp_path):
    context = "Ada was born in Paris. She lived in Rome."
    found = opened(
        tmp_path / "q.jsonl",
        [
            {"question": "Born where?", "answer": "Paris", "context": context, "title": "Ada"},
            {"question": "Lived where?", "answer": "in rome", "context": context, "title": "Ada"},
        ],
        lang="fr",
    )
    document, passage, first, second = found
    assert isinstance(document, Document)
    assert isinstance(passage, Passage)
    assert document.text == passage.text == context
    assert (first.document, first.passage, first.lang) == (document.id, passage.id, "fr")
    assert context[first.start : first.end] == "Paris"
    assert (second.start, second.end) == (-1, -1)


def test_numbers_and_named_fields(tmp_path):
    found = opened(
        tmp_path / "q.jsonl",
        [{"q": "How many?", "a": {"text": [7, 8]}}, {"q": "x", "a": None}],
        question="q",
        answers="a.text",
    )
    assert found[0].answers == ("7", "8")
    assert isinstance(found[1], Refusal)


def test_the_limit_counts_seeds(tmp_path):
    items = [{"question": f"{n}?", "answers": ["x"]} for n in range(9)]
    assert len(opened(tmp_path / "q.jsonl", items, limit=4)) == 4


def test_a_table_without_questions(tmp_path):
    with pytest.raises(InputError, match=r"no field holds the question\. There are: text"):
        opened(tmp_path / "q.jsonl", [{"text": "a"}])
    with pytest.raises(InputError, match=r"must hold at least one question with an answer"):
        opened(tmp_path / "q.jsonl", [{"question": "a", "answers": []}])
