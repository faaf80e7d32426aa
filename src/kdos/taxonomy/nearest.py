"""The class whose texts are nearest: by the mean of their vectors, and by the words that they share.

Vectors know what words mean; shared words know terms, and scripts that an embedder cannot read. The two cosines are
added (our design; `benchmarks/disciplines.py` compares it with either alone and with other ways).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from scipy import sparse

from kdos.arrays import Float32Array, Float64Array
from kdos.taxonomy.classes import Taxonomy

Embed = Callable[[Sequence[str]], Float32Array]
"""Vectors of texts, shape (n_texts, dim), row by row."""
Sparse = Any
"""A scipy.sparse CSR matrix, which has no types to speak of."""

PIECES, PIECE_CHARS = 4, 1000
"""What is read of a text: as much as a sentence embedder takes in, from so many places (our choice)."""
SHORTEST_WORD, STEM_CHARS = 3, 6
"""Letters of a word that counts, and those, without a plural's s, that stand for all its forms (our choice)."""
FUNCTION_WORDS = frozenset(
    "about after again all also among and any are because been before being between both but can could did does doing "
    "done during each either else ever every for from had has have having her here him his how into its just like may "
    "might more most much must neither nor not now off one only other our out over same shall she should some such "
    "than that the their them then there these they this those through too two under until upon very was were what "
    "when where which while who whom whose why will with within without would yes you your".split()
)
"""English words that say nothing of a subject; in other languages their weight is low where many classes have them."""
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Letters of Chinese and Japanese, which leave no spaces between words."""
_WORD = re.compile(rf"([{_UNSPACED}]+)|[^\W\d_{_UNSPACED}]+")


def cut_excerpt(text: str, *, title: str = "") -> list[str]:
    """Pieces that stand for a text: its title and beginning, and others spread evenly over a longer one."""
    count = min(PIECES, -(-len(text) // PIECE_CHARS)) or 1
    starts = np.linspace(0, max(len(text) - PIECE_CHARS, 0), count).astype(np.int64).tolist()
    pieces = [text[start : start + PIECE_CHARS] for start in starts]
    return [f"{title}\n{pieces[0]}" if title else pieces[0], *pieces[1:]]


class ClassFinder:
    """Finds the class of texts; without `embed`, by shared words alone.

    `names` has the class of each column of `scores`: the classes, then the one that each subject is a part of.
    """

    def __init__(self, taxonomy: Taxonomy, embed: Embed | None) -> None:
        named = [(one.name, one.texts) for one in taxonomy.classes]
        named += [(one.broad, one.texts) for one in taxonomy.subjects]
        self.names = [name for name, _ in named]
        texts = [texts for _, texts in named]
        self._embed = embed
        self._means = _mean_vectors(embed, texts) if embed else None
        self._words = _WordModel(texts)

    def find(self, excerpts: Sequence[Sequence[str]]) -> list[str]:
        """The name of each text's class, each given in pieces; empty where nothing in it is known."""
        scores = self.scores(excerpts)
        best = scores.argmax(axis=1).tolist()
        return [self.names[one] if row[one] > 0 else "" for one, row in zip(best, scores, strict=True)]

    def scores(self, excerpts: Sequence[Sequence[str]]) -> Float64Array:
        """How near each text is to each class and subject, shape (n_texts, n_classes + n_subjects)."""
        found = self._words.scores(excerpts)
        if self._embed is None or self._means is None:
            return found
        # Not a matrix product: its rounding depends on the count of threads.
        return found + np.einsum("td,cd->tc", _mean_vectors(self._embed, excerpts), self._means)


def _mean_vectors(embed: Embed, groups: Sequence[Sequence[str]]) -> Float32Array:
    """The mean direction of each group of texts, of length 1, shape (n_groups, dim)."""
    vectors = _unit_rows(embed(list(chain.from_iterable(groups))))
    starts = np.cumsum([0, *map(len, groups)])[:-1]
    return _unit_rows(np.add.reduceat(vectors, starts, axis=0))


def _unit_rows(vectors: Float32Array) -> Float32Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-9))


class _WordModel:
    """Cosine of words between texts and classes, each word weighted by how few classes have it."""

    def __init__(self, classes: Sequence[Sequence[str]]) -> None:
        counts = [_count_words(texts) for texts in classes]
        held_by = Counter(chain.from_iterable(counts))
        self._column = {word: column for column, word in enumerate(held_by)}
        self._weight = np.log((1 + len(classes)) / np.array([*held_by.values()], np.float64))
        self._classes = self._weigh(counts)

    def scores(self, excerpts: Sequence[Sequence[str]]) -> Float64Array:
        """Cosines, shape (n_texts, n_classes)."""
        return np.asarray((self._weigh(map(_count_words, excerpts)) @ self._classes.T).toarray(), np.float64)

    def _weigh(self, counts: Iterable[Counter[str]]) -> Sparse:
        """Rows of length 1, shape (n_texts, n_words); of zeros where no word is known."""
        rows = [{self._column[word]: n for word, n in each.items() if word in self._column} for each in counts]
        columns = np.fromiter(chain.from_iterable(rows), np.int64)
        times = np.fromiter(chain.from_iterable(row.values() for row in rows), np.float64)
        values, owner = (1 + np.log(times)) * self._weight[columns], np.repeat(np.arange(len(rows)), [*map(len, rows)])
        lengths = np.sqrt(np.bincount(owner, values**2, len(rows)))
        shape = (len(rows), len(self._column))
        return sparse.csr_array((values / np.maximum(lengths, 1e-12)[owner], (owner, columns)), shape=shape)


def _count_words(texts: Sequence[str]) -> Counter[str]:
    return Counter(chain.from_iterable(map(_list_words, texts)))


def _list_words(text: str) -> Iterator[str]:
    """Stems of words, and pairs of letters where a script leaves no spaces."""
    for found in _WORD.finditer(text.casefold()):
        word = found[0]
        if found[1]:
            yield from (word[at : at + 2] for at in range(len(word) - 1))
        elif len(word) >= SHORTEST_WORD and word not in FUNCTION_WORDS:
            yield word.removesuffix("s")[:STEM_CHARS]
