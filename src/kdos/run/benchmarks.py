"""The questions that no sample may be: read, looked for in other words, and reported."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kdos.arrays import Float32Array
from kdos.artifacts import RunFolder
from kdos.checks import AnsweredQuestion, BenchmarkIndex, find_paraphrases, make_refusal
from kdos.density.stream import EmbedTexts
from kdos.evaluate import open_benchmark
from kdos.pool import Draft, Refusal
from kdos.scoring import BenchmarkQuestion


def read_benchmark_questions(names: Sequence[str]) -> list[BenchmarkQuestion]:
    """All questions of these files, or of benchmarks known by name."""
    return [question for name in names for question in open_benchmark(name)]


def index_benchmarks(questions: Sequence[BenchmarkQuestion]) -> BenchmarkIndex | None:
    """The questions by their words; None where there are none."""
    benchmarks = BenchmarkIndex()
    for each in questions:
        benchmarks.add_question(each.question, each.answers, name=_question_name(each))
    return benchmarks or None


def paraphrase_check(
    questions: Sequence[BenchmarkQuestion], embed: EmbedTexts
) -> Callable[[Sequence[Draft]], list[Refusal | None]]:
    """A check of many drafts at once by the vectors of their questions."""
    theirs = [AnsweredQuestion(each.question, each.answers) for each in questions]
    vectors = _unit_vectors(embed([each.question for each in questions]))

    def refusals(drafts: Sequence[Draft]) -> list[Refusal | None]:
        if not drafts:
            return []
        ours = [AnsweredQuestion(each.question, [each.answer]) for each in drafts]
        our_vectors = _unit_vectors(embed([each.question for each in drafts]))
        found = find_paraphrases(ours, theirs, our_vectors=our_vectors, their_vectors=vectors)
        same = {one.row: questions[one.other] for one in found}
        return [_contaminated(same[row]) if row in same else None for row in range(len(drafts))]

    return refusals


def decontamination_report(folder: RunFolder, benchmarks: BenchmarkIndex) -> dict[str, Any]:
    """What was looked for and what was removed: ``decontamination.json``."""
    removed = [
        {"draft": row["draft"], "question": row["question"], "is": row["detail"]}
        for verdicts in folder.read_rounds("verdicts", ["draft", "question", "reason", "detail"])
        for row in verdicts.to_pylist()
        if row["reason"] == "contaminated"
    ]
    drafts = Counter(each["is"].partition(":")[0] for each in removed)
    sizes = benchmarks.count_by_benchmark()
    return {
        "benchmarks": {name: {"questions": n, "drafts": drafts[name]} for name, n in sizes.items()},
        "removed": removed,
    }


def _question_name(question: BenchmarkQuestion) -> str:
    return f"{question.benchmark}:{question.id}"


def _contaminated(question: BenchmarkQuestion) -> Refusal:
    return make_refusal("contaminated", f"{_question_name(question)}: {question.question}")


def _unit_vectors(vectors: Float32Array) -> Float32Array:
    """The vectors at length one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
