"""The lab: groups of models spread over processes, and what they measured kept on disk."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from time import process_time
from typing import Any, TypeVar

import torch

from kdos.chance import key_bits
from kdos.runner import exit_with_parent
from kdos.store import read_json_file, write_json
from kdos.terminal import Progress

MeasuredRow = dict[str, Any]
ModelGroup = TypeVar("ModelGroup")
MODELS_PER_GROUP = 12
"""Models that a process measures before it writes down what they did; a GPU trains them at once."""


class Lab:
    """Groups of models spread over processes, one a core; what is done is read from `folder`.

    `core_seconds` is the processor time behind all that was measured, on whatever day.
    """

    def __init__(self, folder: Path, *, workers: int) -> None:
        self.core_seconds = 0.0
        self._folder = folder
        self._pool = ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), initializer=_start_worker
        )
        self._progress = Progress()

    def measure_groups(
        self,
        work: Callable[[ModelGroup], list[MeasuredRow]],
        groups: Sequence[ModelGroup],
        *,
        name: str,
    ) -> list[list[MeasuredRow]]:
        """The rows that `work` gives for each group, in the order of the groups.

        A group is known again by its ``repr``, which must hold all that shapes its rows.
        """
        paths = [self._folder / f"{name}-{key_bits(0, repr(group)):032x}.json" for group in groups]
        running = {
            self._pool.submit(_run_timed, work, group): path
            for path, group in zip(paths, groups, strict=True)
            if not path.exists()
        }
        with self._progress.stage(name, total=len(groups)):
            for done, future in enumerate(as_completed(running), len(groups) - len(running) + 1):
                write_json(running[future], future.result())
                self._progress.update(done)
        found = [read_json_file(path) for path in paths]
        self.core_seconds += sum(part["core_seconds"] for part in found)
        return [part["rows"] for part in found]

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)


def _run_timed(
    work: Callable[[ModelGroup], list[MeasuredRow]], group: ModelGroup
) -> dict[str, Any]:
    begun = process_time()
    rows = work(group)
    return {"rows": rows, "core_seconds": process_time() - begun}


def _start_worker() -> None:
    exit_with_parent()
    torch.set_num_threads(1)
