"""Any text as statements: sentences that can be understood alone, with what is concrete in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from kdos.checks.sentence_checks import is_abstract_sentence
from kdos.pool.sentences import is_mostly_unspaced, quotable_sentences
from kdos.rules.index import (
    INDEXES_CACHED,
    PASSAGES_CACHED,
    PassageIndex,
    PassageKey,
    Passages,
    collect_items,
    passage_key,
)
from kdos.rules.instances import (
    NAME,
    NOT_NAMES,
    Instance,
    find_chinese_instances,
    find_instances,
)

# A Chinese sentence that begins so points back; with the title before it, it can be understood.
LEANING_CHINESE = re.compile(
    r"[他她它牠该此这那其另而但并又也]|同年|同时|后来|因此|之后|当时|此外|由于|然而|不过|随后|其后|目前|现时"
)
# A pronoun among its first words: its subject stands elsewhere, so nothing in it is asked for.
POINTING = re.compile(
    r"(?:[\w'’-]+,? ){0,4}(?:he|she|it|they|we|you|his|her|its|their|our|this|these|those|such|"
    r"both|the (?:former|latter|same|following|above|other|latter's))\b",
    re.IGNORECASE,
)
# Words of four letters or more, numbers, and each Han or kana character by itself.
TOPIC_WORD = re.compile(r"\w{4,}|\d+|[\u3040-\u30ff\u3400-\u9fff]")

BRACKETED_ASIDE = re.compile(r"\s*\([^()]*\)")
CLAUSE_START = re.compile(
    r"(?:; |, (?:which|who|whose|where|although|though|while|but|as well as) | – | — )"
)
SHORTEST_CLUE = 40  # characters


@dataclass(frozen=True, slots=True, eq=False)
class PassageStatement:
    """One sentence of a passage.

    `point` is the sentence as it can be understood alone: word for word, with the title and a
    colon before it where it leans on what went before. `entities` are the names in it, `instances`
    what may be asked for: nothing where its subject is a pronoun. `gist` is the sentence cut short
    to serve as a clue; `titled` says whether it mentions the title.
    """

    sentence: str
    point: str
    gist: str
    title: str
    titled: bool
    chinese: bool
    entities: tuple[str, ...]
    instances: tuple[Instance, ...]

    @property
    def needs_title(self) -> bool:
        """Must the title be there to understand it?"""
        return self.point != self.sentence


@lru_cache(PASSAGES_CACHED)
def read_statements(text: str, title: str) -> tuple[PassageStatement, ...]:
    """The statements of a passage, in order; those nobody could understand alone left out."""
    found = (_read_statement(sentence, title) for sentence in quotable_sentences(text))
    return tuple(each for each in found if each is not None)


def _read_statement(sentence: str, title: str) -> PassageStatement | None:
    """A sentence as a statement; None if nothing in it is concrete, or it leans on what is not."""
    chinese = is_mostly_unspaced(sentence)
    points = not chinese and POINTING.match(sentence) is not None
    leans = points or (chinese and LEANING_CHINESE.match(sentence) is not None)
    if leans and not title:
        return None
    point = sentence
    if leans:
        point = f"{title}：{sentence}" if chinese else f"{title}: {sentence}"
    instances = find_chinese_instances(sentence) if chinese else find_instances(sentence)
    entities = () if chinese else tuple(_names_in_sentence(sentence))
    concrete = chinese or entities or instances
    if not concrete or is_abstract_sentence(point, (*entities, title), asked_for=""):
        return None
    # Who "he" is, only the title says: to ask about it would ask about the title.
    if points:
        instances = []
    return PassageStatement(
        sentence=sentence,
        point=point,
        gist=_shorten_sentence(sentence),
        title=title,
        titled=mentions_title(sentence, title),
        chinese=chinese,
        entities=entities,
        instances=tuple(instances),
    )


def _shorten_sentence(sentence: str) -> str:
    """The sentence without asides, its stop, and all after its first clause if that says enough."""
    text = strip_full_stop(BRACKETED_ASIDE.sub("", sentence))
    clause = CLAUSE_START.search(text, SHORTEST_CLUE)
    # An odd number of quotes before the cut: it would fall within a quotation.
    if clause is None or text.count('"', 0, clause.start()) % 2:
        return text
    return text[: clause.start()]


def strip_full_stop(text: str) -> str:
    """The text without the stop at its end."""
    return text.rstrip(".!?")


def _names_in_sentence(text: str) -> Iterator[str]:
    """The names in an English text; a first word with a capital is none of its own."""
    for match in NAME.finditer(text):
        name = match[0]
        while name and NOT_NAMES.fullmatch(name.split()[0]):
            name = name.partition(" ")[2]
        if len(name) > 2 and (match.start() > 0 or " " in name):
            yield name


def topic_words(text: str) -> set[str]:
    """The words that tell what a text is about."""
    return set(TOPIC_WORD.findall(text.casefold()))


def mentions_title(text: str, title: str) -> bool:
    """Does the text say at least half of the title's words?"""
    wanted = topic_words(title)
    return 2 * len(wanted & topic_words(text)) >= len(wanted)


@dataclass(frozen=True, slots=True)
class StatementIndex(PassageIndex[PassageStatement]):
    """The statements of some passages, and which stand near or share a name."""

    _linked: dict[str, list[PassageStatement]] = field(
        default_factory=dict[str, list[PassageStatement]], repr=False
    )

    def linked_statements(self, statement: PassageStatement) -> list[PassageStatement]:
        """All other statements, those that share a name first, then the nearest ones."""
        if statement.point not in self._linked:
            # By shared names, then by how far apart they stand in the passages.
            ordered = list(self.items.values())
            at = ordered.index(statement)
            ours = set(statement.entities)
            near = [
                (ours.isdisjoint(other.entities), abs(place - at), place)
                for place, other in enumerate(ordered)
                if place != at
            ]
            self._linked[statement.point] = [ordered[place] for *_, place in sorted(near)]
        return self._linked[statement.point]

    def rival_answers(self, statement: PassageStatement, answer: str) -> list[str]:
        """Instances of the same kind as the answer, in other statements."""
        kind = next(each.kind for each in statement.instances if each.text == answer)
        texts = [
            found.text
            for other in self.items.values()
            if other is not statement
            for found in other.instances
            if found.kind == kind
        ]
        return [text for text in dict.fromkeys(texts) if text not in statement.sentence]


def index_statements(passages: Passages) -> StatementIndex:
    """The statements of these passages."""
    return _index_statements(passage_key(passages))


@lru_cache(INDEXES_CACHED)
def _index_statements(key: PassageKey) -> StatementIndex:
    return StatementIndex(*collect_items(key, read_statements))
