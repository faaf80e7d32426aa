from collections.abc import Callable
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.errors import InputError
from kdos.export import load_tokenizer, write_packed
from kdos.export.packing import pack_documents

tokenizers = pytest.importorskip("tokenizers")
Make = Callable[[int], pa.Table]
END = "<end>"


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A folder as Hugging Face lays it out, with a tokenizer that splits at white space."""
    words = {"[UNK]": 0, END: 1, **{str(i): i for i in range(2, 100)}}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    folder = tmp_path / "model"
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    config = {"eos_token": {"content": END, "special": True}}
    (folder / "tokenizer_config.json").write_bytes(orjson.dumps(config))
    return folder


DOCUMENTS = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=12), max_size=30)


@given(DOCUMENTS, st.integers(1, 10))
def test_packing_keeps_every_token_in_order(documents: list[list[int]], length: int) -> None:
    sequences = list(pack_documents(documents, length=length))
    flat = [token for pieces in sequences for piece in pieces for token in piece]
    assert flat == [token for document in documents for token in document]
    assert all(0 < sum(map(len, pieces)) <= length for pieces in sequences)


@given(DOCUMENTS)
def test_packing_cuts_no_document_that_fits(documents: list[list[int]]) -> None:
    sequences = list(pack_documents(documents, length=12))
    assert [piece for pieces in sequences for piece in pieces] == documents


@given(DOCUMENTS)
def test_no_two_neighbouring_sequences_would_fit_in_one(documents: list[list[int]]) -> None:
    sizes = [sum(map(len, pieces)) for pieces in pack_documents(documents, length=12)]
    firsts = [len(pieces[0]) for pieces in pack_documents(documents, length=12)]
    assert all(size + first > 12 for size, first in zip(sizes, firsts[1:], strict=False))


def test_packed_sequences_hold_every_sample_once(tmp_path: Path, some_samples: Make, tokenizer: Path) -> None:
    encoder = load_tokenizer(tokenizer)
    samples = some_samples(40)
    packed = write_packed({"train": samples}, encoder, tmp_path / "out", length=64, random_seed=5)["train"]
    table = pq.read_table(tmp_path / "out" / "train.parquet")
    sequences, lengths = table["input_ids"].to_pylist(), table["lengths"].to_pylist()
    assert [len(ids) for ids in sequences] == [sum(parts) for parts in lengths]
    assert max(map(len, sequences)) <= 64
    assert sum(ids.count(encoder.end) for ids in sequences) == 40
    assert (packed.sequences, packed.tokens) == (len(sequences), sum(map(len, sequences)))


def test_the_order_is_the_random_seed_s(tmp_path: Path, some_samples: Make, tokenizer: Path) -> None:
    encoder = load_tokenizer(tokenizer)
    files = []
    for name, random_seed in (("a", 5), ("b", 5), ("c", 6)):
        splits = {"train": some_samples(40)}
        write_packed(splits, encoder, tmp_path / name, length=64, random_seed=random_seed)
        files.append((tmp_path / name / "train.parquet").read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_the_file_alone_needs_the_end_token_named(tokenizer: Path) -> None:
    (tokenizer / "tokenizer_config.json").unlink()
    with pytest.raises(InputError, match="--end-token"):
        load_tokenizer(tokenizer / "tokenizer.json")
    assert load_tokenizer(tokenizer / "tokenizer.json", end_token=END).end == 1


@pytest.mark.parametrize("content", [b"{", b"[1]", b"not json"])
def test_a_damaged_tokenizer_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(InputError, match=r"tokenizer\.json: must be a file"):
        load_tokenizer(tmp_path)


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--tokenizer must be"):
        load_tokenizer(tmp_path / "nowhere")
