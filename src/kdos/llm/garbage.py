"""Python's search for cyclic garbage, made rare while requests are out.

Each request makes some fifty objects that live until its reply is given, and no cycle. Python looks through them
twice, and now and then through everything that the process holds, with its lock held: a fifth of a row's time.
"""

import gc
from threading import Lock

NEW_OBJECTS = 10_000
"""So many more than have ended are made before the new ones are looked through; by itself Python takes 700."""


class RareCollections:
    """While it is entered, by any number of threads, what is there is not looked through, and what is new seldom."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entered = 0
        self._thresholds = gc.get_threshold()

    def __enter__(self) -> None:
        with self._lock:
            if not self._entered:
                first, *others = self._thresholds = gc.get_threshold()
                gc.set_threshold(max(first, NEW_OBJECTS) if first else 0, *others)  # 0 turns the search off
            self._entered += 1
            gc.freeze()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._entered -= 1
            if not self._entered:
                gc.unfreeze()
                gc.set_threshold(*self._thresholds)


rare_collections = RareCollections()
