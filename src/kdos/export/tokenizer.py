"""The tokenizer of the model that a text is packed for (extra `export`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from kdos.errors import InputError, KdosError


@dataclass(frozen=True, slots=True)
class FileTokenizer:
    """A tokenizer of the `tokenizers` library and the token that ends a document."""

    tokenizer: Any
    end: int

    def encode(self, texts: list[str]) -> list[list[int]]:
        """The tokens of each text, ended by `end`."""
        encodings = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        return [[*encoding.ids, self.end] for encoding in encodings]


def load_tokenizer(path: Path, *, end_token: str | None = None) -> FileTokenizer:
    """The tokenizer in a ``tokenizer.json`` or in a Hugging Face folder that holds one.

    Without `end_token` a document ends with the `eos_token` of the folder's
    ``tokenizer_config.json``.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise KdosError(
            "Packing needs the tokenizers library. It is not installed. pip install 'kdos[export]'"
        ) from error
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"--tokenizer must be a tokenizer.json or its folder. Got {path}.")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing narrower
        raise InputError.at(file, f"must be a file of the tokenizers library. {error}") from error
    token = end_token or configured_end(file.with_name("tokenizer_config.json"))
    end = None if token is None else tokenizer.token_to_id(token)
    if end is None:
        raise InputError.at(
            file, f"must know the token that ends a document. Got {token!r}. Name it by --end-token"
        )
    return FileTokenizer(tokenizer, end)


def configured_end(config: Path) -> str | None:
    """The `eos_token` of a Hugging Face configuration, which is a string or a described token."""
    if not config.is_file():
        return None
    try:
        token = orjson.loads(config.read_bytes()).get("eos_token")
    except (orjson.JSONDecodeError, AttributeError) as error:
        raise InputError.at(config, f"must hold a JSON object. {error}") from error
    return token.get("content") if isinstance(token, dict) else token
