"""What an embedder promises, and many texts embedded in bounded memory."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from kdos.arrays import Float32Array

EMBED_BLOCK = 8192
"""Texts that an embedder is given in one call of `embed_in_blocks`."""


class Embedder(Protocol):
    """Texts to vectors, row by row: a row depends on its own text alone."""

    @property
    def name(self) -> str:
        """What made the vectors: part of the space's fingerprint."""
        ...

    def embed(self, texts: Sequence[str]) -> Float32Array:
        """Vectors of the texts, shape (n_texts, n_features)."""
        ...


def embed_in_blocks(embedder: Embedder, texts: Sequence[str]) -> Float32Array:
    """The vectors of many texts, shape (n_texts, dim), a block at a time to bound memory."""
    starts = range(0, len(texts), EMBED_BLOCK)
    return np.concatenate([embedder.embed(texts[i : i + EMBED_BLOCK]) for i in starts])
