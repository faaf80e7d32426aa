"""The metrics that papers report: exact match, token F1 and containment, over all gold answers.

Normalisation is that of SQuAD's script (Rajpurkar et al., 2016), which Natural Questions, TriviaQA
and their successors took over: no case, no ASCII punctuation, no English articles, single spaces.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_HARNESS_ARTICLES = re.compile(r"\b(?:The |the |An |A |The |a |an )")


def normalise_like_squad(text: str) -> str:
    """The text as SQuAD compares it."""
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """1.0 where the answer is one of the gold answers, else 0.0."""
    return float(normalise_like_squad(answer) in {normalise_like_squad(gold) for gold in golds})


def token_f1(answer: str, golds: Sequence[str]) -> float:
    """Harmonic mean of token precision and recall against the best gold answer, in [0, 1]."""
    tokens = normalise_like_squad(answer).split()
    return max(
        (_f1_of_tokens(tokens, normalise_like_squad(gold).split()) for gold in golds), default=0.0
    )


def _f1_of_tokens(tokens: Sequence[str], gold: Sequence[str]) -> float:
    if not tokens or not gold:
        return float(tokens == gold)
    common = (Counter(tokens) & Counter(gold)).total()
    return 2 * common / (len(tokens) + len(gold))


def contains_gold_answer(answer: str, golds: Sequence[str]) -> float:
    """1.0 where a gold answer stands in the answer as words of its own, else 0.0."""
    padded = f" {normalise_like_squad(answer)} "
    found = (normalise_like_squad(gold) for gold in golds)
    return float(any(gold and f" {gold} " in padded for gold in found))


def harness_match(answer: str, golds: Sequence[str], benchmark: str) -> float | None:
    """What lm-evaluation-harness 0.4.13 scores this answer, None for benchmarks it does not have.

    `nq_open` and `triviaqa` are its exact match of the generated text without the space around it.
    Its `webquestions` asks whether a gold answer is what greedy decoding begins with: on text,
    whether one is a prefix.
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
    bare = [text.lower().translate(_PUNCTUATION) for text in (answer, *golds)]
    return float(bare[0] in bare[1:])
