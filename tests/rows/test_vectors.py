import numpy as np
import pytest

from kdos.errors import InputError
from kdos.rows.dataset import open_vectors


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", ">f4"])
def test_vectors_are_mapped_not_read(tmp_path, kind):
    path = tmp_path / "v.npy"
    vectors = np.arange(12).reshape(4, 3).astype(kind)
    np.save(path, vectors)
    found = open_vectors(path)
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, vectors)


def test_a_bad_number_is_found_in_any_block(tmp_path, monkeypatch):
    monkeypatch.setattr("kdos.rows.dataset.CHECKED_VALUES", 8)
    vectors = np.zeros((10, 4), np.float32)
    vectors[7, 2] = np.nan
    np.save(tmp_path / "v.npy", vectors)
    with pytest.raises(InputError, match=r"finite numbers only\. Row 7 \(from 0\) does not"):
        open_vectors(tmp_path / "v.npy")


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.zeros(3, np.float32), r"shape \(n, dim\).*Got \(3,\)"),
        (np.zeros((0, 3), np.float32), r"above 0\. Got \(0, 3\)"),
        (np.zeros((2, 3), np.int64), r"float16, float32 or float64\. Got int64"),
        (np.array([["a"]], object), r"must be a whole \.npy file of numbers"),
    ],
)
def test_a_bad_array_is_one_clear_line(tmp_path, vectors, message):
    np.save(tmp_path / "v.npy", vectors, allow_pickle=True)
    with pytest.raises(InputError, match=message):
        open_vectors(tmp_path / "v.npy")


def test_files_that_are_no_array(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_vectors(tmp_path / "v.npy")
    np.save(tmp_path / "v.npy", np.zeros((50, 3)))
    whole = (tmp_path / "v.npy").read_bytes()
    for content in (b"", whole[:40], whole[:-80], b"hello there"):
        (tmp_path / "v.npy").write_bytes(content)
        with pytest.raises(InputError, match=r"must be a whole \.npy file"):
            open_vectors(tmp_path / "v.npy")
    np.savez(tmp_path / "w.npz", a=np.zeros((2, 2)))
    with pytest.raises(InputError, match=r"\.npz"):
        open_vectors(tmp_path / "w.npz")
