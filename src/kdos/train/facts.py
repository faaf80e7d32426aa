"""Facts as a proxy model meets them: a subject, a relation, a value, and four ways to say it.

Names are spelled in digits, so that no entity has an embedding of its own to keep facts in. A
fact is shown in three of the four wordings; the fourth, made of words that the other facts are
shown in, is its held-out paraphrase. The value stands last in every wording.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

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

    `subject` holds digits of base `DIGIT_BASE`, shape (n_facts, n_digits); `relation` and `value`
    have shape (n_facts,) and count up to `relations` and `values`.
    """

    subject: Int64Array
    relation: Int64Array
    value: Int64Array
    relations: int
    values: int

    @property
    def vocabulary(self) -> int:
        """Tokens there are: values first, then relations, words, and the digits by place."""
        return self.values + self.relations + len(WORDING_WORDS) + DIGIT_BASE * self.subject.shape[1]


def made_up_world(random_seed: int, *, subjects: int = SUBJECTS) -> FactWorld:
    """Every subject with every relation, and values drawn at random."""
    subject, relation = np.divmod(np.arange(subjects * RELATIONS), RELATIONS)
    value = keyed_generator(random_seed, "world").integers(0, VALUES, len(subject))
    return FactWorld(_name_digits(subject), relation, value, RELATIONS, VALUES)


def world_from_triples(triples: Sequence[Triple]) -> FactWorld:
    """The world of some facts; names are numbered in their order, so that kin look alike."""
    subject, relation, value = (np.unique(column, return_inverse=True) for column in zip(*triples, strict=True))
    return FactWorld(_name_digits(subject[1]), relation[1], value[1], len(relation[0]), len(value[0]))


def with_common_values(triples: Sequence[Triple], most: int) -> list[Triple]:
    """The facts whose value is among the `most` most frequent ones."""
    counts = Counter(triple.value for triple in triples).items()
    ranked = sorted(counts, key=lambda item: (-item[1], item[0]))
    kept = {value for value, _ in ranked[:most]}
    return [triple for triple in triples if triple.value in kept]


def _name_digits(numbers: Int64Array) -> Int64Array:
    """Numbers in base `DIGIT_BASE`, two digits or more, shape (n, n_digits)."""
    places = 2
    while DIGIT_BASE**places <= numbers.max(initial=0):
        places += 1
    return numbers[:, None] // DIGIT_BASE ** np.arange(places - 1, -1, -1) % DIGIT_BASE


def fact_tokens(world: FactWorld) -> Int16Array:
    """Every fact in every wording, shape (n_facts, 4, n_tokens); the last token is the value."""
    word = {text: world.values + world.relations + place for place, text in enumerate(WORDING_WORDS)}
    places = world.subject.shape[1]
    first = world.values + world.relations + len(WORDING_WORDS)
    named = first + DIGIT_BASE * np.arange(places) + world.subject
    slots = {"{subject}": named, "{relation}": world.values + world.relation[:, None], "{value}": world.value[:, None]}
    count = len(world.value)
    said = [
        np.hstack([slots.get(part, np.full((count, 1), word.get(part, 0))) for part in wording])
        for wording in WORDINGS
    ]
    return np.stack(said, axis=1).astype(np.int16)


def held_out_wordings(count: int) -> Int64Array:
    """The wording that each fact is never shown in, shape (count,)."""
    return np.arange(count) % len(WORDINGS)


def fact_sentence(triple: Triple, wording: int) -> str:
    """A fact in words."""
    return " ".join(WORDINGS[wording]).replace(" ,", ",").format_map(triple._asdict())
