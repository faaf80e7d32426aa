"""Several judgements in, one ruling out; a quote counts only where it stands in a passage."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from kdos.checks.answers import canonical, stands_in
from kdos.checks.evidence import find_quote
from kdos.checks.taxonomy import refuse
from kdos.pool import Passage, Refusal
from kdos.tasks import CHECKS, CRITERIA, QUOTED_CRITERIA, Judgement, judgement_refusal

MAJORITY = 0.5
"""More than this share of judges must pass a check or criterion."""
AGREEING = 0.5
"""At least this share of attempts must give our answer."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What k judges say together: the refusal, if any; the share that passed each criterion.

    `misquoted` names, once for each judge, the criteria that were held to be met with a quote
    that stands in no passage.
    """

    refusal: Refusal | None
    passed: Mapping[str, float]
    misquoted: tuple[str, ...] = ()

    @property
    def unanimous(self) -> bool:
        """Do all judges agree on everything?"""
        return all(share in {0.0, 1.0} for share in self.passed.values())


def rule(
    judgements: Sequence[Judgement | Refusal],
    *,
    passages: Sequence[Passage],
    names: Collection[str] = tuple(CHECKS | CRITERIA),
    least: float = MAJORITY,
) -> Ruling:
    """The ruling of all judges that could be read: each check and criterion by majority.

    `names` are the checks and criteria that count: a draft without knowledge points is not judged
    by them.
    """
    read = [one for one in judgements if isinstance(one, Judgement)]
    if not read:
        unread = next((one for one in judgements if isinstance(one, Refusal)), None)
        return Ruling(unread or refuse("no_reply", "no judge was asked"), {})
    misquoted = [misquotes(one, passages) for one in read]
    counted = [name for name in CHECKS | CRITERIA if name in names]
    passed = {
        name: sum(
            one.passed[name] and name not in wrong
            for one, wrong in zip(read, misquoted, strict=True)
        )
        / len(read)
        for name in counted
    }
    failed = next((name for name, share in passed.items() if share <= least), None)
    wrong = tuple(name for each in misquoted for name in each if name in counted)
    if failed is None:
        return Ruling(None, passed, wrong)
    believed = sum(one.passed[failed] for one in read) / len(read) > least
    return Ruling(
        refuse(f"unproven_{failed}") if believed else judgement_refusal(failed), passed, wrong
    )


def misquotes(judgement: Judgement, passages: Sequence[Passage]) -> tuple[str, ...]:
    """The criteria a judge holds to be met without a quote that stands in a passage."""
    return tuple(
        name
        for name in QUOTED_CRITERIA
        if judgement.passed[name]
        and not any(find_quote(judgement.quotes[name], passage.text) for passage in passages)
    )


def answered_alike(
    answers: Sequence[str], attempts: Sequence[str | Refusal], *, least: float = AGREEING
) -> Refusal | None:
    """Do attempts that did not see our answer agree with it? `answers` are its forms.

    Attempts that all end in "I do not know" say that the passages do not hold the knowledge.
    """
    given = [attempt for attempt in attempts if isinstance(attempt, str)]
    if not given:
        return next((one for one in attempts if isinstance(one, Refusal)), refuse("no_reply"))
    if not any(attempt.strip() for attempt in given):
        return refuse("unanswerable", f"{len(given)} attempts")
    forms = [canonical(answer) for answer in answers]
    alike = sum(_says(canonical(attempt), forms) for attempt in given)
    if alike >= least * len(given):
        return None
    return refuse("not_answered_alike", f"{alike} of {len(given)} attempts; others: {given[0]}")


def _says(attempt: str, forms: Sequence[str]) -> bool:
    """Does the attempt hold one of the forms, or one of them the attempt?"""
    return any(stands_in(form, attempt) or stands_in(attempt, form) for form in forms)
