"""`lexical`: what texts share in wording, fitted on the reference texts; needs no model and knows every script."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np
from scipy import sparse

from kdos.arrays import Float32Array, UInt64Array
from kdos.chance import keyed_generator
from kdos.errors import UsageError

Sparse = Any
"""A scipy.sparse CSR matrix, which has no types to speak of."""

WORD_FEATURES = 2**14
CHARACTER_FEATURES = 2**14
"""Columns that words with their pairs, and runs of 3 to 4 characters, are hashed into."""

SHORTEST_RUN, LONGEST_RUN = 3, 4

FNV_PRIME = np.uint64(0x100000001B3)
"""Multiplier of the 64-bit Fowler-Noll-Vo hash."""
RANK = 128
"""Dimensions that truncated SVD keeps; the space reduces them further."""
TEXTS_LEARNED_FROM = 8192
"""Texts that the components are learned from, spread evenly; weights are learned from all."""

POWER_ITERATIONS = 3
OVERSAMPLED = 10
"""Of the randomised SVD: enough for text, whose spectrum falls slowly."""
FLATTEST = 1e-9
"""Squared length, beside the longest, under which a direction is rounding error."""

_WORD = re.compile(r"\w+")


class LexicalEmbedder:
    """Hashed words and character runs, TF-IDF, truncated SVD: what texts share in wording."""

    name = "lexical"

    def __init__(self, idf: Float32Array, components: Float32Array) -> None:
        self.idf = idf
        self.components = components

    @classmethod
    def fit(cls, texts: Sequence[str], *, random_seed: int = 0) -> "LexicalEmbedder":
        """Learn weights and components from reference texts.

        Raises:
            UsageError: Fewer than three different texts, from which nothing can be learned.
        """
        if len(set(texts)) < 3:
            raise UsageError(f"`embed: lexical` learns from at least 3 different texts. Got {len(set(texts))}.")
        counts = _hash_features(texts)
        held_by = np.bincount(counts.indices, minlength=counts.shape[1])
        idf = np.log((1 + len(texts)) / (1 + held_by)).astype(np.float32) + 1
        learned = np.unique(np.linspace(0, len(texts) - 1, TEXTS_LEARNED_FROM).astype(np.int64))
        rank = min(RANK, len(learned) - 1)
        return cls(idf, _fit_components(_weigh_tfidf(counts[learned], idf), rank, random_seed=random_seed))

    def embed(self, texts: Sequence[str]) -> Float32Array:
        """Vectors of the texts, shape (n_texts, rank)."""
        return np.asarray(_weigh_tfidf(_hash_features(texts), self.idf) @ self.components.T, np.float32)

    def to_arrays(self) -> dict[str, Float32Array]:
        """What `LexicalEmbedder(**arrays)` needs to be the same embedder again."""
        return {"idf": self.idf, "components": self.components}


def _hash_features(texts: Sequence[str]) -> Sparse:
    """Counts of hashed features, shape (n_texts, WORD_FEATURES + CHARACTER_FEATURES).

    Written out because scikit-learn's HashingVectorizer makes every run of characters a Python
    string: it takes eight times as long.
    """
    word_rows, words = _hash_words(texts)
    run_rows, runs = _hash_character_runs(texts)
    rows = np.concatenate([word_rows, run_rows])
    columns = np.concatenate([words % WORD_FEATURES, WORD_FEATURES + runs % CHARACTER_FEATURES])
    shape = (len(texts), WORD_FEATURES + CHARACTER_FEATURES)
    ones = np.ones(len(rows), np.float32)
    return sparse.coo_array((ones, (rows, columns.astype(np.int64))), shape=shape).tocsr()


def _hash_words(texts: Sequence[str]) -> tuple[UInt64Array, UInt64Array]:
    """Row and hash of every word and of every pair of neighbouring words."""
    rows: list[int] = []
    hashes: list[int] = []
    for row, text in enumerate(texts):
        words = _WORD.findall(text.casefold())
        terms = [*words, *(f"{one} {two}" for one, two in pairwise(words))]
        hashes += [crc32(term.encode()) for term in terms]
        rows += [row] * len(terms)
    return np.array(rows, np.uint64), np.array(hashes, np.uint64)


def _hash_character_runs(texts: Sequence[str]) -> tuple[UInt64Array, UInt64Array]:
    """Row and hash of every run of 3 to 4 characters; a text begins and ends with a space."""
    padded = [f" {text.casefold()} " for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le"), np.uint32).astype(np.uint64)
    owner = np.repeat(np.arange(len(texts), dtype=np.uint64), [len(text) for text in padded])
    rows: list[UInt64Array] = []
    hashes: list[UInt64Array] = []
    for length in range(SHORTEST_RUN, LONGEST_RUN + 1):
        last = len(codes) - length + 1
        inside = owner[:last] == owner[length - 1 :]
        mixed = np.full(last, length, np.uint64)
        for offset in range(length):
            mixed = (mixed ^ codes[offset : offset + last]) * FNV_PRIME
        rows.append(owner[:last][inside])
        hashes.append((mixed ^ (mixed >> np.uint64(32)))[inside])
    return np.concatenate(rows), np.concatenate(hashes)


def _weigh_tfidf(counts: Sparse, idf: Float32Array) -> Sparse:
    """TF-IDF with logarithmic term frequency and unit rows."""
    weighted = counts.astype(np.float32)
    weighted.data = (1 + np.log(weighted.data)) * idf[weighted.indices]
    norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return sparse.diags_array(1 / np.maximum(norms, 1e-12)).astype(np.float32) @ weighted


def _fit_components(weighted: Sparse, rank: int, *, random_seed: int) -> Float32Array:
    """The leading right singular vectors of rows, shape (rank, n_features).

    Randomised truncated SVD: Halko, Martinsson and Tropp (2011), algorithms 4.4 and 5.1, with the
    last, small decomposition taken from its Gram matrix.
    """
    chance = keyed_generator(random_seed, "lexical").standard_normal
    drawn = chance((weighted.shape[1], rank + OVERSAMPLED), np.float32)
    basis = np.linalg.qr(weighted @ drawn).Q
    for _ in range(POWER_ITERATIONS):
        basis = np.linalg.qr(weighted @ (weighted.T @ basis)).Q
    inside = (weighted.T @ basis).T
    squares, turn = np.linalg.eigh((inside @ inside.T).astype(np.float64))
    lengths = np.sqrt(np.maximum(squares, FLATTEST * squares[-1]))
    scaled = (turn / lengths)[:, ::-1][:, :rank]
    return np.asarray(scaled.T @ inside, np.float32)
