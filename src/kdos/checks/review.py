"""Judges who see a draft's passages, and attempts that do not see its answer: one routine for both.

Synthesis and ``kdos verify`` ask alike; who is asked is an argument (`Ask`), so that nothing here
knows a model.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TypeVar

from kdos.checks.judging import check_attempts_agree, combine_judgements
from kdos.pool import Draft, Passage, Refusal
from kdos.tasks import (
    CHECKS,
    CRITERIA,
    Ask,
    Judgement,
    Reply,
    Request,
    ask_answer,
    ask_judgement,
    pair_replies_in_order,
    read_answer,
    read_judgement,
)

Owner = TypeVar("Owner")


@dataclass(frozen=True, slots=True)
class ReviewCase:
    """A draft, every form of its answer and the passages it is held against.

    `criteria` are those that judges are asked by; `prefix` is put before the ids of its requests
    where the ids of drafts may repeat.
    """

    draft: Draft
    answers: Sequence[str]
    passages: Sequence[Passage]
    criteria: Collection[str] = tuple(CHECKS | CRITERIA)
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """Why a draft falls, if it does, and the share of judges that passed each criterion."""

    refusal: Refusal | None = None
    passed: Mapping[str, float] = field(default_factory=dict[str, float])


def review_cases(
    cases: Iterable[tuple[Owner, ReviewCase | None]], *, judges: int, attempts: int, ask: Ask
) -> Iterator[tuple[Owner, Review]]:
    """Each owner with the review of its case, in order; an owner without a case costs nothing.

    A stream in and a stream out: requests of later cases go out while replies to earlier ones are
    awaited.

    Args:
        cases: What is to be reviewed, each with whatever it belongs to.
        judges: Judges asked about each case.
        attempts: Times that each question is answered unseen.
        ask: Sends requests to a model.
    """
    asked = (
        ((number, owner, case), request)
        for number, (owner, case) in enumerate(cases)
        for request in _case_requests(case, judges, attempts)
    )
    answered = pair_replies_in_order(asked, ask=ask)
    for _, pairs in groupby(answered, key=lambda pair: pair[0][0]):
        group = list(pairs)
        _, owner, case = group[0][0]
        replies = [reply for _, reply in group if reply is not None]
        yield owner, read_review(case, replies) if case and replies else Review()


def _case_requests(case: ReviewCase | None, judges: int, attempts: int) -> Iterator[Request | None]:
    """What to ask about a case; None, once, where there is nothing to ask."""
    if case is None or judges + attempts == 0:
        yield None
        return
    for number in range(judges):
        yield _with_prefix(ask_judgement(case.draft, passages=case.passages, judge=number), case)
    for number in range(attempts):
        yield _with_prefix(ask_answer(case.draft, passages=case.passages, attempt=number), case)


def _with_prefix(request: Request, case: ReviewCase) -> Request:
    return replace(request, id=f"{case.prefix}{request.id}")


def read_review(case: ReviewCase, replies: Sequence[Reply]) -> Review:
    """What judges and attempts say together; a judge's refusal goes before an attempt's."""
    judgements: list[Judgement | Refusal] = [
        read_judgement(reply) for reply in replies if reply.request.task == "judge"
    ]
    attempts = [read_answer(reply) for reply in replies if reply.request.task == "answer"]
    ruling = (
        combine_judgements(judgements, passages=case.passages, names=case.criteria)
        if judgements
        else None
    )
    refusal = ruling.refusal if ruling else None
    if refusal is None and attempts:
        refusal = check_attempts_agree(case.answers, attempts)
    return Review(refusal, ruling.passed if ruling else {})
