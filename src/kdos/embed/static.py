"""`static`: the mean of token vectors that come with an installed package; knows what words mean.

The package `wordllama` (MIT) carries 32,000 vectors of 256 numbers and their tokenizer. Its own loader looks in
another folder and then asks the network, so the two files are read here.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load as load_tensors
from scipy import sparse
from tokenizers import Tokenizer

from kdos.arrays import Float32Array
from kdos.embed.embedder import Embedder
from kdos.errors import ConfigError

STATIC = "static"
_VECTORS, _TOKENIZER = "weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json"
_SHA256 = {
    _VECTORS: "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
    _TOKENIZER: "bf467c9e0f536bda271283c6ef85eb1a943e3196b621c8a912d64953b205df83",
}
"""Of the two files without white space at the end; the same in wordllama 0.2.2 and 0.4.0."""

_BYTE = "<0x"
"""How a token begins that stands for one byte of a letter which the vocabulary lacks."""

TEXTS_LOOKED_AT = 1000
"""Texts, spread evenly, that tell whether the vocabulary covers a script."""
LEAST_SHARE = 0.1
"""Share of all letters from which a script is spoken of (our design)."""
LEAST_KNOWN_SHARE = 0.7
"""Share of letters in pieces of two letters or more, under which a script counts as unknown. Measured with the
translations of Sphinx and with CMRC: English 0.97, Russian 0.92, Turkish 0.78 is the least of the languages that
are read in pieces of words; Vietnamese 0.61, Japanese 0.26, Greek 0.14, Persian 0.12, Chinese 0.02 are read letter
by letter or, where the vocabulary lacks a letter, byte by byte."""

LEAST_READ_SHARE = 0.2
"""Share of a single text's letters that are Latin or in such pieces, under which its vector counts for nothing
(our design)."""


class StaticEmbedder:
    """The mean of the vectors of a text's tokens, 256 numbers; the same bytes in any batch and any process."""

    name = STATIC

    def __init__(self) -> None:
        self._tokenizer, self._vectors = _load_model()

    def embed(self, texts: Sequence[str]) -> Float32Array:
        """Vectors of the texts, shape (n_texts, 256); zeros where a text is empty."""
        # One by one: a batch would be spread over threads of the tokenizer's own, which no setting of ours bounds and
        # which complain when the process forks, and it is hardly faster.
        tokens = [self._read_tokens(text).ids for text in texts]
        counts = np.fromiter(map(len, tokens), np.int64, len(tokens))
        columns = np.fromiter(chain.from_iterable(tokens), np.int32, int(counts.sum()))
        weights = np.repeat(1 / np.maximum(counts, 1), counts).astype(np.float32)
        shape = (len(tokens), len(self._vectors))
        # A row of the product is summed over its own tokens in their order, whatever stands beside it.
        means = sparse.csr_array((weights, columns, np.concatenate([[0], counts.cumsum()])), shape=shape)
        return np.asarray(means @ self._vectors, np.float32)

    def known_shares(self, texts: Sequence[str]) -> dict[str, tuple[float, float]]:
        """By script: its share of all letters, and how many of its own stand in tokens of two or more, in [0, 1]."""
        letters = Counter(script_of(letter) for text in texts for letter in text if letter.isalpha())
        known: Counter[str] = Counter()
        for token in chain.from_iterable(self._read_tokens(text).tokens for text in texts):
            scripts = [script_of(letter) for letter in token if letter.isalpha()]
            if len(scripts) > 1 and not token.startswith(_BYTE):
                known.update(scripts)
        return {name: (count / letters.total(), known[name] / count) for name, count in letters.most_common()}

    def _read_tokens(self, text: str) -> Any:
        # Half a surrogate pair is no text for the tokenizer; a question mark stands for it.
        return self._tokenizer.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False)


@cache
def _load_model() -> tuple[Any, Float32Array]:
    """The tokenizer and its vectors, shape (32000, 256), from the installed package."""
    found = find_spec("wordllama")
    if found is None or found.origin is None:
        raise ConfigError("`embed: static` needs its vectors: pip install wordllama.")
    files = {name: (Path(found.origin).parent / name).read_bytes() for name in _SHA256}
    for name, data in files.items():
        if (digest := hashlib.sha256(data.rstrip() if name == _TOKENIZER else data).hexdigest()) != _SHA256[name]:
            raise ConfigError(
                f"`embed: static` must be l2_supercat_256 of wordllama. {name} has sha256 {digest}. "
                "Install wordllama 0.4.0.post1."
            )
    vectors = next(iter(load_tensors(files[_VECTORS]).values()))
    return Tokenizer.from_buffer(files[_TOKENIZER]), np.asarray(vectors, np.float32)


def embed_what_is_read(embedder: Embedder, texts: Sequence[str]) -> Float32Array:
    """Vectors of texts, shape (n_texts, dim): zeros where `static` reads letters but no words, and so says nothing."""
    vectors = embedder.embed(texts)
    if isinstance(embedder, StaticEmbedder):
        vectors[[_share_read(embedder, text) < LEAST_READ_SHARE for text in texts]] = 0
    return vectors


def _share_read(embedder: StaticEmbedder, text: str) -> float:
    """The share of a text's letters that are Latin or in tokens of two or more, in [0, 1]; 1 without a letter."""
    shares = embedder.known_shares([text])
    # Latin letters stand alone in formulas, which are read as such.
    read = (share * (1.0 if script == "Latin" else known) for script, (share, known) in shares.items())
    return sum(read) if shares else 1.0


def note_unknown_script(embedder: Embedder, texts: Sequence[str]) -> str | None:
    """One line where `static` cannot read the script of these texts; None for other embedders."""
    if not isinstance(embedder, StaticEmbedder):
        return None
    shares = embedder.known_shares(texts[:: -(-len(texts) // TEXTS_LOOKED_AT) or 1])
    unknown = [
        f"{script} ({known:.0%})"
        for script, (share, known) in shares.items()
        if share >= LEAST_SHARE and known < LEAST_KNOWN_SHARE
    ]
    if not unknown:
        return None
    return (
        f"`embed: static` hardly knows the words in {', '.join(unknown)}: so many of the letters stand in tokens of "
        f"two or more; where it serves, {LEAST_KNOWN_SHARE:.0%} do. Use a model of the language, or `embed: lexical`."
    )


@lru_cache(maxsize=4096)
def script_of(letter: str) -> str:
    """The script of a letter, by the first word of its Unicode name: Latin, Greek, CJK."""
    name = unicodedata.name(letter, "Unnamed").partition(" ")[0]
    return name if name == "CJK" else name.capitalize()
