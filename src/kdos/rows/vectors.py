"""Vectors from a ``.npy`` file, mapped into memory rather than read."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from kdos.arrays import FloatingArray
from kdos.errors import InputError

BLOCK_VALUES = 1 << 22
"""Values that are checked at a time: 16 MB of float32."""


def open_vectors(path: Path | str) -> FloatingArray:
    """The vectors of a ``.npy`` file, shape (n, dim), read-only, each number checked finite."""
    file = Path(path)
    if not file.is_file():
        raise InputError.at(file, "no such file. Check the path")
    try:
        vectors = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        message = f"must be a whole .npy file of numbers. Got: {str(error).splitlines()[0]}"
        raise InputError.at(file, message) from error
    if not isinstance(vectors, np.ndarray):
        raise InputError.at(file, "must be one .npy array. Got an .npz archive. Save one array")
    _check_shape(file, vectors)
    _check_finite(file, vectors)
    return vectors


def _check_shape(path: Path, vectors: npt.NDArray[np.generic]) -> None:
    if vectors.ndim != 2 or 0 in vectors.shape:
        message = f"must have shape (n, dim) with n and dim above 0. Got {vectors.shape}"
        raise InputError.at(path, message)
    if vectors.dtype.kind != "f" or vectors.dtype.itemsize > 8:
        message = f"must be float16, float32 or float64. Got {vectors.dtype}. Convert it"
        raise InputError.at(path, message)


def _check_finite(path: Path, vectors: FloatingArray) -> None:
    rows = max(1, BLOCK_VALUES // vectors.shape[1])
    for start in range(0, len(vectors), rows):
        good = np.isfinite(vectors[start : start + rows]).all(axis=1)
        if not good.all():
            bad = start + int(np.argmin(good))
            raise InputError.at(path, f"must hold finite numbers only. Row {bad} (from 0) does not")
