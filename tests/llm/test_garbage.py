"""Python's search for cyclic garbage while requests are out."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdos.llm import Ledger, ScriptedEngine
from kdos.llm.garbage import NEW_OBJECTS, RareCollections


def make_cycles(count: int) -> None:
    for _ in range(count):
        cycle: list[object] = []
        cycle.append(cycle)


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Puts the collector back as it was."""
    before = gc.get_threshold()
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_while_an_exchange_is_open_what_was_there_is_not_looked_through() -> None:
    gc.set_threshold(700, 10, 10)
    with Ledger(Path(":memory:")) as ledger, ledger.open_exchange(ScriptedEngine(lambda _: "")):
        assert gc.get_threshold() == (NEW_OBJECTS, 10, 10)
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == (700, 10, 10)
    assert gc.get_freeze_count() == 0


def test_the_last_of_several_puts_the_collector_back() -> None:
    gc.set_threshold(500, 5, 5)
    rare = RareCollections()
    with rare:
        rare.__enter__()
    assert gc.get_threshold()[0] == NEW_OBJECTS
    assert gc.get_freeze_count() > 0
    rare.__exit__()
    assert gc.get_threshold() == (500, 5, 5)
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("threshold", [0, 2 * NEW_OBJECTS])
def test_who_looks_more_seldom_is_left_alone(threshold: int) -> None:
    gc.set_threshold(threshold, 10, 10)
    with RareCollections():
        assert gc.get_threshold()[0] == threshold


def test_cycles_that_are_made_meanwhile_are_found() -> None:
    with RareCollections():
        gc.collect()
        make_cycles(100)
        assert gc.collect() >= 100
