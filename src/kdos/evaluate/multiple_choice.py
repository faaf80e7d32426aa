"""Multiple choice questions and answers in, or a model that chooses; each scored, or why not, and the summary out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kdos.causal_lm import CausalModel
from kdos.errors import UsageError
from kdos.evaluate.exam_prompts import find_languages, letter_prompt, text_prompt
from kdos.evaluate.scored_answers import ScoredAnswer
from kdos.pool import Refusal
from kdos.scoring import BenchmarkQuestion, ChoiceScores, attempts_answer
from kdos.tasks import (
    LETTERS,
    Ask,
    Request,
    ask_choice,
    match_choice_text,
    pair_replies_in_order,
    read_choice,
    read_recall,
)

UNREADABLE_CHARS = 60
"""Characters of an answer that nobody can read which are shown."""
LIKELIHOODS_OF = ("letters", "texts")
"""What a model may be asked the likelihood of: the letters of choices that it is shown, or texts that it is not."""
FindExamples = Callable[[BenchmarkQuestion], Sequence[BenchmarkQuestion]]
"""The solved questions that are shown before a question."""


def is_multiple_choice(questions: Sequence[BenchmarkQuestion], name: str) -> bool:
    """Whether a benchmark's questions have choices: all, or none."""
    kinds = {bool(question.choices or question.fault) for question in questions}
    if len(kinds) > 1:
        raise UsageError(f"the questions of {name} must all have choices, or none. Got both. Evaluate them apart.")
    return kinds == {True}


def find_shown_examples(
    known: Sequence[BenchmarkQuestion], shots: int, *, asked: Sequence[BenchmarkQuestion]
) -> FindExamples:
    """The first `shots` questions of each subject that are not asked, as MMLU's own evaluation shows them.

    Where nothing is known of subjects on one side, the first of all.
    """
    taken = {(one.question, one.choices) for one in asked}
    usable = [one for one in known if one.right is not None and (one.question, one.choices) not in taken]
    has_subjects = any(one.group for one in usable) and any(one.group for one in asked)
    by_subject: dict[str, list[BenchmarkQuestion]] = {}
    for one in usable:
        by_subject.setdefault(one.group if has_subjects else "", []).append(one)
    subjects = dict.fromkeys(one.group if has_subjects else "" for one in asked)
    for subject in subjects:
        if (got := len(by_subject.get(subject, []))) < shots:
            of = f" of the subject {subject!r}" if subject else ""
            raise UsageError(
                f"--examples must hold {shots} multiple choice questions{of} that are not asked. Got {got}. "
                "Lower --shots, or give a training split."
            )
    return lambda question: by_subject.get(question.group if has_subjects else "", [])[:shots]


def show_no_examples(question: BenchmarkQuestion) -> Sequence[BenchmarkQuestion]:
    """None: the question is asked alone."""
    del question
    return ()


def score_given_choices(
    questions: Iterable[BenchmarkQuestion], answers: Mapping[str, str | int | None]
) -> Iterator[ScoredAnswer]:
    """A scored answer for every question, its answer looked up by id: a letter, a label, a number or a text."""
    for question in questions:
        answer = answers.get(question.id)
        said = None if answer is None else str(answer)
        if (why := question.fault) or said is None:
            yield ScoredAnswer(question, said, None, why or "no_answer")
        else:
            yield _score_choice(question, said, _read_given(said, question, is_number=isinstance(answer, int)))


def _read_given(said: str, question: BenchmarkQuestion, *, is_number: bool) -> list[int]:
    """The places of the choices that a given answer may mean: labels, what it says, and texts where it is text."""
    told = said.strip()
    labelled = [place for place, label in enumerate(question.labels) if label.casefold() == told.casefold()]
    if is_number:
        return labelled
    if told.isdecimal():  # 1 may be the number of a choice and the text of another
        return sorted({*labelled, *match_choice_text(question.choices, told)})
    read = read_choice(said, question.choices)
    return labelled or (match_choice_text(question.choices, told) if read is None else [read])


