import json
import random
from collections import Counter
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from kdos.config import SourceConfig
from kdos.pool import Document, ErrorClass, Refusal
from kdos.seed import gather_seeds, make_seeds, open_source
from kdos.tasks import Reply

DATA = Path(__file__).parents[2] / "../shared/data/corpora"


def documents(count):
    for number in range(count):
        if number % 7 == 3:
            yield Refusal("no_text", ErrorClass.KNOWLEDGE_GAP, f"row {number}")
        text = "\n\n".join(f"Fact {number}.{part} is {number * part}." for part in range(6))
        yield Document(id=f"d{number}", title=f"D{number}", text=text)


def engine(held, chance=None):
    """Asks for the last word of each passage's first sentence, and for one that is not there."""

    def answer(request):
        sentence = request.inputs["passage"].split("\n")[0]
        answers = [sentence.split()[-1], "nowhere"][: request.inputs["per_passage"]]
        seeds = [{"question": "Which?", "answer": a, "quote": sentence} for a in answers]
        if chance and "13" in sentence:
            return Reply(request, error="timed out")
        return Reply(request, text=orjson.dumps({"seeds": seeds}).decode())

    def ask(requests):
        out = []
        for request in requests:
            out.append(request)
            if len(out) >= held:
                yield answer(out.pop(random.Random(len(out)).randrange(len(out))))
        yield from map(answer, reversed(out))

    return ask


def whole(batches):
    parts = list(batches)
    return {
        name: pa.concat_tables([getattr(part, name) for part in parts]).to_pylist()
        for name in ("documents", "passages", "seeds", "refusals")
    }


def test_every_document_passage_and_seed_is_there_or_refused():
    found = whole(make_seeds(documents(30), ask=engine(5), per_passage=2, size=40))
    assert [row["id"] for row in found["documents"]] == [f"d{n}" for n in range(30)]
    text = {row["id"]: row["text"] for row in found["documents"]}
    for row in (*found["passages"], *found["seeds"]):
        stands = text[row["document"]][row["start"] : row["end"]]
        assert stands == (row["text"] if "text" in row else row["answers"][0])
    counts = Counter((row["stage"], row["reason"]) for row in found["refusals"])
    assert counts["document", "no_text"] == 4
    asked = 2 * len(found["passages"])
    assert len(found["seeds"]) + counts["seed", "answer_not_in_evidence"] == asked


def test_batches_are_the_same_whatever_the_order_of_replies():
    def run(held, window):
        made = make_seeds(documents(40), ask=engine(held), per_passage=2, size=40, window=window, batch_rows=50)
        return [[part.documents, part.passages, part.seeds, part.refusals] for part in made]

    first = run(1, 4096)
    assert len(first) == 3
    for held, window in [(7, 4096), (64, 4096), (64, 10), (1000, 3)]:
        again = run(held, window)
        assert len(again) == len(first)
        for one, other in zip(first, again, strict=True):
            assert all(a.equals(b) for a, b in zip(one, other, strict=True))


def test_a_reply_that_failed_is_a_refusal():
    made = make_seeds(documents(20), ask=engine(3, random.Random(0)), per_passage=1, size=2000)
    reasons = Counter(row["reason"] for row in whole(made)["refusals"])
    assert reasons == {"no_text": 3, "no_reply": 1}


def test_documents_are_drawn_no_faster_than_they_are_needed():
    drawn = []

    def watched():
        for document in documents(5000):
            drawn.append(document)
            yield document

    made = make_seeds(watched(), ask=engine(4), per_passage=1, window=64, batch_rows=20)
    next(made)
    assert len(drawn) < 200


def test_given_questions_take_the_same_road_without_a_model(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"question": "Who?", "answers": ["Ada"], "context": "Ada."}) + "\n")
    settings = SourceConfig(kind="qa", path=str(path))
    found = whole(gather_seeds(settings, ask=lambda _: iter(()), per_passage=3))
    assert [len(rows) for rows in found.values()] == [1, 1, 1, 0]


CORPORA = {
    "squad_articles.jsonl.gz": ("text", "paragraphs.text", 30, 0),
    "squadshifts_new_wiki_articles.jsonl.gz": ("text", "paragraphs.text", 30, 0),
    "cmrc2018_zh_articles.jsonl.gz": ("text", "paragraphs.text", 550, 0),
    "qed_nq_passages.jsonl.gz": ("text", "", 571, 0),
    "wiki_passages.jsonl.gz": ("text", "", 6119, 0),
    "wikitext2_valid.txt.gz": ("text", "", 1, 0),
    "enwiki_sample.xml.bz2": ("wikipedia", "", 106, 100),
}


SLOW = {"enwiki_sample.xml.bz2"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in CORPORA])
def test_real_corpora_come_whole(name):
    if not (DATA / name).exists():
        pytest.skip("the development data is not here")
    kind, text, kept, refused = CORPORA[name]
    settings = SourceConfig(kind=kind, path=str(DATA / name), text=text)
    found = whole(make_seeds(open_source(settings), ask=engine(9), per_passage=1))
    assert len(found["documents"]) == kept
    documents = {row["id"]: row for row in found["documents"]}
    assert sum(row["stage"] == "document" for row in found["refusals"]) == refused
    assert len({row["id"] for row in found["passages"]}) == len(found["passages"])
    for row in found["passages"]:
        assert documents[row["document"]]["text"][row["start"] : row["end"]] == row["text"]
        assert len(row["text"]) <= 1200
    assert len(found["seeds"]) + sum(r["stage"] == "seed" for r in found["refusals"]) == len(found["passages"])
