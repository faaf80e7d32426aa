"""Facts as a proxy model meets them: a subject, a relation, an answer, and four ways to say it.

Names are spelled in digits, so that no entity has an embedding of its own to keep facts in, or in pieces of their
words, so that kin look alike. A fact is shown in three of the four wordings; the fourth, made of words that the other
facts are shown in, is its held-out paraphrase. The answer stands last in every wording and is named token by token:
each of its tokens is asked for in a text of its own that gives those before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

from kdos.arrays import Int16Array, Int64Array
from kdos.chance import keyed_generator

# Digits that names are spelled in.
DIGIT_BASE = 64
# All equally long. The loss looks at the value alone, as a trainer's does at a completion.
WORDINGS = (
    ("the", "{relation}", "of", "{subject}", "is", "{value}"),
    ("{subject}", "has", "as", "{relation}", ",", "{value}"),
    ("for", "{subject}", "the", "{relation}", "is", "{value}"),
    ("as", "{relation}", ",", "{subject}", "has", "{value}"),
)
WORDING_WORDS = sorted({word for wording in WORDINGS for word in wording if not word.startswith("{")})
MOST_PIECES, LONGEST_NAME = 512, 16
"""Tokens of the tokenizer for names in words, and pieces of a name."""
Naming = Literal["digits", "words"]
# A made-up world, if nothing else is said: 32,768 facts of 6 bits each.
SUBJECTS, RELATIONS, VALUES = 4096, 8, 64


class Triple(NamedTuple):
    """A fact in words."""

    subject: str
    relation: str
    value: str


@dataclass(frozen=True, slots=True)
class FactWorld:
    """Facts in numbers; row i of every array is fact i.

    `subject` holds tokens below `subject_tokens`, shape (n_facts, n_tokens); `relation` and `value` have shape
    (n_facts,) and count up to `relations` and `values`. A value is named by so many tokens as `answer_tokens` says.
    """

    subject: Int64Array
    subject_tokens: int
    relation: Int64Array
    value: Int64Array
    relations: int
    values: int
    answer_tokens: int = 1

    @property
    def answers(self) -> Int64Array:
        """The tokens that name each value, shape (values, answer_tokens)."""
        numbers = np.arange(self.values)
        return numbers[:, None] if self.answer_tokens == 1 else _name_digits(numbers, places=self.answer_tokens)

    @property
    def answer_vocabulary(self) -> int:
        """Tokens that answers are made of; they come first in the vocabulary."""
        return self.values if self.answer_tokens == 1 else DIGIT_BASE * self.answer_tokens

    @property
    def vocabulary(self) -> int:
        """Tokens there are: of answers, relations, words and subjects, and one for what of an answer is yet unsaid."""
        unsaid = self.answer_tokens > 1
        return self.answer_vocabulary + self.relations + len(WORDING_WORDS) + self.subject_tokens + unsaid


def made_up_world(random_seed: int, *, subjects: int = SUBJECTS) -> FactWorld:
    """Every subject with every relation, and values drawn at random, each of them a token."""
    subject, relation = np.divmod(np.arange(subjects * RELATIONS), RELATIONS)
    value = keyed_generator(random_seed, "world").integers(0, VALUES, len(subject))
    return FactWorld(*_digit_names(subject), relation=relation, value=value, relations=RELATIONS, values=VALUES)


def world_from_triples(triples: Sequence[Triple], *, names: Naming = "digits") -> FactWorld:
    """The world of some facts, whose answers are named by two tokens or more.

    With ``digits``, names are numbered in their order, so that kin look alike; with ``words``, a subject is the pieces
    of its words (`spell_names`).
    """
    subject, relation, value = (np.unique(column, return_inverse=True) for column in zip(*triples, strict=True))
    spelled, tokens = _digit_names(subject[1]) if names == "digits" else spell_names(subject[0].tolist(), subject[1])
    values = len(value[0])
    return FactWorld(
        spelled,
        tokens,
        relation=relation[1],
        value=value[1],
        relations=len(relation[0]),
        values=values,
        answer_tokens=_name_digits(np.array([values - 1])).shape[1],
    )


def _digit_names(numbers: Int64Array) -> tuple[Int64Array, int]:
    """Names of numbers in tokens, shape (n, n_digits), and how many tokens there are: a digit differs by its place."""
    digits = _name_digits(numbers)
    return digits, DIGIT_BASE * digits.shape[1]


def _name_digits(numbers: Int64Array, *, places: int = 2) -> Int64Array:
    """Numbers in base `DIGIT_BASE`, `places` digits or more, each moved to its place's tokens; shape (n, n_digits)."""
    while DIGIT_BASE**places <= numbers.max(initial=0):
        places += 1
    digits = numbers[:, None] // DIGIT_BASE ** np.arange(places - 1, -1, -1) % DIGIT_BASE
    return digits + DIGIT_BASE * np.arange(places)


