"""The second call: judges who see the passage, and attempts that do not see the answer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from kdos.checks import check_attempts_agree, combine_judgements
from kdos.pool import Passage, Refusal
from kdos.tasks import (
    CHECKS,
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
from kdos.verify.items import QuestionRow
from kdos.verify.verify import CheckedRow


@dataclass(frozen=True, slots=True)
class ReviewPanel:
    """How many judges see each row, and how many attempts answer it; 0 asks none."""

    judges: int = 1
    attempts: int = 0


def review_rows(
    checked: Iterable[CheckedRow], panel: ReviewPanel, *, ask: Ask
) -> Iterator[CheckedRow]:
    """Each item after judges and attempts; what was refused before is asked nothing."""
    asked = ((one, request) for one in checked for request in _requests(one, panel))
    answered = pair_replies_in_order(asked, ask=ask)
    for _, group in groupby(answered, key=lambda pair: pair[0].row.row):
        pairs = list(group)
        yield _ruled(pairs[0][0], [reply for _, reply in pairs if reply is not None])


def _requests(one: CheckedRow, panel: ReviewPanel) -> Iterator[Request | None]:
    """What to ask about an item; None, once, where there is nothing to ask."""
    if one.refusal is not None or panel.judges + panel.attempts == 0:
        yield None
        return
    passages = _row_passages(one.row)
    for number in range(panel.judges):
        yield _of_row(ask_judgement(one.row.draft, passages=passages, judge=number), one.row)
    for number in range(panel.attempts):
        yield _of_row(ask_answer(one.row.draft, passages=passages, attempt=number), one.row)


def _of_row(request: Request, item: QuestionRow) -> Request:
    """The request named by the row: ids of a foreign table may repeat."""
    return replace(request, id=f"{item.row}/{request.id}")


def _ruled(one: CheckedRow, replies: list[Reply]) -> CheckedRow:
    """The item after all that was said about it."""
    if not replies:
        return one
    judged: list[Judgement | Refusal] = [
        read_judgement(reply) for reply in replies if reply.request.task == "judge"
    ]
    attempts = [read_answer(reply) for reply in replies if reply.request.task == "answer"]
    names = CHECKS.keys() | _row_criteria(one.row)
    ruling = (
        combine_judgements(judged, passages=_row_passages(one.row), names=names) if judged else None
    )
    refusal = ruling.refusal if ruling else None
    if refusal is None and attempts:
        refusal = check_attempts_agree(one.row.answers, attempts)
    return replace(one, refusal=refusal, passed=ruling.passed if ruling else {})


def _row_criteria(item: QuestionRow) -> set[str]:
    """The criteria that a row can be judged by: those for parts that it has."""
    draft = item.draft
    names = {"supported"}
    names |= {"knowledge_points_true", "entailed"} if draft.knowledge_points else set()
    names |= {"logic_valid"} if draft.logic else set()
    return names | ({"distractors_valid"} if draft.distractors else set())


def _row_passages(item: QuestionRow) -> list[Passage]:
    return [item.passage] if item.passage else []
