"""Compiled work spread over threads; the same numbers come out for any count of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numba
import numpy as np
import numpy.typing as npt
import scipy.linalg.cython_blas  # noqa: F401  # compiled matrix products use it; load it before the limit
from threadpoolctl import ThreadpoolController

PARTS_PER_THREAD = 8
"""More parts than threads, so that no thread waits long for the last one."""


def in_spans(work: Callable[[int, int], None], cost: npt.ArrayLike) -> None:
    """Call ``work(start, end)`` over spans of items, of about equal cost, on all threads.

    `work` must release the interpreter, and what it does for an item must not depend on the span.
    Matrix products inside it run on one thread each, since their rounding depends on the count.
    """
    threads = numba.get_num_threads()
    total = np.concatenate([[0.0], np.cumsum(np.asarray(cost, np.float64))])
    wanted = np.linspace(0, total[-1], threads * PARTS_PER_THREAD + 1)[1:-1]
    bounds = np.unique([0, *np.searchsorted(total, wanted), len(total) - 1]).tolist()
    with _controller().limit(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, start, end) for start, end in pairwise(bounds)]:
            done.result()


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
