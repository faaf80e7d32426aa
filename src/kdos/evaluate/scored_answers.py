"""Questions and answers in; each answer scored, or why it has no score, and the summary out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from kdos.arrays import Float64Array
from kdos.causal_lm import CausalModel
from kdos.chance import keyed_generator
from kdos.errors import UsageError
from kdos.pool import Refusal
from kdos.scoring import (
    AnswerScores,
    BenchmarkQuestion,
    ChoiceScores,
    SlowPatternError,
    bootstrap_mean,
    compare_paired_scores,
    macro_mean,
    score_answer,
)
from kdos.tasks import (
    LETTERS,
    Ask,
    Grade,
    Request,
    ask_grade,
    ask_recall,
    pair_replies_in_order,
    read_grade,
    read_recall,
)

METRICS = ("em", "f1", "contains", "correct")
"""What a model is compared by; the last one is what we recommend."""
CHOICE_METRICS = ("acc", "acc_norm", "correct")
"""The same for multiple choice: `correct` always, the others where likelihoods were measured."""
SummaryFields = dict[str, Any]
FewShotExample = tuple[str, str]
"""A question with its answer, shown to the model before the one that it is asked."""


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """What became of one question: scores, or in `unscored` the reason why there are none.

    `grade` is the judge's, where one was asked. `loss` is how unexpected the first gold answer is
    to the model, in nats a token, where the model's weights are at hand. Of multiple choice, `choice` is the place of
    the one that was chosen, and `log_likelihoods` are those of all, in nats, where they were measured.
    """

    question: BenchmarkQuestion
    answer: str | None
    scores: AnswerScores | ChoiceScores | None
    unscored: str = ""
    grade: Grade | None = None
    loss: float | None = None
    choice: int | None = None
    log_likelihoods: tuple[float, ...] | None = None

    def as_row(self) -> dict[str, Any]:
        """The answer as its row of scores.jsonl."""
        row: dict[str, Any] = {"id": self.question.id, "answer": self.answer}
        if self.scores is None:
            row["unscored"] = self.unscored
        else:
            row |= {name: value for name, value in asdict(self.scores).items() if value is not None}
        beside: dict[str, Any] = {"grade": self.grade, "loss": self.loss}
        beside |= self._choice_fields() if is_choice(self.question) else {"group": self.question.group}
        return row | {name: value for name, value in beside.items() if value not in (None, "")}

    def _choice_fields(self) -> dict[str, Any]:
        question = self.question
        letters = {"choice": self.choice, "right": question.right}
        return {
            **{name: None if place is None else LETTERS[place] for name, place in letters.items()},
            "log_likelihoods": self.log_likelihoods,
            "subject": question.group,
            "discipline": question.discipline,
        }


def is_choice(question: BenchmarkQuestion) -> bool:
    """Whether it is a multiple choice question, be it one that cannot be scored."""
    return bool(question.choices or question.fault)


def score_given_answers(
    questions: Iterable[BenchmarkQuestion], answers: Mapping[str, str | None]
) -> Iterator[ScoredAnswer]:
    """A scored answer for every question, its answer looked up by id."""
    return (_score_if_possible(question, answers.get(question.id)) for question in questions)


def score_model_answers(
    questions: Iterable[BenchmarkQuestion], *, ask: Ask, examples: Sequence[FewShotExample] = ()
) -> Iterator[ScoredAnswer]:
    """A scored answer for every question, its answer asked of a model, in the questions' order."""
    asked = ((question, _recall_request(question, examples)) for question in questions)
    for question, reply in pair_replies_in_order(asked, ask=ask):
        assert reply is not None
        answer = read_recall(reply)
        if isinstance(answer, Refusal):
            yield ScoredAnswer(question, None, None, f"{answer.reason}: {answer.detail}")
        else:
            yield _score_if_possible(question, answer)


def _recall_request(question: BenchmarkQuestion, examples: Sequence[FewShotExample]) -> Request:
    return ask_recall(question.id, question=question.question, examples=examples)


