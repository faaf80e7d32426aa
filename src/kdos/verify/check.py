"""The free checks on rows of any table, those that its fields allow, then judges and attempts.

Rows stream through: each is counted in a tally on its way out, and the error analysis reads that.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from kdos.checks import (
    BenchmarkIndex,
    KnownQuestions,
    check_answer_asked_for,
    check_answer_stated,
    check_fields_filled,
    check_given_away,
    check_knowledge_points,
    check_lengths,
    check_logic,
    check_near_duplicate,
    check_not_multiple_choice,
    check_row_language,
    check_single_answer,
    check_that_it_asks,
    check_uncontaminated,
    count_error_classes,
    count_refusal_reasons,
    find_first_refusals,
    make_refusal,
)
from kdos.checks.answers import find_answer_span
from kdos.checks.judging import ReviewCase, review_cases
from kdos.checks.known_questions import SimilarityThresholds
from kdos.logic import Logic, ShapeCounts, parse, shape_of_logic
from kdos.pool import Refusal, Tally
from kdos.rows import QuestionRow, TableFields
from kdos.tasks import CHECKS, Ask
from kdos.verify.conflicts import Conflicts, question_key
from kdos.verify.rows import CheckedRow

# A draft that comes close to another can be written anew; of a row that somebody wrote only what is said again counts.
ROW_THRESHOLDS = SimilarityThresholds(same_fact=0.9, same_answer=0.95, answer_unknown=0.95, other_answer=1.0)
CHECK_BLOCK = 128
"""Rows that are checked together."""


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What the rows are held against: `lang` where no field says it, benchmarks if any, `conflicts` of all rows."""

    fields: TableFields
    lang: str = ""
    benchmarks: BenchmarkIndex | None = None
    conflicts: Conflicts = field(default_factory=dict[int, str])


def check_rows(items: Iterable[QuestionRow], options: VerifyOptions, *, shapes: ShapeCounts) -> Iterator[CheckedRow]:
    """Each item after the free checks; questions that pass are known to those after them."""
    known, waiting = KnownQuestions(ROW_THRESHOLDS), iter(items)
    while some := list(islice(waiting, CHECK_BLOCK)):
        for item, refusal in zip(some, _check_rows_alone(some, options), strict=True):
            refusal = refusal or check_near_duplicate(item.draft, item.answers, known)
            if refusal is None:
                known.add_question(item.draft.question, item.answers, name=item.draft.id)
                logic = parse(item.draft.logic) if options.fields.logic else None
                if isinstance(logic, Logic):
                    shapes.add_shapes([shape_of_logic(logic).name])
            yield CheckedRow(item, refusal)


def _check_rows_alone(items: Sequence[QuestionRow], options: VerifyOptions) -> list[Refusal | None]:
    """The first thing that speaks against each row, other rows aside, or None."""
    fields = options.fields
    checks: list[tuple[bool, Callable[[QuestionRow], Refusal | None]]] = [
        (True, lambda item: check_fields_filled(item.draft)),
        (True, lambda item: check_single_answer(item.draft)),
        (True, lambda item: check_answer_stated(item.draft)),
        (True, lambda item: check_lengths(item.draft)),
        (bool(fields.knowledge_points), lambda item: check_knowledge_points(item.draft)),
        (True, lambda item: check_not_multiple_choice(item.draft)),
        (True, lambda item: check_given_away(item.draft, item.answers)),
        (True, lambda item: check_row_language(item.draft, item.answers, options.lang or item.lang)),
        (True, lambda item: check_that_it_asks(item.draft)),
        (bool(fields.logic), lambda item: check_logic(item.draft, parse(item.draft.logic))),
        (bool(fields.passage), _check_answer_in_passage),
        (bool(options.conflicts), lambda item: _check_no_conflict(item, options.conflicts)),
        (True, lambda item: check_uncontaminated(item.draft, item.answers, options.benchmarks)),
    ]
    return find_first_refusals(items, [check for allowed, check in checks if allowed])


def _check_answer_in_passage(item: QuestionRow) -> Refusal | None:
    """One form of the answer stands in the row's passage."""
    if item.passage is None:
        return make_refusal("no_evidence")
    text = item.passage.text
    if any(find_answer_span(answer, text) or _stands_in(answer, text) for answer in item.answers):
        return check_answer_asked_for(item.draft, item.answers, text)
    return make_refusal("answer_not_in_evidence", item.draft.answer)


def _stands_in(answer: str, text: str) -> bool:
    """Does a number stand in the text, if only as part of "11-year"?"""
    return answer.isdigit() and re.search(rf"(?<![\w.,]){answer}(?!\w)", text) is not None


def _check_no_conflict(item: QuestionRow, conflicts: Conflicts) -> Refusal | None:
    """No other row answers the same question in another way."""
    both = conflicts.get(question_key(item))
    return make_refusal("conflicting_answers", both) if both else None


def review_rows(checked: Iterable[CheckedRow], *, judges: int, attempts: int, ask: Ask) -> Iterator[CheckedRow]:
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


@dataclass(slots=True)
class VerdictTally:
    """What became of all rows so far; `accepted` says so row by row."""

    rows: Tally = field(default_factory=Tally)
    judged: int = 0
    disputed: int = 0
    accepted: list[bool] = field(default_factory=list[bool])

    def tally_rows(self, checked: Iterable[CheckedRow]) -> Iterator[CheckedRow]:
        """Count each row on its way."""
        for one in checked:
            self.accepted.append(one.refusal is None)
            if one.refusal:
                self.rows.refused[one.refusal.reason] += 1
            else:
                self.rows.accepted += 1
            self.judged += bool(one.passed)
            self.disputed += any(0 < share < 1 for share in one.passed.values())
            yield one


def summarise_verdicts(tally: VerdictTally, shapes: ShapeCounts) -> dict[str, Any]:
    """The error analysis: how many rows were accepted, and refused by class and by reason."""
    refusals = [make_refusal(reason) for reason in tally.rows.refused.elements()]
    summary: dict[str, Any] = {
        "rows": tally.rows.received,
        "accepted": tally.rows.accepted,
        "refused": len(refusals),
        "by_class": count_error_classes(refusals),
        "by_reason": count_refusal_reasons(refusals),
    }
    if tally.judged:
        summary |= {"judged": tally.judged, "disputed": tally.disputed}
    if shapes.counts:
        summary["effective_shapes"] = round(shapes.effective_number(), 2)
    return summary
