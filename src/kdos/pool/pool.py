"""What a run holds: every knowledge point that is known, and how much of each in its samples."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import numpy as np

from kdos.arrays import AnyArray, Float32Array, Int32Array, Int64Array
from kdos.pool.wording import fact_key

SPARE_SHARE = 8
"""Rows are added an eighth at a time."""


@dataclass(frozen=True, slots=True)
class Pool:
    """`samples` held; exposures by cell, `counts` shape (n_cells,), and by knowledge point.

    `exposures` and `answered`, in how many samples the answer rests on a knowledge point, have shape (n_points,) and
    grow as new knowledge points appear in samples.
    """

    samples: int
    counts: Int64Array
    exposures: Int64Array
    answered: Int64Array

    @classmethod
    def empty(cls, *, n_cells: int, n_points: int) -> "Pool":
        """A pool that holds nothing yet."""
        return cls(0, np.zeros(n_cells, np.int64), np.zeros(n_points, np.int64), np.zeros(n_points, np.int64))

    @property
    def knowledge_points(self) -> int:
        """Occurrences of knowledge points in all samples."""
        return int(self.counts.sum())

    def extend(
        self, samples: Sequence[Sequence[int]], cells: Int32Array, *, answering: Sequence[int | None] = ()
    ) -> "Pool":
        """The pool with more samples, each given by its knowledge points' rows in `cells`.

        `answering` are the rows that their answers rest on, where that is known.
        """
        points = np.array([point for sample in samples for point in sample], np.int64)
        asked = np.array([point for point in answering if point is not None], np.int64)
        grown = (0, len(cells) - len(self.exposures))
        return replace(
            self,
            samples=self.samples + len(samples),
            counts=self.counts + np.bincount(cells[points], minlength=len(self.counts)),
            exposures=np.pad(self.exposures, grown) + np.bincount(points, minlength=len(cells)),
            answered=np.pad(self.answered, grown) + np.bincount(asked, minlength=len(cells)),
        )

    def distinct_among(self, n_points: int) -> int:
        """How many of the first `n_points` knowledge points, the source's, are held at least once."""
        return int(np.count_nonzero(self.exposures[:n_points]))


class Inventory:
    """Knowledge points by row: `texts`, `points` shape (n, dim) and `cells` shape (n,).

    Two texts with one `fact_key` are one knowledge point; so are other `wordings` of a row's text.
    """

    def __init__(
        self, texts: Sequence[str], *, points: Float32Array, cells: Int32Array, wordings: Sequence[Sequence[str]] = ()
    ) -> None:
        self.texts = list(texts)
        self._points = points
        self._cells = cells
        self._rows = {fact_key(text): row for row, text in enumerate(self.texts)}
        for row, others in enumerate(wordings):
            self._rows |= {fact_key(text): row for text in others}

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def points(self) -> Float32Array:
        """The places of all knowledge points."""
        return self._points[: len(self.texts)]

    @property
    def cells(self) -> Int32Array:
        """The cells of all knowledge points."""
        return self._cells[: len(self.texts)]

    def knows_all(self, texts: Iterable[str], *, among: int) -> bool:
        """Whether all of these knowledge points are among the first `among` rows."""
        return all(self._rows.get(fact_key(text), among) < among for text in texts)

    def rows(self, texts: Iterable[str]) -> tuple[int, ...]:
        """The rows of knowledge points that are known, in order, each once."""
        return tuple(dict.fromkeys(self._rows[fact_key(text)] for text in texts))

    def add_unknown(
        self, texts: Iterable[str], locate: Callable[[Sequence[str]], tuple[Float32Array, Int32Array]]
    ) -> int:
        """Add those that are new, placed by `locate`; returns how many there were."""
        fresh: dict[str, str] = {}
        for text in texts:
            key = fact_key(text)
            if key not in self._rows:
                fresh.setdefault(key, text)
        if fresh:
            points, cells = locate(list(fresh.values()))
            self.append_new(list(fresh.values()), points=points, cells=cells)
        return len(fresh)

    def append_new(self, texts: Sequence[str], *, points: Float32Array, cells: Int32Array) -> None:
        """Add knowledge points that are known to be new, with their places."""
        first, last = len(self.texts), len(self.texts) + len(texts)
        self._points, self._cells = grown_rows(self._points, last), grown_rows(self._cells, last)
        self._points[first:last], self._cells[first:last] = points, cells
        for text in texts:
            self._rows[fact_key(text)] = len(self.texts)
            self.texts.append(text)


Rows = TypeVar("Rows", bound=AnyArray)


def grown_rows(rows: Rows, needed: int) -> Rows:
    """The array itself if it has `needed` rows, else one with some more: new rows come a few at a time."""
    if needed <= len(rows):
        return rows
    room = max(needed, len(rows) + len(rows) // SPARE_SHARE)
    return cast("Rows", np.concatenate([rows, np.zeros((room - len(rows), *rows.shape[1:]), rows.dtype)]))


@dataclass(slots=True)
class Tally:
    """A stage's counts: what came in is what was accepted and all that was refused."""

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])

    @property
    def received(self) -> int:
        """How many came in."""
        return self.accepted + self.refused.total()

    def as_json(self) -> dict[str, Any]:
        """The counts as runs keep them: in, out and refused by reason."""
        return {"in": self.received, "out": self.accepted, "refused": dict(self.refused)}