def _score_if_possible(question: BenchmarkQuestion, answer: str | None) -> ScoredAnswer:
    if answer is None:
        return ScoredAnswer(question, None, None, "no_answer")
    if not question.answers and not question.patterns:
        return ScoredAnswer(question, answer, None, "no_gold_answer")
    try:
        return ScoredAnswer(question, answer, score_answer(answer, question))
    except SlowPatternError as error:
        return ScoredAnswer(question, answer, None, f"slow_pattern: {error}")


def measure_losses(
    scored: Sequence[ScoredAnswer], model: CausalModel, *, examples: Sequence[FewShotExample] = ()
) -> list[ScoredAnswer]:
    """The answers with the loss of each question's first gold answer."""
    asked = [each.question for each in scored if each.question.answers]
    chats = [_recall_request(question, examples).messages for question in asked]
    golds = [question.answers[0] for question in asked]
    losses = iter(model.answer_losses(list(zip(chats, golds, strict=True))))
    return [replace(each, loss=next(losses).nats) if each.question.answers else each for each in scored]


def draw_examples(
    questions: Sequence[BenchmarkQuestion], shots: int, *, asked: Sequence[BenchmarkQuestion], random_seed: int
) -> list[FewShotExample]:
    """`shots` questions with their first answers, none of them among those that are asked."""
    known = {question.question for question in asked}
    usable = [one for one in questions if one.answers and one.question not in known]
    if len(usable) < shots:
        raise UsageError(
            f"--examples must hold {shots} questions that are not asked. Got {len(usable)}. "
            "Lower --shots, or give a training split."
        )
    drawn = keyed_generator(random_seed, "examples").choice(len(usable), shots, replace=False)
    return [(usable[number].question, usable[number].answers[0]) for number in drawn]


def grade_answers(scored: Iterable[ScoredAnswer], *, ask: Ask) -> Iterator[ScoredAnswer]:
    """The answers with a judge's grade; an answer whose grade cannot be read is unscored."""
    asked = ((each, _grade_request(each)) for each in scored)
    for each, reply in pair_replies_in_order(asked, ask=ask):
        grade = None if reply is None else read_grade(reply)
        if isinstance(grade, Refusal):
            yield replace(each, scores=None, unscored=f"{grade.reason}: {grade.detail}")
        else:
            yield replace(each, grade=grade)


def _grade_request(scored: ScoredAnswer) -> Request | None:
    question, answer = scored.question, scored.answer
    if scored.scores is None or answer is None:
        return None
    return ask_grade(question.id, question=question.question, answers=question.answers, answer=answer)


def summarise_evaluation(answers: Sequence[ScoredAnswer], *, random_seed: int) -> SummaryFields:
    """Counts, and means with their intervals over the scored questions; None where there are none.

    Where questions have groups, ``macro`` holds the means over groups. Where a judge graded,
    ``grades`` holds what it found. Of multiple choice, ``subject`` and ``discipline`` hold the shares by each.
    """
    are_choices = any(is_choice(each.question) for each in answers)
    metrics = CHOICE_METRICS if are_choices else METRICS
    scored = [each for each in answers if each.scores is not None]
    columns = _metric_columns(scored)
    intervals: dict[str, list[float]] = {}
    for name in [name for name in metrics if name in columns]:
        found = bootstrap_mean(columns[name], keyed_generator(random_seed, "interval"))
        intervals[name] = [found.low, found.high]
    why = Counter(each.unscored.partition(":")[0] for each in answers if each.scores is None)
    return {
        "questions": len(answers),
        "answered": len(scored),
        "unscored": len(answers) - len(scored),
        **dict.fromkeys(("correct",) if are_choices else METRICS),
        **{name: float(values.mean()) for name, values in columns.items()},
        "intervals": intervals,
        "unscored_reasons": dict(sorted(why.items())),
        **_summarise_losses(answers, random_seed),
        **_summarise_groups(scored, {name: columns[name] for name in metrics if name in columns}),
        **(_summarise_subjects(answers) if are_choices else {}),
        **_summarise_grades(scored),
    }


