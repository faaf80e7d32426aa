"""Marks in, the summary of an evaluation out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from kdos.arrays import Float64Array
from kdos.chance import keyed_generator
from kdos.errors import UsageError
from kdos.evaluate.marking import ScoredAnswer
from kdos.scoring import MeanInterval, bootstrap_mean, compare_paired_scores, macro_mean
from kdos.tasks import Grade

METRICS = ("em", "f1", "contains", "correct")
"""What a model is compared by; the last one is what we recommend."""
SummaryFields = dict[str, Any]


def summarise_evaluation(marks: Sequence[ScoredAnswer], *, random_seed: int) -> SummaryFields:
    """Counts, and means with their intervals over the scored questions; None where there are none.

    Where questions have groups, ``macro`` holds the means over groups. Where a judge graded,
    ``grades`` holds what it found.
    """
    scored = [mark for mark in marks if mark.scores is not None]
    columns = _metric_columns(scored)
    intervals = {
        name: bootstrap_mean(columns[name], keyed_generator(random_seed, "interval"))
        for name in METRICS
        if scored
    }
    why = Counter(mark.unscored.partition(":")[0] for mark in marks if mark.scores is None)
    return {
        "questions": len(marks),
        "answered": len(scored),
        "unscored": len(marks) - len(scored),
        **dict.fromkeys(METRICS),
        **{name: float(values.mean()) for name, values in columns.items()},
        "intervals": {name: [found.low, found.high] for name, found in intervals.items()},
        "unscored_reasons": dict(sorted(why.items())),
        **_summarise_losses(marks, random_seed),
        **_summarise_groups(scored, columns),
        **_summarise_grades(scored),
    }


def _metric_columns(scored: Sequence[ScoredAnswer]) -> dict[str, Float64Array]:
    """Each score that every mark has, shape (n_scored,)."""
    rows = [asdict(mark.scores) for mark in scored if mark.scores]
    names = [name for name in (rows[0] if rows else ()) if rows[0][name] is not None]
    return {
        name: np.array([row[name] for row in rows])
        for name in names
        if all(row[name] is not None for row in rows)
    }


def _summarise_losses(marks: Sequence[ScoredAnswer], random_seed: int) -> SummaryFields:
    """The mean loss over the questions, in nats a token, where losses were measured."""
    losses = [mark.loss for mark in marks if mark.loss is not None]
    if not losses:
        return {}
    found = bootstrap_mean(np.array(losses), keyed_generator(random_seed, "interval"))
    return {"loss": found.mean, "loss_interval": [found.low, found.high]}


def _summarise_groups(
    scored: Sequence[ScoredAnswer], columns: Mapping[str, Float64Array]
) -> SummaryFields:
    groups = [mark.question.group for mark in scored]
    if len(set(groups)) < 2:
        return {}
    macro = {name: macro_mean(columns[name], groups) for name in METRICS}
    return {"macro": {"groups": len(set(groups)), **macro}}


def _summarise_grades(scored: Sequence[ScoredAnswer]) -> SummaryFields:
    """The judge's grades, and SimpleQA's F: the harmonic mean of what is right of all and of tried.

    Empty where no judge was asked.
    """
    counts = Counter(mark.grade for mark in scored if mark.grade)
    if not counts:
        return {}
    right, wrong = counts[Grade.CORRECT], counts[Grade.INCORRECT]
    total = counts.total()
    shares = {grade.value: counts[grade] / total for grade in Grade}
    of_tried = right / max(right + wrong, 1)
    f_score = 2 * right / max(total + right + wrong, 1)
    return {"grades": {**shares, "correct_of_attempted": of_tried, "f": f_score}}


def compare_evaluations(
    ours: Mapping[str, Mapping[str, Any]],
    theirs: Mapping[str, Mapping[str, Any]],
    *,
    random_seed: int,
) -> SummaryFields:
    """Our rows of scores.jsonl against another evaluation's, both by id, where both are scored."""
    both = [name for name, row in ours.items() if "em" in row and "em" in theirs.get(name, {})]
    if not both:
        raise UsageError(
            "--against must be an evaluation of the same questions. No question is scored in both."
        )
    summary: SummaryFields = {"questions": len(both)}
    for metric in METRICS:
        mine, its = (np.array([float(rows[n][metric]) for n in both]) for rows in (ours, theirs))
        found = compare_paired_scores(mine, its, keyed_generator(random_seed, "against"))
        summary[metric] = {**_interval_fields(found.difference), "p_value": found.p_value}
    return summary


def _interval_fields(interval: MeanInterval) -> dict[str, float]:
    return {"difference": interval.mean, "low": interval.low, "high": interval.high}