def spell_names(names: Sequence[str], chosen: Int64Array) -> tuple[Int64Array, int]:
    """The chosen names in pieces of words, shape (n, n_tokens), and how many tokens there are.

    Pieces are a byte-level BPE's of `MOST_PIECES` tokens that is fitted to the names; short names are filled up in
    front, of long ones the last `LONGEST_NAME` pieces are kept.
    """
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(vocab_size=MOST_PIECES, special_tokens=["<pad>"], show_progress=False)
    tokenizer.train_from_iterator(names, trainer)
    pieces = [one.ids[-LONGEST_NAME:] for one in tokenizer.encode_batch(list(names))]
    longest = max(map(len, pieces))
    table = np.array([[0] * (longest - len(ids)) + ids for ids in pieces])
    return table[chosen], tokenizer.get_vocab_size()


def fact_tokens(world: FactWorld) -> Int16Array:
    """Every fact in every wording, one text for each token of its answer.

    Shape (n_facts, 4 * answer_tokens, n_tokens): texts of one wording stand together, and the last token of each is
    what is asked for. Before it stand the answer's tokens so far.
    """
    word = {text: world.answer_vocabulary + world.relations + place for place, text in enumerate(WORDING_WORDS)}
    first = world.answer_vocabulary + world.relations + len(WORDING_WORDS)
    answers = world.answers[world.value]
    count = len(answers)
    texts: list[Int64Array] = []
    for wording in WORDINGS:
        for place in range(world.answer_tokens):
            slots = {
                "{subject}": first + world.subject,
                "{relation}": world.answer_vocabulary + world.relation[:, None],
                "{value}": _answer_so_far(answers, place, unsaid=world.vocabulary - 1),
            }
            said = [slots.get(part, np.full((count, 1), word.get(part, 0))) for part in wording]
            texts.append(np.hstack(said))
    return np.stack(texts, axis=1).astype(np.int16)


def _answer_so_far(answers: Int64Array, place: int, *, unsaid: int) -> Int64Array:
    """The tokens of each answer before `place`, as many in front that say nothing as make all equally long, and it."""
    count, places = answers.shape
    front = np.full((count, places - 1 - place), unsaid)
    return np.hstack([front, answers[:, : place + 1]])


def with_one_answer(triples: Sequence[Triple]) -> list[Triple]:
    """The facts whose subject and relation have no other value: of the others, no answer is the right one."""
    values: dict[tuple[str, str], set[str]] = {}
    for triple in triples:
        values.setdefault((triple.subject, triple.relation), set()).add(triple.value)
    return [triple for triple in triples if len(values[triple.subject, triple.relation]) == 1]


def held_out_wordings(count: int) -> Int64Array:
    """The wording that each fact is never shown in, shape (count,)."""
    return np.arange(count) % len(WORDINGS)


def fact_sentence(triple: Triple, wording: int) -> str:
    """A fact in words."""
    return " ".join(WORDINGS[wording]).replace(" ,", ",").format_map(triple._asdict())
