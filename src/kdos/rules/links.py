"""What the clues of a question identify.

Of a fact it is the topic, or the class or module that the topic stands in; of a statement a name in it, or the title.
A clue that identifies nothing in the question has no business in it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kdos.pool.wording import STOP_WORDS
from kdos.rules.passage_index import Fact, PassageStatement, parent_name, stands_in

PHRASES_CACHED = 8_192
DEFINITE = re.compile(r"\b[Tt]he ([^\W\d_]+(?: [^\W\d_]+){1,3})")


@dataclass(frozen=True, slots=True)
class ClueLinks:
    """The clues of a question by what they tell of.

    `topic_clues` are about the asked fact's topic, about a part of it, or name it ("the base class of A is B" names
    B). `home_clues` tell so of `home`, a class or module that the topic stands in; it is "" where there are none.
    """

    asked: Fact
    topic_clues: tuple[Fact, ...]
    home_clues: tuple[Fact, ...]
    home: str
    home_noun: str

    @property
    def can_hide_home(self) -> bool:
        """Do the clues single the home out, so that it needs no name?

        Documentation is kept only where it stands in no other object's, and a base class is told by what derives from
        it. Two names and what is said of them have been found in one module only, but in several classes, and so have
        two of one class.
        """
        if any(clue.relation.name == "documentation" or names_object(clue, self.home) for clue in self.home_clues):
            return True
        parts = {fact.topic.removeprefix(f"{self.home}.").split(".")[0] for fact in (self.asked, *self._part_clues)}
        return self.home_noun == "module" and len(self._part_clues) > 1 and len(parts) > 1

    @property
    def must_hide_home(self) -> bool:
        """Does a clue tell of another part of the home, so that it is for nothing unless it identifies the home?"""
        return len(self._part_clues) > 0

    @property
    def _part_clues(self) -> list[Fact]:
        return [clue for clue in self.home_clues if is_part_of(clue.topic, self.home)]


def link_clues(asked: Fact, clues: Sequence[Fact], title: str) -> ClueLinks | None:
    """What each clue identifies; None if one of them identifies nothing that the others leave room for.

    `title` is the module that the asked fact's document is about.
    """
    topic_clues = tuple(clue for clue in clues if _tells_of(clue, asked.topic))
    home_clues = tuple(clue for clue in clues if not _tells_of(clue, asked.topic))
    if not home_clues:
        return ClueLinks(asked, topic_clues, (), "", "")
    for home in homes_of(asked, title):
        links = ClueLinks(asked, topic_clues, home_clues, home, "module" if home == title else "class")
        told = all(_tells_of(clue, home) for clue in home_clues)
        if told and (links.can_hide_home or not links.must_hide_home):
            return links
    return None


def may_link(asked: Fact, clue: Fact, title: str) -> bool:
    """Could the clue identify something, alone or beside others?"""
    return any(_tells_of(clue, name) for name in (asked.topic, *homes_of(asked, title)))


def homes_of(fact: Fact, title: str) -> Iterator[str]:
    """The classes and the module that a fact's topic stands in, the innermost first."""
    home = fact.parent if fact.topic != title else ""
    while home and (len(home) >= len(title) or not is_part_of(fact.topic, title)):
        yield home
        home = parent_name(home)


def _tells_of(clue: Fact, name: str) -> bool:
    return clue.topic == name or is_part_of(clue.topic, name) or names_object(clue, name)


def is_part_of(name: str, whole: str) -> bool:
    """Is the dotted name one of a part of the other's object?"""
    return name.startswith(f"{whole}.")


def names_object(clue: Fact, name: str) -> bool:
    """Does the clue say of another topic that the object of this name is, say, its base class?"""
    slot = clue.relation.object_slot
    return slot != "" and clue.slots[slot] == name and clue.topic != name


def shared_name(asked: PassageStatement, answer: str, clue: PassageStatement) -> str:
    """What a clue tells of that the question about an instance of a statement names, other than the answer; or empty.

    That is a name in both, or the title, where both are about that, or what both call "the" so and so.
    """
    before, _, after = asked.sentence.partition(answer)
    said = f"{before} | {after}"
    names = [name for name in (clue.subject, *clue.entities) if name and stands_in(name, said)]
    names += [name for name in asked.entities if stands_in(name, clue.sentence) and stands_in(name, said)]
    title = asked.title if asked.title == clue.title and answer not in asked.title else ""
    if title and asked.tells_of_title and clue.tells_of_title:
        names.append(title)
    if clue.subject in names:
        return clue.subject
    return max(names, key=len, default="") or _shared_phrase(said, clue)


def _shared_phrase(said: str, clue: PassageStatement) -> str:
    """The first of the longest things that a text and a clue call alike; empty where there is none."""
    told = _definite_phrases(clue.sentence, chinese=clue.chinese)
    return max((each for each in _definite_phrases(said, chinese=clue.chinese) if each in told), key=len, default="")


@lru_cache(PHRASES_CACHED)
def _definite_phrases(text: str, *, chinese: bool) -> tuple[str, ...]:
    """ "the iron works" and such, of two to four words of which the last says something; in Chinese, runs of signs."""
    if chinese:
        runs = (text[place : place + size] for size in (4, 3) for place in range(len(text) - size + 1))
        return tuple(run for run in runs if run.isalpha())
    found: list[str] = []
    for start in DEFINITE.finditer(text):
        words = start[1].split(" ")
        runs = (words[:size] for size in range(2, len(words) + 1))
        found += [f"the {' '.join(run)}" for run in runs if run[-1] not in STOP_WORDS]
    return tuple(found)
