from pathlib import Path

import numpy as np
import pytest

from kdos.embed import load_embedder
from kdos.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A static model of two words, as the model2vec library saves one."""
    model2vec = pytest.importorskip("model2vec")
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.models.WordLevel({"[UNK]": 0, "tin": 1, "melts": 2}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(words)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    vectors = np.array([[0, 0, 9], [2, 0, 0], [0, 4, 0]], np.float32)
    model2vec.StaticModel(vectors, tokenizer).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_static_model_is_read_from_its_folder(folder: Path) -> None:
    embedder = load_embedder(f"model2vec:{folder}")
    assert embedder
    assert embedder.name == f"model2vec:{folder}"
    assert embedder.embed(["tin melts", "tin", ""]).tolist() == [[1, 2, 0], [2, 0, 0], [0, 0, 0]]
    assert embedder.embed([]).shape == (0, 3)
    many = embedder.embed(["tin melts " * 600] * 3)
    assert many.tolist() == [[1, 2, 0]] * 3


def test_a_folder_that_is_no_static_model_is_one_line(folder: Path) -> None:
    with pytest.raises(ConfigError, match="must name a static model or its folder") as raised:
        load_embedder(f"model2vec:{folder}/absent/deeply")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["", "Static", "model2vec", "model2vec:", "sentence-transformers:", "glove:6B"])
def test_a_name_that_is_no_embedder_gets_those_that_are(name: str) -> None:
    with pytest.raises(ConfigError, match="must be static, lexical, minilm, model2vec:NAME"):
        load_embedder(name)
