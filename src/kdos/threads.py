"""Work on threads: the same numbers, in the same order, come out for any count of them."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

import numba
import numpy as np
import numpy.typing as npt
import scipy.linalg.cython_blas  # noqa: F401  # compiled matrix products use it; load it before the limit
from threadpoolctl import ThreadpoolController

FetchedItem = TypeVar("FetchedItem")

# More parts than threads, so that no thread waits long for the last one.
PARTS_PER_THREAD = 8


def run_in_spans(work: Callable[[int, int], None], cost: npt.ArrayLike) -> None:
    """Call ``work(start, end)`` over spans of items, of about equal cost, on all threads.

    `work` must release the interpreter, and what it does for an item must not depend on the span.
    Matrix products inside it run on one thread each, since their rounding depends on the count.
    """
    threads = numba.get_num_threads()
    total = np.concatenate([[0.0], np.cumsum(np.asarray(cost, np.float64))])
    wanted = np.linspace(0, total[-1], threads * PARTS_PER_THREAD + 1)[1:-1]
    bounds = np.unique([0, *np.searchsorted(total, wanted), len(total) - 1]).tolist()
    with _blas_controller().limit(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, start, end) for start, end in pairwise(bounds)]:
            done.result()


def fetch_ahead(items: Iterator[FetchedItem], count: int = 1) -> Iterator[FetchedItem]:
    """The same items, none of them None; up to `count` are fetched while others are in use."""
    with ThreadPoolExecutor(1) as fetcher:
        coming = deque(fetcher.submit(next, items, None) for _ in range(count))
        while (item := coming.popleft().result()) is not None:
            coming.append(fetcher.submit(next, items, None))
            yield item


@cache
def _blas_controller() -> ThreadpoolController:
    return ThreadpoolController()
