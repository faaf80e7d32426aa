"""One question with its gold answers, and every score of one answer: ours, and those of papers."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from kdos.checks.abstentions import declines_to_answer
from kdos.scoring.answer_matching import is_correct_answer
from kdos.scoring.gold_patterns import finds_gold_pattern

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_ARTICLE_WORDS = frozenset(["a", "an", "the"])
_SIGN_AT_ARTICLE = re.compile(r"[^\w\s](?:(?<=\ba.)|(?<=\ban.)|(?<=\bthe.)|(?=(?:an?|the)\b))")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_PUNCTUATION_RUN = re.compile("[!-/:-@\\[-`{-~]+")
_HARNESS_ARTICLES = re.compile(r"[TtAa](?<!\w.)(?:(?<=[Tt])he|(?<=[Aa])n?) ")
CACHED_TEXTS = 1 << 10


@dataclass(frozen=True, slots=True)
class BenchmarkQuestion:
    """A benchmark's question: any one of `answers` is right, or what a pattern of `patterns` finds.

    `group` is what macro averages are taken over: the relation in EntityQuestions, the subject in MMLU; a `discipline`
    holds several subjects.

    A multiple choice question has `choices`, each told by one of `labels`, of which the one at `right` is right;
    without it, `fault` says why nothing can be scored.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    patterns: tuple[str, ...] = ()
    benchmark: str = ""
    group: str = ""
    discipline: str = ""
    choices: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    right: int | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """The scores of one answer, each in [0, 1]; `correct` is the one we recommend.

    `em_harness` is lm-evaluation-harness's own, None for benchmarks it does not have.
    """

    em: float
    f1: float
    contains: float
    correct: float
    attempted: float
    em_harness: float | None = None


@dataclass(frozen=True, slots=True)
class ChoiceScores:
    """The scores of one answer to a multiple choice question, each in [0, 1].

    `acc` is that of the likeliest choice, `acc_norm` that of the likeliest by character: the names that
    lm-evaluation-harness has for them. None where no likelihood was measured, or none that depends on length.
    """

    correct: float
    attempted: float
    acc: float | None = None
    acc_norm: float | None = None


def score_answer(answer: str, question: BenchmarkQuestion) -> AnswerScores:
    """Every score of an answer. An answer that says it has none is not correct.

    Raises:
        SlowPatternError: A pattern of the question takes too long on the answer.
    """
    tried = attempts_answer(answer)
    if question.patterns:
        return _score_by_pattern(answer, question.patterns, tried=tried)
    golds = question.answers
    return AnswerScores(
        em=exact_match(answer, golds),
        f1=token_f1(answer, golds),
        contains=contains_gold_answer(answer, golds),
        correct=float(tried and is_correct_answer(answer, golds, question=question.question)),
        attempted=float(tried),
        em_harness=harness_match(answer, golds, question.benchmark),
    )


def _score_by_pattern(answer: str, patterns: tuple[str, ...], *, tried: bool) -> AnswerScores:
    """Scores where regular expressions say what is right, as in CuratedTREC.

    There are no tokens to count, so F1 is `em`.
    """
    whole = float(any(finds_gold_pattern(pattern, answer.strip(), whole=True) for pattern in patterns))
    found = float(any(finds_gold_pattern(pattern, answer, whole=False) for pattern in patterns))
    return AnswerScores(whole, whole, found, found * tried, float(tried))


def attempts_answer(answer: str) -> bool:
    """Whether the answer commits itself: its first sentence says anything but that it cannot."""
    return bool(answer.strip()) and not declines_to_answer(answer)


def _normalise_like_squad(text: str) -> str:
    """No case, no ASCII punctuation, no English articles, single spaces (Rajpurkar et al., 2016).

    Natural Questions, TriviaQA and their successors took it over from SQuAD's script.
    """
    return " ".join(_squad_tokens(text))


@lru_cache(maxsize=CACHED_TEXTS)
def _squad_tokens(text: str) -> tuple[str, ...]:
    """The words of SQuAD's normal form; kept for the three scores that are made of one answer's."""
    plain = _strip_punctuation(text.lower())
    words = plain.split()
    # To search all words for articles takes five times as long as to leave out those that are one.
    if _SIGN_AT_ARTICLE.search(plain):
        words = _ARTICLES.sub(" ", plain).split()
    return tuple([word for word in words if word not in _ARTICLE_WORDS])


def _strip_punctuation(text: str) -> str:
    """The text without ASCII punctuation; each way is the fastest for its texts."""
    return text.translate(_PUNCTUATION) if text.isascii() else _PUNCTUATION_RUN.sub("", text)


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """1.0 where the answer is one of the gold answers, else 0.0."""
    return float(_squad_tokens(answer) in map(_squad_tokens, golds))


def token_f1(answer: str, golds: Sequence[str]) -> float:
    """Harmonic mean of token precision and recall against the best gold answer, in [0, 1]."""
    tokens = _squad_tokens(answer)
    counts = Counter(tokens)
    return max((_f1_of_tokens(counts, len(tokens), _squad_tokens(gold)) for gold in golds), default=0.0)


def _f1_of_tokens(counts: Counter[str], size: int, gold: Sequence[str]) -> float:
    """F1 of `size` tokens, counted, against a gold answer's."""
    if not size or not gold:
        return float(size == len(gold))
    common = sum(min(number, counts[token]) for token, number in Counter(gold).items())
    return 2 * common / (size + len(gold))


def contains_gold_answer(answer: str, golds: Sequence[str]) -> float:
    """1.0 where a gold answer stands in the answer as words of its own, else 0.0."""
    padded = f" {_normalise_like_squad(answer)} "
    found = (_normalise_like_squad(gold) for gold in golds)
    return float(any(gold and f" {gold} " in padded for gold in found))


def harness_match(answer: str, golds: Sequence[str], benchmark: str) -> float | None:
    """What lm-evaluation-harness 0.4.13 scores this answer, None for benchmarks it does not have.

    `nq_open` and `triviaqa` are its exact match of the generated text without the space around it. Its `webquestions`
    asks whether a gold answer is what greedy decoding begins with: on text, whether one is a prefix.
    """
    match benchmark:
        case "nq_open":
            golds = [_HARNESS_ARTICLES.sub("", gold) for gold in golds]
            return _harness_exact_match(_HARNESS_ARTICLES.sub("", answer.strip()), golds)
        case "triviaqa":
            return _harness_exact_match(answer.strip(), golds)
        case "webquestions":
            return float(any(answer.startswith(gold) for gold in golds))
        case _:
            return None


def _harness_exact_match(answer: str, golds: Sequence[str]) -> float:
    bare = [_strip_punctuation(text.lower()) for text in (answer, *golds)]
    return float(bare[0] in bare[1:])
