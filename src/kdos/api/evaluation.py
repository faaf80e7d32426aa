"""Closed-book evaluation from Python: score given answers, or ask a model."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kdos.causal_lm import CausalModel
from kdos.config import EngineConfig
from kdos.errors import UsageError
from kdos.evaluate import (
    LEDGER_FILE,
    LIKELIHOODS_OF,
    FewShotExample,
    FindExamples,
    ScoredAnswer,
    compare_evaluations,
    draw_examples,
    find_benchmark_fields,
    find_shown_examples,
    grade_answers,
    is_multiple_choice,
    measure_losses,
    open_benchmark,
    place_questions,
    read_evaluation,
    read_given_answers,
    score_given_answers,
    score_given_choices,
    score_likely_choices,
    score_model_answers,
    score_model_choices,
    show_no_examples,
    summarise_by_density,
    summarise_evaluation,
    tabulate_by_cell,
    write_evaluation,
)
from kdos.llm import HttpEngine, Ledger
from kdos.llm.reply_store import holds_paid_replies
from kdos.outputs import EVALUATION, claim_folder
from kdos.scoring import BenchmarkQuestion
from kdos.terminal import print_status

MAX_TOKENS = 4096
"""Room for a reply, with what a reasoning model thinks before it."""
SHOTS = 5
"""Examples before each question where a file of them is given: what the papers use for most."""


def answering_engine(url: str, model: str, *, key_env: str | None = None, concurrency: int = 64) -> EngineConfig:
    """A model behind a server, set so that it gives its likeliest answer."""
    return EngineConfig(
        "http", url, model, key_env=key_env, concurrency=concurrency, temperature=0.0, max_tokens=MAX_TOKENS
    )


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who answers: rows of `id` and `answer` in a file, a server, or a causal model; one of them.

    `judge` is a server whose model grades the answers.
    """

    answers: Path | None = None
    engine: EngineConfig | None = None
    transformers: str | None = None
    judge: EngineConfig | None = None


def evaluate(
    benchmark: str,
    out: str | Path,
    answerer: Answerer,
    *,
    limit: int = 0,
    examples: str | None = None,
    shots: int = SHOTS,
    against: str | Path | None = None,
    run: str | Path | None = None,
    random_seed: int = 0,
    likelihood_of: str | None = None,
) -> dict[str, Any]:
    """Score a model, or given answers, on a benchmark; returns the summary.

    Args:
        benchmark: A file or folder of rows with `id`, `question` and `answers`, or a known name. Rows that hold
            choices too are multiple choice.
        out: The folder for the scores of every question, the summary and the ledger.
        answerer: Who answers, and who grades.
        limit: Only the first so many questions; 0 for all.
        examples: A file or name of questions of a training split, shown as examples.
        shots: How many examples before each question.
        against: The folder of another evaluation to compare with.
        run: The folder of a run on whose map the questions are placed.
        random_seed: Draws examples, and the samples of intervals.
        likelihood_of: What a causal model chooses by, of multiple choice: `letters` of choices that are shown to it,
            which it does where nothing is said, or `texts` of choices that are not.

    Raises:
        UsageError: An argument is out of its range, or nothing is known by the name.
        InputError: A file cannot be read as questions or answers.
    """
    started = time.monotonic()
    _check_arguments(limit=limit, shots=shots)
    inputs = (benchmark, examples, against, run, answerer.answers, answerer.transformers)
    ledger = Path(out) / LEDGER_FILE
    with claim_folder(out, EVALUATION, inputs=inputs, is_kept=lambda: holds_paid_replies(ledger)) as folder:
        theirs = read_evaluation(Path(against)) if against else {}
        questions = open_benchmark(benchmark, limit=limit)
        exam = is_multiple_choice(questions, benchmark)
        _check_exam(answerer, likelihood_of, is_exam=exam)
        places = place_questions(questions, Path(run)) if run else None
        known = open_benchmark(examples, option="--examples") if examples else []
        if exam:
            show = find_shown_examples(known, shots, asked=questions) if examples else show_no_examples
            scored = _score_exam(questions, answerer, show, folder, likelihood_of or LIKELIHOODS_OF[0])
        else:
            shown = draw_examples(known, shots, asked=questions, random_seed=random_seed) if examples else []
            scored = _score_questions(questions, answerer, shown, folder)
        rows = [one.as_row() | (places.as_row(n) if places else {}) for n, one in enumerate(scored)]
        summary = summarise_evaluation(scored, random_seed=random_seed)
        summary["fields"] = find_benchmark_fields(benchmark)
        if against:
            ours = {str(row["id"]): row for row in rows}
            summary["against"] = compare_evaluations(ours, theirs, random_seed=random_seed)
        if places:
            summary["by_density"] = summarise_by_density(rows, places, theirs)
        cells = tabulate_by_cell(rows, places, theirs) if places else None
        write_evaluation(folder, rows, summary, cells=cells)
    return summary | {"seconds": round(time.monotonic() - started, 3)}


