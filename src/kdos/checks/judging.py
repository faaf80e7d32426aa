"""Judges who see a draft's passages, and attempts that do not see its answer (our design).

Several judgements make one ruling, in which a quote counts only where it stands in a passage. Synthesis and ``kdos
verify`` ask alike; who is asked is an argument (`Ask`), so that nothing here knows a model.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TypeVar

from kdos.checks.answers import canonicalise_text, occurs_as_words
from kdos.checks.refusals import make_refusal
from kdos.pool import Draft, Passage, Refusal
from kdos.pool.quotes import find_quote_span
from kdos.tasks import (
    CHECKS,
    CRITERIA,
    QUOTED_CRITERIA,
    Ask,
    Judgement,
    Reply,
    Request,
    ask_answer,
    ask_judgement,
    judgement_refusal,
    pair_replies_in_order,
    read_answer,
    read_judgement,
)

Owner = TypeVar("Owner")

MAJORITY = 0.5
"""More than this share of judges must pass a check or criterion."""
AGREEING_SHARE = 0.5
"""At least this share of attempts must give our answer."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What judges and attempts say together: why a draft falls, if it does.

    `passed` is the share of judges that passed each criterion. `misquoted` names, once for each
    judge, the criteria that were held to be met with a quote that stands in no passage.
    """

    refusal: Refusal | None = None
    passed: Mapping[str, float] = field(default_factory=dict[str, float])
    misquoted: tuple[str, ...] = ()


def combine_judgements(
    judgements: Sequence[Judgement | Refusal],
    *,
    passages: Sequence[Passage],
    names: Collection[str] = tuple(CHECKS | CRITERIA),
) -> Ruling:
    """The ruling of all judges that could be read: each check and criterion by majority.

    `names` are the checks and criteria that count: a draft without knowledge points is not judged by them.
    """
    read = [one for one in judgements if isinstance(one, Judgement)]
    if not read:
        unread = next((one for one in judgements if isinstance(one, Refusal)), None)
        return Ruling(unread or make_refusal("no_reply", "no judge was asked"))
    misquoted = [_find_misquoted_criteria(one, passages) for one in read]
    judged = list(zip(read, misquoted, strict=True))
    counted = [name for name in CHECKS | CRITERIA if name in names]
    passed = {
        name: sum(one.passed[name] and name not in wrong for one, wrong in judged) / len(read) for name in counted
    }
    misquotes = tuple(name for wrong in misquoted for name in wrong if name in counted)
    failed = next((name for name, share in passed.items() if share <= MAJORITY), None)
    if failed is None:
        return Ruling(None, passed, misquotes)
    # A criterion that a majority holds to be met falls for want of a quote alone.
    believed = sum(one.passed[failed] for one in read) / len(read) > MAJORITY
    refusal = make_refusal(f"unproven_{failed}") if believed else judgement_refusal(failed)
    return Ruling(refusal, passed, misquotes)


def _find_misquoted_criteria(judgement: Judgement, passages: Sequence[Passage]) -> tuple[str, ...]:
    """The criteria a judge holds to be met without a quote that stands in a passage."""
    return tuple(
        name
        for name in QUOTED_CRITERIA
        if judgement.passed[name]
        and not any(find_quote_span(judgement.quotes[name], passage.text) for passage in passages)
    )


def check_attempts_agree(answers: Sequence[str], attempts: Sequence[str | Refusal]) -> Refusal | None:
    """Do attempts that did not see our answer agree with it? `answers` are its forms.

    Attempts that all end in "I do not know" say that the passages do not hold the knowledge.
    """
    read = [attempt for attempt in attempts if isinstance(attempt, str)]
    if not read:
        return next((one for one in attempts if isinstance(one, Refusal)), make_refusal("no_reply"))
    if not any(attempt.strip() for attempt in read):
        return make_refusal("unanswerable", f"{len(read)} attempts")
    forms = [canonicalise_text(answer) for answer in answers]
    alike = sum(_forms_overlap(canonicalise_text(attempt), forms) for attempt in read)
    if alike >= AGREEING_SHARE * len(read):
        return None
    return make_refusal("not_answered_alike", f"{alike} of {len(read)} attempts; others: {read[0]}")


def _forms_overlap(attempt: str, forms: Sequence[str]) -> bool:
    """Does the attempt hold one of the forms, or one of them the attempt?"""
    return any(occurs_as_words(form, attempt) or occurs_as_words(attempt, form) for form in forms)


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


def review_cases(
    cases: Iterable[tuple[Owner, ReviewCase | None]], *, judges: int, attempts: int, ask: Ask
) -> Iterator[tuple[Owner, Ruling]]:
    """Each owner with the ruling on its case, in order; an owner without a case costs nothing.

    A stream in and a stream out: requests of later cases go out while replies to earlier ones are
    awaited. Each case is shown to `judges` judges, and its question answered unseen `attempts` times.
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
        yield owner, _read_ruling(case, replies) if case and replies else Ruling()


def _case_requests(case: ReviewCase | None, judges: int, attempts: int) -> Iterator[Request | None]:
    """What to ask about a case; None, once, where there is nothing to ask."""
    if case is None or judges + attempts == 0:
        yield None
        return
    draft, passages = case.draft, case.passages
    requests = [ask_judgement(draft, passages=passages, judge=n) for n in range(judges)]
    requests += [ask_answer(draft, passages=passages, attempt=n) for n in range(attempts)]
    for request in requests:
        yield replace(request, id=f"{case.prefix}{request.id}")


def _read_ruling(case: ReviewCase, replies: Sequence[Reply]) -> Ruling:
    """What judges and attempts say together; a judge's refusal goes before an attempt's."""
    judgements = [read_judgement(reply) for reply in replies if reply.request.task == "judge"]
    attempts = [read_answer(reply) for reply in replies if reply.request.task == "answer"]
    ruling = Ruling()
    if judgements:
        ruling = combine_judgements(judgements, passages=case.passages, names=case.criteria)
    if ruling.refusal is None and attempts:
        return replace(ruling, refusal=check_attempts_agree(case.answers, attempts))
    return ruling