def _metric_columns(scored: Sequence[ScoredAnswer]) -> dict[str, Float64Array]:
    """Each score that every answer has, shape (n_scored,)."""
    rows = [asdict(each.scores) for each in scored if each.scores]
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    return {name: np.array(values) for name, values in columns.items() if None not in values}


def _summarise_losses(answers: Sequence[ScoredAnswer], random_seed: int) -> SummaryFields:
    """The mean loss over the questions, in nats a token, where losses were measured."""
    losses = [each.loss for each in answers if each.loss is not None]
    if not losses:
        return {}
    found = bootstrap_mean(np.array(losses), keyed_generator(random_seed, "interval"))
    return {"loss": found.mean, "loss_interval": [found.low, found.high]}


def _summarise_groups(scored: Sequence[ScoredAnswer], columns: Mapping[str, Float64Array]) -> SummaryFields:
    groups = [each.question.group for each in scored]
    if len(set(groups)) < 2:
        return {}
    macro = {name: macro_mean(values, groups) for name, values in columns.items()}
    return {"macro": {"groups": len(set(groups)), **macro}}


def _summarise_subjects(answers: Sequence[ScoredAnswer]) -> SummaryFields:
    """The share of right answers by subject, and by discipline with the mean over its subjects; None of none scored.

    Left out where the questions have no such field.
    """
    parts: dict[str, dict[str, list[ScoredAnswer]]] = {"subject": {}, "discipline": {}}
    for each in answers:
        for part, name in (("subject", each.question.group), ("discipline", each.question.discipline)):
            parts[part].setdefault(name, []).append(each)
    found = {
        part: {name: _summarise_part(among, part) for name, among in sorted(named.items()) if name}
        for part, named in parts.items()
    }
    return {part: named for part, named in found.items() if named}


def _summarise_part(answers: Sequence[ScoredAnswer], part: str) -> SummaryFields:
    """The share of right answers among those of one subject or discipline; of the latter, its subjects too."""
    scored = [(each.scores.correct, each.question.group) for each in answers if each.scores is not None]
    correct, groups = np.array([right for right, _ in scored]), [group for _, group in scored]
    summary = {
        "questions": len(answers),
        "answered": len(scored),
        "correct": float(correct.mean()) if scored else None,
    }
    if part == "subject":
        return summary
    return {**summary, "subjects": len(set(groups)), "macro": macro_mean(correct, groups) if scored else None}


def _summarise_grades(scored: Sequence[ScoredAnswer]) -> SummaryFields:
    """The judge's grades, and SimpleQA's F: the harmonic mean of what is right of all and of tried.

    Empty where no judge was asked.
    """
    counts = Counter(each.grade for each in scored if each.grade)
    if not counts:
        return {}
    right, wrong = counts[Grade.CORRECT], counts[Grade.INCORRECT]
    total = counts.total()
    shares = {grade.value: counts[grade] / total for grade in Grade}
    of_tried = right / max(right + wrong, 1)
    f_score = 2 * right / max(total + right + wrong, 1)
    return {"grades": {**shares, "correct_of_attempted": of_tried, "f": f_score}}


def compare_evaluations(
    ours: Mapping[str, Mapping[str, Any]], theirs: Mapping[str, Mapping[str, Any]], *, random_seed: int
) -> SummaryFields:
    """Our rows of scores.jsonl against another evaluation's, both by id, where both are scored."""
    both = [name for name, row in ours.items() if "correct" in row and "correct" in theirs.get(name, {})]
    if not both:
        raise UsageError("--against must be an evaluation of the same questions. No question is scored in both.")
    summary: SummaryFields = {"questions": len(both)}
    for metric in dict.fromkeys(METRICS + CHOICE_METRICS):
        if not all(metric in rows[name] for rows in (ours, theirs) for name in both):
            continue
        mine, its = (np.array([float(rows[n][metric]) for n in both]) for rows in (ours, theirs))
        found = compare_paired_scores(mine, its, keyed_generator(random_seed, "against"))
        between = found.difference
        fields = {"difference": between.mean, "low": between.low, "high": between.high}
        summary[metric] = {**fields, "p_value": found.p_value}
    return summary
