"""Every knowledge point that is known, with its place in the space; rows are only ever added."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from kdos.arrays import Float32Array, Int32Array
from kdos.pool.grouping import fact_key


class Inventory:
    """Knowledge points by row: `texts`, `points` shape (n, dim) and `cells` shape (n,).

    Two texts with one `fact_key` are one knowledge point; so are other `wordings` of a row's text.
    """

    def __init__(
        self,
        texts: Sequence[str],
        *,
        points: Float32Array,
        cells: Int32Array,
        wordings: Sequence[Sequence[str]] = (),
    ) -> None:
        self.texts = list(texts)
        self.points = points
        self.cells = cells
        self._rows = {fact_key(text): row for row, text in enumerate(self.texts)}
        for row, others in enumerate(wordings):
            self._rows |= {fact_key(text): row for text in others}

    def __len__(self) -> int:
        return len(self.texts)

    def knows(self, texts: Iterable[str]) -> bool:
        """Whether all of these knowledge points are known."""
        return all(fact_key(text) in self._rows for text in texts)

    def rows(self, texts: Iterable[str]) -> tuple[int, ...]:
        """The rows of knowledge points that are known, in order, each once."""
        return tuple(dict.fromkeys(self._rows[fact_key(text)] for text in texts))

    def add(
        self,
        texts: Iterable[str],
        locate: Callable[[Sequence[str]], tuple[Float32Array, Int32Array]],
    ) -> int:
        """Add those that are new, placed by `locate`; returns how many there were."""
        fresh: dict[str, str] = {}
        for text in texts:
            key = fact_key(text)
            if key not in self._rows:
                fresh.setdefault(key, text)
        if fresh:
            points, cells = locate(list(fresh.values()))
            self.extend(list(fresh.values()), points=points, cells=cells)
        return len(fresh)

    def extend(self, texts: Sequence[str], *, points: Float32Array, cells: Int32Array) -> None:
        """Add knowledge points that are known to be new, with their places."""
        for text in texts:
            self._rows[fact_key(text)] = len(self.texts)
            self.texts.append(text)
        self.points = np.concatenate([self.points, points])
        self.cells = np.concatenate([self.cells, cells])
