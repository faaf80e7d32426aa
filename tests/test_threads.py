"""Work on threads."""

from collections.abc import Iterator

import pytest

from kdos.threads import fetch_ahead


def counted(n: int, fetched: list[int]) -> Iterator[int]:
    for number in range(n):
        fetched.append(number)
        yield number
    if n == 5:
        raise ValueError("five is too many")


def test_items_come_in_order_and_no_more_than_so_many_ahead() -> None:
    for n in (0, 1, 4, 20):
        fetched: list[int] = []
        came = []
        for item in fetch_ahead(counted(n, fetched), 3):
            came.append(item)
            assert len(fetched) <= len(came) + 3
        assert came == fetched == list(range(n))


def test_an_error_comes_after_the_items_before_it() -> None:
    items = fetch_ahead(counted(5, []))
    assert [next(items) for _ in range(5)] == list(range(5))
    with pytest.raises(ValueError, match="too many"):
        next(items)
