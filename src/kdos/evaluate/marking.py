"""Questions and answers in, marks out: each answer with its scores, or why it has none."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from kdos.pool import Refusal
from kdos.scoring import Question, Scores, score
from kdos.tasks import Ask, Grade, Request, ask_grade, ask_recall, in_order, read_grade, read_recall

NO_ANSWER = "no_answer"
NO_GOLD = "no_gold_answer"
Example = tuple[str, str]
"""A question with its answer, shown to the model before the one that it is asked."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What became of one question: scores, or in `unscored` the reason why there are none.

    `grade` is the judge's, where one was asked.
    """

    question: Question
    answer: str | None
    scores: Scores | None
    unscored: str = ""
    grade: Grade | None = None

    def row(self) -> dict[str, Any]:
        """The mark as its row of scores.jsonl."""
        row: dict[str, Any] = {"id": self.question.id, "answer": self.answer}
        if self.scores is None:
            return row | {"unscored": self.unscored}
        known = {name: value for name, value in asdict(self.scores).items() if value is not None}
        graded = {"grade": self.grade.value} if self.grade else {}
        grouped = {"group": self.question.group} if self.question.group else {}
        return row | known | graded | grouped


def mark_given(questions: Iterable[Question], answers: Mapping[str, str | None]) -> Iterator[Mark]:
    """A mark for every question, its answer looked up by id."""
    return (_mark(question, answers.get(question.id)) for question in questions)


def mark_asked(
    questions: Iterable[Question], *, ask: Ask, examples: Sequence[Example] = ()
) -> Iterator[Mark]:
    """A mark for every question, its answer asked of a model, in the questions' order."""
    asked = (
        (question, ask_recall(question.id, question=question.question, examples=examples))
        for question in questions
    )
    for question, reply in in_order(asked, ask=ask):
        assert reply is not None
        answer = read_recall(reply)
        if isinstance(answer, Refusal):
            yield Mark(question, None, None, f"{answer.reason}: {answer.detail}")
        else:
            yield _mark(question, answer)


def _mark(question: Question, answer: str | None) -> Mark:
    if answer is None:
        return Mark(question, None, None, NO_ANSWER)
    if not question.answers and not question.patterns:
        return Mark(question, answer, None, NO_GOLD)
    return Mark(question, answer, score(answer, question))


def grade_marks(marks: Iterable[Mark], *, ask: Ask) -> Iterator[Mark]:
    """The marks with a judge's grade; an answer whose grade cannot be read is unscored."""
    asked = ((mark, _grading(mark)) for mark in marks)
    for mark, reply in in_order(asked, ask=ask):
        grade = None if reply is None else read_grade(reply)
        if isinstance(grade, Refusal):
            yield replace(mark, scores=None, unscored=f"{grade.reason}: {grade.detail}")
        else:
            yield replace(mark, grade=grade)


def _grading(mark: Mark) -> Request | None:
    if mark.scores is None or mark.answer is None:
        return None
    question = mark.question
    return ask_grade(
        question.id, question=question.question, answers=question.answers, answer=mark.answer
    )
