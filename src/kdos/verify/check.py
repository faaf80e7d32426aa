"""The free checks on rows of any table, those that its fields allow, then judges and attempts."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from kdos.checks import (
    BenchmarkIndex,
    KnownQuestions,
    check_answer_not_leaked,
    check_concrete_instances,
    check_knowledge_points,
    check_language,
    check_lengths,
    check_logic,
    check_near_duplicate,
    check_not_multiple_choice,
    check_uncontaminated,
    find_first_refusals,
    make_refusal,
)
from kdos.checks.answers import find_answer_span
from kdos.checks.judging import ReviewCase, review_cases
from kdos.logic import Logic, ShapeCounts, parse, shape_of_logic
from kdos.pool import Refusal
from kdos.tasks import CHECKS, Ask
from kdos.verify.rows import QuestionRow, TableFields

CHECK_BLOCK = 128
"""Rows that are checked together."""


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What the rows are held against: `lang` where no field says it, benchmarks if there are."""

    fields: TableFields
    lang: str = ""
    benchmarks: BenchmarkIndex | None = None


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """An item and what became of it; `passed` holds the share of judges by criterion."""

    row: QuestionRow
    refusal: Refusal | None
    passed: Mapping[str, float] = field(default_factory=dict[str, float])


def check_rows(
    items: Iterable[QuestionRow], options: VerifyOptions, *, shapes: ShapeCounts
) -> Iterator[CheckedRow]:
    """Each item after the free checks; questions that pass are known to those after them."""
    known, waiting = KnownQuestions(), iter(items)
    while some := list(islice(waiting, CHECK_BLOCK)):
        for item, refusal in zip(some, check_rows_alone(some, options), strict=True):
            refusal = refusal or check_near_duplicate(item.draft, item.answers, known)
            if refusal is None:
                known.add_question(item.draft.question, item.answers, name=item.draft.id)
                if options.fields.logic:
                    logic = parse(item.draft.logic)
                    shapes.add_shapes(
                        [shape_of_logic(logic).name] if isinstance(logic, Logic) else []
                    )
            yield CheckedRow(item, refusal)


def check_rows_alone(items: Sequence[QuestionRow], options: VerifyOptions) -> list[Refusal | None]:
    """The first thing that speaks against each row, other rows aside, or None."""
    fields = options.fields
    checks: list[tuple[bool, Callable[[QuestionRow], Refusal | None]]] = [
        (True, lambda item: check_lengths(item.draft)),
        (bool(fields.knowledge_points), lambda item: check_knowledge_points(item.draft)),
        (True, lambda item: check_not_multiple_choice(item.draft)),
        (True, lambda item: check_answer_not_leaked(item.draft, item.answers)),
        (True, lambda item: check_concrete_instances(item.draft)),
        (True, lambda item: check_language(item.draft, options.lang or item.lang)),
        (bool(fields.logic), lambda item: check_logic(item.draft, parse(item.draft.logic))),
        (bool(fields.passage), check_answer_in_passage),
        (True, lambda item: check_uncontaminated(item.draft, item.answers, options.benchmarks)),
    ]
    return find_first_refusals(items, [check for allowed, check in checks if allowed])


def check_answer_in_passage(item: QuestionRow) -> Refusal | None:
    """One form of the answer stands in the row's passage."""
    if item.passage is None:
        return make_refusal("no_evidence")
    text = item.passage.text
    if any(find_answer_span(answer, text) for answer in item.answers):
        return None
    return make_refusal("answer_not_in_evidence", item.draft.answer)


def review_rows(
    checked: Iterable[CheckedRow], *, judges: int, attempts: int, ask: Ask
) -> Iterator[CheckedRow]:
    """Each row after judges and unseen attempts; what was refused before is asked nothing."""
    cases = ((one, None if one.refusal else _review_case(one.row)) for one in checked)
    for one, review in review_cases(cases, judges=judges, attempts=attempts, ask=ask):
        yield replace(one, refusal=one.refusal or review.refusal, passed=review.passed)


def _review_case(row: QuestionRow) -> ReviewCase:
    """A row as a case; its criteria are those for parts that it has, and the usual checks."""
    draft = row.draft
    criteria = {*CHECKS, "supported"}
    criteria |= {"knowledge_points_true", "entailed"} if draft.knowledge_points else set()
    criteria |= {"logic_valid"} if draft.logic else set()
    criteria |= {"distractors_valid"} if draft.distractors else set()
    passages = [row.passage] if row.passage else []
    return ReviewCase(draft, row.answers, passages, criteria, prefix=f"{row.row}/")
