"""The frozen space: how vectors become points, and points cells."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from kdos.arrays import AnyArray, Float32Array, Float64Array, Int32Array, Int64Array
from kdos.density.codebook import Codebook, scale_to_unit_length
from kdos.errors import SpaceMismatchError, UsageError

_ARRAYS = ("mean", "components", "centroids", "groups", "log_volumes")
_BLOCK_ROWS = 65_536
_NUMBERS = ("embedder", "normalize", "intrinsic_dim", "k", "r_min", "novel_radius")


@dataclass(frozen=True)
class Space:
    """Embedder, centring, reduction and codebook, frozen; densities of two spaces never compare.

    `mean` shape (n_features,) and `components` shape (n_features, dim) are empty where vectors are taken as they are.
    `centroids` shape (n_cells, dim), in groups that begin at `groups`, shape (n_groups + 1,); `log_volumes` shape
    (n_cells,), nats, from the reference pool. Radii are
    distances in the space: no k-th neighbour is taken to be nearer than `r_min`, and a point whose
    k-th neighbour in the reference is farther than `novel_radius` (the reference's own 99th percentile) is novel.
    """

    embedder: str
    mean: Float32Array
    components: Float32Array
    normalize: bool
    centroids: Float32Array
    groups: Int64Array
    log_volumes: Float64Array
    intrinsic_dim: float
    k: int
    r_min: float
    novel_radius: float

    @property
    def n_cells(self) -> int:
        """How many cells the codebook has."""
        return len(self.centroids)

    @property
    def dim(self) -> int:
        """The dimension of a point."""
        return self.centroids.shape[1]

    @property
    def n_features(self) -> int:
        """The dimension of a vector, before reduction."""
        return len(self.mean) or self.dim

    @cached_property
    def codebook(self) -> Codebook:
        """The centroids, ready to be searched."""
        return Codebook(self.centroids, self.groups)

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that change with any array or number of the space."""
        header, arrays = self.to_arrays()
        digest = hashlib.blake2b(json.dumps(header, sort_keys=True).encode(), digest_size=16)
        for name in _ARRAYS:
            digest.update(f"{name}{arrays[name].shape}".encode())
            digest.update(np.ascontiguousarray(arrays[name]).tobytes())
        return digest.hexdigest()

    def project(self, vectors: npt.ArrayLike) -> Float32Array:
        """Vectors, shape (n, n_features), as points of the space, shape (n, dim)."""
        rows = check_vectors(vectors)
        if rows.shape[1] != self.n_features:
            raise SpaceMismatchError(
                f"vectors must have {self.n_features} features in this space. "
                f"Got {rows.shape[1]}. Embed them with {self.embedder}."
            )
        return project_rows(rows, self.mean, self.components, normalize=self.normalize)

    def assign_cells(self, points: Float32Array) -> Int32Array:
        """The cell of each point, shape (n,): that of the nearest centroid, the first of equals."""
        return self.codebook.assign_cells(points)

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, AnyArray]]:
        """The space as a header that JSON can hold and plain arrays."""
        header = {name: getattr(self, name) for name in _NUMBERS}
        return header, {name: getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> Self:
        """The space that `to_arrays` took apart."""
        fields: dict[str, Any] = {name: header[name] for name in _NUMBERS}
        fields |= {name: arrays[name] for name in _ARRAYS}
        return cls(**fields)


def check_vectors(vectors: npt.ArrayLike) -> Float32Array:
    """The vectors as float32, shape (n, n_features); raises unless they are finite numbers."""
    rows = np.asarray(vectors)
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise UsageError(f"vectors must have shape (n, dim). Got {rows.shape}. Give one row per point.")
    if rows.dtype.kind not in "fiu":
        raise UsageError(f"vectors must be real numbers. Got {rows.dtype}. Give float32.")
    rows = np.ascontiguousarray(rows, np.float32)
    for start in range(0, len(rows), _BLOCK_ROWS):
        finite = np.isfinite(rows[start : start + _BLOCK_ROWS]).all(1)
        if not finite.all():
            bad = start + int(np.argmin(finite))
            raise UsageError(f"vectors must be finite. Got NaN or infinity in row {bad}. Drop or mend that row.")
    return rows


def project_rows(rows: Float32Array, mean: Float32Array, components: Float32Array, *, normalize: bool) -> Float32Array:
    """Centre, reduce and scale to unit length, block by block; a row of zeros stays zero.

    The rows themselves, not copied, where nothing of this is to be done.
    """
    if not (mean.size or components.size or normalize):
        return rows
    reduced = components.shape[1] if components.size else rows.shape[1]
    points = np.empty((len(rows), reduced), np.float32)
    for start in range(0, len(rows), _BLOCK_ROWS):
        part = rows[start : start + _BLOCK_ROWS]
        part = part - mean if mean.size else part
        part = part @ components if components.size else part
        points[start : start + _BLOCK_ROWS] = scale_to_unit_length(part) if normalize else part
    return points
