"""What the passages of a request say, by knowledge point, with the passage each stands in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

# Requests about one passage or group follow one another: what was read of it is kept.
PASSAGES_CACHED, INDEXES_CACHED = 4_096, 1_024
Inputs = Mapping[str, Any]
"""What a request says, by name, as `kdos.tasks` writes it."""
Passages = Sequence[Mapping[str, Any]]
PassageKey = tuple[tuple[str, str, str], ...]


class PassageItem(Protocol):
    """A fact or a statement: its sentence in the passage, and the knowledge point it makes."""

    @property
    def sentence(self) -> str:
        """The sentence, word for word."""
        ...

    @property
    def point(self) -> str:
        """The sentence as it can be understood alone."""
        ...


ItemT = TypeVar("ItemT", bound=PassageItem)


@dataclass(frozen=True, slots=True)
class PassageIndex(Generic[ItemT]):
    """Items by their knowledge point, in order; by the same key its passage and that one's title.

    An item that stands in several passages belongs to the first.
    """

    items: Mapping[str, ItemT]
    passages: Mapping[str, str]
    titles: Mapping[str, str]


def passage_key(passages: Passages) -> PassageKey:
    """Id, title and text of each passage, to look their index up by."""
    return tuple((p["id"], p["title"], p["text"]) for p in passages)


def collect_items(
    key: PassageKey, read: Callable[[str, str], Iterable[ItemT]]
) -> tuple[dict[str, ItemT], dict[str, str], dict[str, str]]:
    """The three tables of an index; `read` gives the items of a text under a title."""
    items: dict[str, ItemT] = {}
    homes: dict[str, str] = {}
    titles: dict[str, str] = {}
    for name, title, text in key:
        for item in read(text, title):
            if item.point not in items:
                items[item.point], homes[item.point], titles[item.point] = item, name, title
    return items, homes, titles