def score_model_choices(
    questions: Sequence[BenchmarkQuestion], *, ask: Ask, examples: FindExamples = show_no_examples
) -> Iterator[ScoredAnswer]:
    """A scored answer for every question, its letter asked of a model, in the questions' order."""
    asked = ((one, None if one.fault else _choice_request(one, examples(one))) for one in questions)
    for question, reply in pair_replies_in_order(asked, ask=ask):
        if reply is None:
            yield ScoredAnswer(question, None, None, question.fault)
            continue
        answer = read_recall(reply)
        if isinstance(answer, Refusal):
            yield ScoredAnswer(question, None, None, f"{answer.reason}: {answer.detail}")
        else:
            place = read_choice(answer, question.choices)
            yield _score_choice(question, answer, [] if place is None else [place])


def _choice_request(question: BenchmarkQuestion, examples: Sequence[BenchmarkQuestion]) -> Request:
    shown = [(one.question, one.choices, one.right) for one in examples if one.right is not None]
    return ask_choice(question.id, question=question.question, choices=question.choices, examples=shown)


def _score_choice(question: BenchmarkQuestion, answer: str, places: Sequence[int]) -> ScoredAnswer:
    """An answer's scores where it names one choice, or none because it says that it does not know."""
    if len(places) == 1:
        scores = ChoiceScores(correct=float(places[0] == question.right), attempted=1.0)
        return ScoredAnswer(question, answer, scores, choice=places[0])
    if not places and not attempts_answer(answer):
        return ScoredAnswer(question, answer, ChoiceScores(0.0, 0.0))
    reason = "ambiguous_answer" if places else "unreadable_answer"
    return ScoredAnswer(question, answer, None, f"{reason}: {answer[:UNREADABLE_CHARS]}")


@dataclass(frozen=True, slots=True)
class ChoiceLikelihoods:
    """The log-likelihood of each choice, in nats, and the numbers of characters that they are divided by."""

    nats: tuple[float, ...]
    lengths: tuple[int, ...]

    @property
    def likeliest(self) -> int:
        """The place of the likeliest choice; the first of several."""
        return int(np.argmax(self.nats))

    @property
    def likeliest_by_length(self) -> int:
        """The place of the choice whose characters are likeliest on the average."""
        return int(np.argmax(np.array(self.nats) / np.array(self.lengths)))


def score_likely_choices(
    questions: Sequence[BenchmarkQuestion],
    model: CausalModel,
    *,
    of: str = "letters",
    examples: FindExamples = show_no_examples,
) -> list[ScoredAnswer]:
    """A scored answer for every question: the choice whose letter, or whose text, is likeliest to the model.

    `correct` is `acc` of letters, and `acc_norm` of texts, where what is longer would be less likely.
    """
    languages = find_languages(questions)
    asked = [one for one in questions if not one.fault]
    make = letter_prompt if of == "letters" else text_prompt
    prompts = [make(one, languages[one.benchmark], examples(one)) for one in asked]
    ends = [LETTERS[: len(one.choices)] if of == "letters" else one.choices for one in asked]
    pairs = [(prompt, [f" {end}" for end in each]) for prompt, each in zip(prompts, ends, strict=True)]
    found = iter(model.continuation_likelihoods(pairs))
    scored: list[ScoredAnswer] = []
    for one in questions:
        if one.fault:
            scored.append(ScoredAnswer(one, None, None, one.fault))
        else:
            lengths = (1,) * len(one.choices) if of == "letters" else tuple(map(len, one.choices))
            scored.append(_score_likelihoods(one, ChoiceLikelihoods(tuple(next(found)), lengths), of=of))
    return scored


def _score_likelihoods(question: BenchmarkQuestion, found: ChoiceLikelihoods, *, of: str) -> ScoredAnswer:
    place = found.likeliest if of == "letters" else found.likeliest_by_length
    acc = float(found.likeliest == question.right)
    acc_norm = None if of == "letters" else float(found.likeliest_by_length == question.right)
    scores = ChoiceScores(acc if acc_norm is None else acc_norm, 1.0, acc, acc_norm)
    answer = LETTERS[place] if of == "letters" else question.choices[place]
    return ScoredAnswer(question, answer, scores, choice=place, log_likelihoods=found.nats)
