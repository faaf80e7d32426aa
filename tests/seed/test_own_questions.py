"""A user's own questions beside those found in a source: as many in as out, each with its passage."""

import json

import pytest

from kdos.errors import InputError
from kdos.pool import Document, Passage, Refusal, Seed
from kdos.seed import cut_passages, read_own_questions
from kdos.seed.own_questions import join_own_questions

TEXT = "Ada was born in Paris.\n\nShe lived in Rome until 1799. She died there."
FOUND = Seed("ada#0/0", "Where?", ("Paris",), "ada#0", "ada", "lives")


def own(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_own_questions(str(path), lang="fr")


def source():
    document = Document("ada", "Ada", TEXT, domain="lives", lang="fr")
    yield "document", document
    yield from (("document", passage) for passage in cut_passages(document, size=30))
    yield "seed", FOUND


def joined(path, *rows):
    before = list(source())
    records = list(join_own_questions(before, own(path, *rows)))
    assert records[: len(before)] == before
    return [record for _, record in records[len(before) :]]


def test_without_a_file_nothing_is_added():
    assert read_own_questions(None) == []
    assert list(join_own_questions(source(), [])) == list(source())


def test_a_question_without_a_passage_is_a_seed_as_kind_qa_makes_it(tmp_path):
    (seed,) = joined(tmp_path / "q.jsonl", {"question": "Who?", "answers": ["X", "Y"], "domain": "law"})
    assert seed == Seed("given/q.jsonl:1", "Who?", ("X", "Y"), "", "", "law", lang="fr")


def test_a_passage_of_its_own_comes_with_it(tmp_path):
    row = {"id": "7", "question": "Where?", "answer": "Oslo", "passage": "Bo lives in Oslo."}
    document, passage, seed = joined(tmp_path / "q.jsonl", row)
    assert (document.text, passage.text, document.source) == ("Bo lives in Oslo.", "Bo lives in Oslo.", "q.jsonl")
    assert (seed.id, seed.document, seed.passage) == ("given/7", document.id, passage.id)


def test_a_document_of_the_source_gives_the_passage_that_holds_an_answer(tmp_path):
    row = {"question": "Until when?", "answers": ["seventeen", "1799"], "document": "ada"}
    (seed,) = joined(tmp_path / "q.jsonl", row)
    assert (seed.document, seed.domain, TEXT[seed.start : seed.end]) == ("ada", "lives", "1799")
    passages = [record for _, record in source() if isinstance(record, Passage)]
    assert [passage.id for passage in passages if "1799" in passage.text] == [seed.passage]


def test_a_document_that_is_not_there_or_holds_no_answer_is_a_refusal(tmp_path):
    rows = [
        {"question": "Who?", "answer": "Ada", "document_id": "bo"},
        {"question": "Where?", "answer": "Oslo", "document_id": "ada"},
        {"question": "Where?", "answer": "", "document_id": "ada"},
    ]
    found = joined(tmp_path / "q.jsonl", *rows)
    assert all(isinstance(one, Refusal) for one in found)
    assert [one.reason for one in found] == ["unknown_document", "answer_not_found", "no_answer"]
    assert "given/q.jsonl:1 names bo" in found[0].detail


def test_a_passage_that_the_source_has_is_not_doubled(tmp_path):
    records = own(tmp_path / "q.jsonl", {"question": "Where?", "answer": "Oslo", "passage": "Bo lives in Oslo."})
    twice = list(join_own_questions((("seed", record) for record in records), records))
    assert [type(record) for _, record in twice] == [Document, Passage, Seed, Seed]


@pytest.mark.parametrize("text", ["", '{"question": null, "answer": "x"}\n', '{"title": "x"}\n', "{"])
def test_a_file_without_questions_is_one_line(tmp_path, text):
    (path := tmp_path / "q.jsonl").write_text(text)
    with pytest.raises(InputError, match=r"q\.jsonl"):
        read_own_questions(str(path))
