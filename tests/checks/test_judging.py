"""Judges together: majorities, quotes looked up, and counts that come out exact."""

import pytest

from kdos.chance import keyed_generator
from kdos.checks import (
    check_attempts_agree,
    combine_judgements,
    count_error_classes,
    count_refusal_reasons,
    make_refusal,
)
from kdos.llm.engine import ScriptedEngine
from kdos.pool import Draft, ErrorClass, Passage, Refusal
from kdos.tasks import CHECKS, CRITERIA, QUOTED_CRITERIA, Judgement, ask_judgement, read_judgement

PASSAGES = [Passage("p", "d", "T", "", "en", 0, 40, "The Eiffel Tower opened in 1889 in Paris.")]
TRUE = "opened in 1889"
DRAFT = Draft("d", "Q?", "1889", (), ("K.",), "graph TD", (), ())


def judgement(*wrong, quote=TRUE):
    passed = {name: name not in wrong for name in CHECKS | CRITERIA}
    return Judgement(passed, dict.fromkeys(CRITERIA, quote))


def test_one_judge_that_passes_everything_is_enough():
    ruling = combine_judgements([judgement()], passages=PASSAGES)
    assert ruling.refusal is None


@pytest.mark.parametrize("name", [*CHECKS, *CRITERIA])
def test_the_majority_decides_and_dissent_is_kept(name):
    ruling = combine_judgements([judgement(name), judgement(name), judgement()], passages=PASSAGES)
    assert ruling.refusal.error_class == (CHECKS | CRITERIA)[name]
    assert ruling.passed[name] == pytest.approx(1 / 3)
    assert combine_judgements([judgement(name), judgement(), judgement()], passages=PASSAGES).refusal is None


def test_a_tie_is_no_majority():
    assert combine_judgements([judgement("supported"), judgement()], passages=PASSAGES).refusal is not None


@pytest.mark.parametrize("quote", ["", "opened in 1890", "Paris opened", "…"])
def test_a_quote_that_stands_nowhere_proves_nothing(quote):
    ruling = combine_judgements([judgement(quote=quote)], passages=PASSAGES)
    assert ruling.refusal == make_refusal("unproven_supported")
    assert ruling.misquoted == QUOTED_CRITERIA


def test_quotes_may_differ_in_spaces_and_quotation_marks_only():
    assert combine_judgements([judgement(quote="The  Eiffel\nTower")], passages=PASSAGES).refusal is None


def test_judges_that_cannot_be_read_are_left_out():
    unread = Refusal("unreadable", ErrorClass.FORMAT_MISMATCH)
    assert combine_judgements([unread, judgement()], passages=PASSAGES).refusal is None
    assert combine_judgements([unread], passages=PASSAGES).refusal == unread
    assert combine_judgements([], passages=PASSAGES).refusal.reason == "no_reply"


def test_a_judge_wrong_at_known_rates_gives_exact_counts():
    """Each name is flagged for a known share of drafts; nothing is lost, nothing counted twice."""
    names = [*CHECKS, *CRITERIA]
    planned = {f"d{n}": names[n % len(names)] for n in range(800)}
    misquoting = {f"d{n}" for n in keyed_generator(1, "misquotes").choice(800, 90, replace=False)}
    passing = {f"d{n}" for n in range(800, 1000)}

    def judge(request):
        draft = request.id.removeprefix("judge/")
        wrong = planned.get(draft)
        quote = "not in the passage" if draft in misquoting else TRUE
        criteria = {name: {"ok": name != wrong, "quote": quote} for name in CRITERIA}
        return {**{name: name == wrong for name in CHECKS}, "criteria": criteria}

    drafts = [Draft(name, "Q?", "1889", (), (), "", (), ()) for name in [*planned, *passing]]
    requests = [ask_judgement(draft, passages=PASSAGES) for draft in drafts]
    replies = ScriptedEngine(judge).complete(requests)
    rulings = [combine_judgements([read_judgement(reply)], passages=PASSAGES) for reply in replies]
    refusals = [ruling.refusal for ruling in rulings if ruling.refusal]
    assert len(refusals) == 800
    expected = dict.fromkeys(ErrorClass, 0)
    for draft, wrong in planned.items():
        early = wrong in CHECKS or wrong == "supported"
        found = wrong if early or draft not in misquoting else "supported"
        expected[(CHECKS | CRITERIA)[found]] += 1
    assert count_error_classes(refusals) == {name.value: count for name, count in expected.items()}
    assert sum(count_refusal_reasons(refusals).values()) == 800
    assert sum(bool(ruling.misquoted) for ruling in rulings) == len(misquoting)


@pytest.mark.parametrize(
    ("attempts", "reason"),
    [
        (["1889", "in 1889", "1890"], None),
        (["1,889 visitors", "1889"], None),
        (["1890", "1890", "1889"], "not_answered_alike"),
        (["", "", ""], "unanswerable"),
        (["", "1889"], None),
        ([make_refusal("no_reply")], "no_reply"),
        ([], "no_reply"),
    ],
)
def test_attempts_that_did_not_see_the_answer_must_agree_with_it(attempts, reason):
    refusal = check_attempts_agree(["1889"], attempts)
    assert (refusal.reason if refusal else None) == reason
