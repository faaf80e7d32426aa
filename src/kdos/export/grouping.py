"""Which rows of a table may not be parted by a split: those of one document, and those that ask the same."""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kdos.arrays import Int64Array
from kdos.pool import group_texts
from kdos.pool.duplicates import NEAR_DUPLICATE_JACCARD, find_similar_pairs


def name_groups(
    texts: Sequence[str], documents: Sequence[str | None], *, similar: float = NEAR_DUPLICATE_JACCARD
) -> list[str]:
    """A name for each row, equal where rows may not be parted.

    Rows of one document are together (None is no document), texts that are equal but for case and punctuation, those
    with a Jaccard similarity of `similar`, in (0, 1], or more, and what these link. The name is the document or the
    text of the group's first row: it stays the same when rows are added after it.
    """
    later, earlier = find_similar_pairs(texts, similar=similar)
    links = [(later, earlier), _link_equal(documents), _link_equal(group_texts(texts).group.tolist())]
    ends = [np.concatenate(side) for side in zip(*links, strict=True)]
    shape = (len(texts), len(texts))
    _, group = connected_components(coo_array((np.ones(len(ends[0]), bool), tuple(ends)), shape=shape), directed=False)
    first: dict[int, str] = {}
    names = (text if document is None else document for text, document in zip(texts, documents, strict=True))
    return [first.setdefault(number, name) for number, name in zip(group.tolist(), names, strict=True)]


def _link_equal(keys: Iterable[str | int | None]) -> tuple[Int64Array, Int64Array]:
    """Each row with the first of the same key, but for rows without one; two arrays of shape (n_links,)."""
    first: dict[str | int, int] = {}
    links = [(row, first.setdefault(key, row)) for row, key in enumerate(keys) if key is not None]
    ends = np.array(links, np.int64).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]
