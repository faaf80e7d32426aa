"""Judgements: asked of one judge or several, read, and turned into refusals."""

import orjson
import pytest

from kdos.checks import combine_judgements
from kdos.pool import Draft, ErrorClass, Passage
from kdos.tasks import CHECKS, CRITERIA, Reply, ask_answer, ask_judgement, read_answer, read_judgement

DRAFT = Draft("d", "Q?", "A", (), ("K.",), "graph TD", (), ())
PASSAGES = [Passage("p", "d", "T", "", "en", 0, 4, "Text")]


def judged(*, wrong=()):
    value = {name: name in wrong for name in CHECKS}
    value["criteria"] = {name: {"ok": name not in wrong, "quote": "Text"} for name in CRITERIA}
    request = ask_judgement(DRAFT, passages=PASSAGES)
    judgement = read_judgement(Reply(request, text=orjson.dumps(value).decode()))
    return combine_judgements([judgement], passages=PASSAGES).refusal


def test_a_draft_that_meets_everything_is_not_refused():
    assert judged() is None


@pytest.mark.parametrize("name", [*CHECKS, *CRITERIA])
def test_each_check_and_criterion_refuses_with_its_class(name):
    refusal = judged(wrong=[name])
    assert refusal.reason == (name if name in CHECKS else f"not_{name}")
    assert refusal.error_class == (CHECKS | CRITERIA)[name]
    assert refusal.error_class is not ErrorClass.DISTRIBUTION


def test_the_first_thing_that_fails_is_the_reason():
    assert judged(wrong=["logic_valid", "ambiguous"]).reason == "ambiguous"


def test_several_judges_and_attempts_are_requests_of_their_own():
    judges = [ask_judgement(DRAFT, passages=PASSAGES, judge=judge) for judge in range(3)]
    attempts = [ask_answer(DRAFT, passages=PASSAGES, attempt=attempt) for attempt in range(3)]
    assert len({request.key for request in judges + attempts}) == 6
    assert len({request.id for request in judges + attempts}) == 6
    assert judges[0].params == {}
    assert "A" not in attempts[0].inputs.values()


def test_an_answer_is_read_as_it_is():
    request = ask_answer(DRAFT, passages=PASSAGES, attempt=0)
    assert read_answer(Reply(request, text='{"answer": "Paris"}')) == "Paris"
    assert read_answer(Reply(request, text='{"answer": ""}')) == ""
    assert read_answer(Reply(request, error="gone")).reason == "no_reply"