def _check_arguments(*, limit: int, shots: int) -> None:
    """Refuse what cannot be meant, before anything is read."""
    for name, value in (("limit", limit), ("shots", shots)):
        if value < 0:
            raise UsageError(f"--{name} must be 0 or more. Got {value}.")


def _check_exam(answerer: Answerer, likelihood_of: str | None, *, is_exam: bool) -> None:
    """Refuse what only open questions have, or only multiple choice."""
    if is_exam and answerer.judge:
        raise UsageError(
            "--judge-endpoint grades answers to open questions. The benchmark is multiple choice: drop it."
        )
    if likelihood_of is None:
        return
    if likelihood_of not in LIKELIHOODS_OF:
        raise UsageError(f"--likelihood-of must be {' or '.join(LIKELIHOODS_OF)}. Got {likelihood_of!r}.")
    if not (is_exam and answerer.transformers):
        raise UsageError("--likelihood-of needs multiple choice questions, and --transformers to choose. Drop it.")


def _score_exam(
    questions: Sequence[BenchmarkQuestion], answerer: Answerer, examples: FindExamples, out: Path, likelihood_of: str
) -> list[ScoredAnswer]:
    """The choices that were given, or a model's, scored."""
    if answerer.answers:
        answers = _read_answer_file(answerer.answers, questions, are_choices=True)
        return list(score_given_choices(questions, answers))
    if answerer.transformers:
        return score_likely_choices(questions, CausalModel(answerer.transformers), of=likelihood_of, examples=examples)
    assert answerer.engine is not None
    with Ledger(out / LEDGER_FILE) as ledger, HttpEngine(answerer.engine) as engine:
        return list(score_model_choices(questions, ask=partial(ledger.ask, engine), examples=examples))


def _score_questions(
    questions: Sequence[BenchmarkQuestion], answerer: Answerer, examples: Sequence[FewShotExample], out: Path
) -> list[ScoredAnswer]:
    """The answers that were given, or a model's, scored; graded where a judge is named."""
    if answerer.answers and not answerer.judge:
        return _score_answer_file(answerer.answers, questions)
    with Ledger(out / LEDGER_FILE) as ledger:
        if answerer.answers:
            scored = _score_answer_file(answerer.answers, questions)
        elif answerer.transformers:
            model = CausalModel(answerer.transformers)
            ask = partial(ledger.ask, model)
            scored = list(score_model_answers(questions, ask=ask, examples=examples))
            scored = measure_losses(scored, model, examples=examples)
        else:
            assert answerer.engine is not None
            with HttpEngine(answerer.engine) as engine:
                ask = partial(ledger.ask, engine)
                scored = list(score_model_answers(questions, ask=ask, examples=examples))
        if answerer.judge is None:
            return scored
        with HttpEngine(answerer.judge) as judge:
            return list(grade_answers(scored, ask=partial(ledger.ask, judge)))


def _score_answer_file(path: Path, questions: Sequence[BenchmarkQuestion]) -> list[ScoredAnswer]:
    """The answers of a file, looked up by id and scored."""
    answers = {
        name: answer for name, answer in _read_answer_file(path, questions).items() if not isinstance(answer, int)
    }
    return list(score_given_answers(questions, answers))


def _read_answer_file(
    path: Path, questions: Sequence[BenchmarkQuestion], *, are_choices: bool = False
) -> dict[str, str | int | None]:
    """The answers of a file by id; says how many belong to no question."""
    answers = read_given_answers(path, are_choices=are_choices)
    unknown = len(answers.keys() - {question.id for question in questions})
    if unknown:
        print_status(f"{unknown} answers belong to no question of the benchmark and are left out")
    return answers
