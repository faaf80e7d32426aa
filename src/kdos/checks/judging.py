"""Several judgements in, one ruling out; a quote counts only where it stands in a passage."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from kdos.checks.answers import canonicalise_text, find_quote_span, occurs_as_words
from kdos.checks.refusals import make_refusal
from kdos.pool import Passage, Refusal
from kdos.tasks import CHECKS, CRITERIA, QUOTED_CRITERIA, Judgement, judgement_refusal

MAJORITY = 0.5
"""More than this share of judges must pass a check or criterion."""
AGREEING_SHARE = 0.5
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


def combine_judgements(
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
        return Ruling(unread or make_refusal("no_reply", "no judge was asked"), {})
    misquoted = [find_misquoted_criteria(one, passages) for one in read]
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
        make_refusal(f"unproven_{failed}") if believed else judgement_refusal(failed), passed, wrong
    )


def find_misquoted_criteria(judgement: Judgement, passages: Sequence[Passage]) -> tuple[str, ...]:
    """The criteria a judge holds to be met without a quote that stands in a passage."""
    return tuple(
        name
        for name in QUOTED_CRITERIA
        if judgement.passed[name]
        and not any(find_quote_span(judgement.quotes[name], passage.text) for passage in passages)
    )


def check_attempts_agree(
    answers: Sequence[str], attempts: Sequence[str | Refusal], *, least: float = AGREEING_SHARE
) -> Refusal | None:
    """Do attempts that did not see our answer agree with it? `answers` are its forms.

    Attempts that all end in "I do not know" say that the passages do not hold the knowledge.
    """
    given = [attempt for attempt in attempts if isinstance(attempt, str)]
    if not given:
        return next((one for one in attempts if isinstance(one, Refusal)), make_refusal("no_reply"))
    if not any(attempt.strip() for attempt in given):
        return make_refusal("unanswerable", f"{len(given)} attempts")
    forms = [canonicalise_text(answer) for answer in answers]
    alike = sum(_forms_overlap(canonicalise_text(attempt), forms) for attempt in given)
    if alike >= least * len(given):
        return None
    return make_refusal(
        "not_answered_alike", f"{alike} of {len(given)} attempts; others: {given[0]}"
    )


def _forms_overlap(attempt: str, forms: Sequence[str]) -> bool:
    """Does the attempt hold one of the forms, or one of them the attempt?"""
    return any(occurs_as_words(form, attempt) or occurs_as_words(attempt, form) for form in forms)
