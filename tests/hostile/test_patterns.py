"""Every regular expression of the package is linear: each is attacked with strings made from its own parts.

Seconds are those of this process's own processor time, and a timer of the same kind ends what runs on, so a busy
machine fails nothing: at the length used here a linear search takes about a millisecond, a quadratic one 500.
"""

import ast
import importlib
import pkgutil
import re
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from re import _constants as codes  # how Python's own compiler names the parts of a pattern
from re import _parser as parser
from types import ModuleType
from typing import Any

import pytest

import kdos

LENGTH = 20_000
"""Characters of an attack."""
LIMIT = 0.1
"""Processor seconds for one attack: a hundred times what a linear search takes."""
ANCHORED = frozenset({"match", "fullmatch"})
"""Methods that look at one place only; all others begin anew at each character."""
ANCHORED_HELPERS = frozenset({"match_end", "_skip_pattern"})
"""Functions that call `match` on the pattern they are given."""
RECORDS = ".pattern"
"""Stands for the patterns that records hold in their attribute `pattern`."""
READ_ONLY = frozenset({"pattern", "flags", "groupindex"})


class OutOfTimeError(Exception):
    """The limit of processor time was reached."""


def ends_within(limit: float, action: Callable[[], Any]) -> bool:
    """Whether `action` ends within `limit` seconds of processor time, in one of three tries."""

    def stop(*_: object) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGVTALRM, stop)
    try:
        for _ in range(3):  # a collection of garbage may fall into one of them
            signal.setitimer(signal.ITIMER_VIRTUAL, limit)
            try:
                action()
            except OutOfTimeError:
                continue
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            return True
        return False
    finally:
        signal.signal(signal.SIGVTALRM, before)


# What there is


def import_modules() -> list[ModuleType]:
    loaded: list[ModuleType] = []
    for found in pkgutil.walk_packages(kdos.__path__, "kdos."):
        if found.name.rpartition(".")[2] == "__main__":
            continue
        try:
            loaded.append(importlib.import_module(found.name))
        except ModuleNotFoundError as error:  # an optional extra that is not installed
            assert not (error.name or "kdos").startswith("kdos"), error
    return loaded


def patterns_inside(value: Any, depth: int = 3) -> Iterator[re.Pattern[str]]:
    """The patterns in a value, in containers, and in the attribute `pattern` of records."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, dict):
        for each in value.values():
            yield from patterns_inside(each, depth - 1)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from patterns_inside(each, depth - 1)
    elif (
        depth and not isinstance(value, type | ModuleType) and isinstance(getattr(value, "pattern", None), re.Pattern)
    ):
        yield value.pattern


def direct_patterns(value: Any) -> list[re.Pattern[str]]:
    """The patterns that a name stands for, by itself or by a key."""
    return [value] if isinstance(value, re.Pattern) else list(value.values()) if isinstance(value, dict) else []


def methods_by_name(tree: ast.Module) -> dict[str, set[str]]:
    """By name: the methods called on it, and `search` where it is passed on to who knows what."""
    uses: dict[str, set[str]] = defaultdict(set)
    explained: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name() as name, attr=method):
                pass
            case ast.Attribute(value=ast.Subscript(value=ast.Name() as name), attr=method):
                pass
            case ast.Attribute(value=ast.Attribute(attr="pattern"), attr=method):
                uses[RECORDS].add(method)
                continue
            case ast.Call(func=ast.Name(id=helper), args=[ast.Name() as name, *_]) if helper in ANCHORED_HELPERS:
                method = "match"
            case _:
                continue
        uses[name.id].add(method)
        explained.add(id(name))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in explained:
            uses[node.id].add("search")
    return uses


def inline_patterns(tree: ast.Module) -> Iterator[tuple[int, re.Pattern[str], set[str]]]:
    """Calls such as ``re.sub("…", …)``: line, pattern and method."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re"), attr=method), args=[ast.Constant(value=str(text)), *_]
            ) if method != "compile":
                yield node.lineno, re.compile(text, re.DOTALL), {method}
            case _:
                pass


def all_patterns() -> dict[str, tuple[re.Pattern[str], frozenset[str]]]:
    """By place: the pattern, and the methods by which it is used."""
    loaded = import_modules()
    trees = {module.__name__: ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")) for module in loaded}
    own = {name: methods_by_name(tree) for name, tree in trees.items()}
    shared: dict[str, set[str]] = defaultdict(set)
    for uses in own.values():
        for name, methods in uses.items():
            shared[name] |= methods
    found: dict[str, tuple[re.Pattern[str], frozenset[str]]] = {}
    known: set[tuple[str, int]] = set()
    for module in loaded:
        short = module.__name__.removeprefix("kdos.")
        for name, value in vars(module).items():
            for number, pattern in enumerate(patterns_inside(value)):
                key = (pattern.pattern, pattern.flags)
                if isinstance(pattern.pattern, str) and key not in known:
                    known.add(key)
                    uses = own[module.__name__] if name.startswith("_") else shared
                    methods = uses[name if pattern in direct_patterns(value) else RECORDS] - READ_ONLY or {"search"}
                    found[f"{short}.{name}" + f"-{number}" * bool(number)] = (pattern, frozenset(methods))
        for line, pattern, methods in inline_patterns(trees[module.__name__]):
            found[f"{short}:{line}"] = (pattern, frozenset(methods))
    return found


# What attacks it

REPEATS = frozenset({codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT})
COMMON = "aA1 ,.-_\"'([{<\n!é中"
"""Characters to take where a set leaves the choice."""
CATEGORIES = {
    codes.CATEGORY_DIGIT: r"\d", codes.CATEGORY_NOT_DIGIT: r"\D", codes.CATEGORY_SPACE: r"\s",
    codes.CATEGORY_NOT_SPACE: r"\S", codes.CATEGORY_WORD: r"\w", codes.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip
CHOICES = 6
"""Texts made of a pattern: where there are alternatives, each takes another."""


class PatternSampler:
    """Texts that a parsed pattern matches (its look-arounds aside); `pumps` are its repeats, with what stands before.

    `choice` says which alternatives, which members of sets, and whether what may be left out is there.
    """

    def __init__(self, choice: int) -> None:
        self.choice = choice
        self.pumps: list[tuple[str, str]] = []
        self.groups: dict[int, str] = {}

    def sample_sequence(self, items: Any, before: str) -> str:
        text = ""
        for operation, argument in items:
            text += self.sample_item(operation, argument, before + text)
        return text

    def sample_item(self, operation: Any, argument: Any, before: str) -> str:
        match operation:
            case codes.LITERAL:
                return chr(argument)
            case codes.NOT_LITERAL:
                return next(char for char in COMMON if ord(char) != argument)
            case codes.ANY:
                return "a"
            case codes.IN:
                members = self.set_members(argument)
                return members[self.choice % len(members)]
            case codes.BRANCH:
                texts = [self.sample_sequence(each, before) for each in argument[1]]
                return texts[self.choice % len(texts)]
            case codes.SUBPATTERN:
                text = self.sample_sequence(argument[-1], before)
                self.groups[argument[0]] = text
                return text
            case codes.ATOMIC_GROUP:
                return self.sample_sequence(argument, before)
            case codes.GROUPREF:
                return self.groups.get(argument, "")
            case codes.ASSERT | codes.ASSERT_NOT:
                self.pumps.append((before, self.sample_sequence(argument[1], before)))
                return ""
            case _ if operation in REPEATS:
                least, most, body = argument
                text = self.sample_sequence(body, before)
                if most > 3:
                    self.pumps.append((before, text))
                return text * max(least, self.choice % 2)
            case _:
                return ""

    @staticmethod
    def set_members(items: Any) -> list[str]:
        """Characters in a set: one of each part of it, or common ones that a negated set holds."""
        if items[0][0] is codes.NEGATE:
            return [char for char in COMMON if not any(in_part(char, *part) for part in items[1:])] or ["\x7f"]
        firsts = [chr(argument if operation is codes.LITERAL else argument[0])
                  for operation, argument in items if operation is not codes.CATEGORY]  # fmt: skip
        return firsts + [char for char in COMMON if any(in_part(char, *part) for part in items)][:4]


def in_part(char: str, operation: Any, argument: Any) -> bool:
    match operation:
        case codes.LITERAL:
            return ord(char) == argument
        case codes.RANGE:
            return argument[0] <= ord(char) <= argument[1]
        case _:
            return re.match(CATEGORIES[argument], char) is not None


def attack_texts(pattern: re.Pattern[str]) -> set[str]:
    """Texts of about `LENGTH` characters: repeats and beginnings of the pattern, many times, and an end that fails."""
    tree = parser.parse(pattern.pattern, pattern.flags)
    pumps: set[tuple[str, str]] = {("", char) for char in "aA1 \n"}
    for choice in range(CHOICES):
        sampler = PatternSampler(choice)
        whole = sampler.sample_sequence(tree, "")
        bodies = [body for _, body in sampler.pumps]
        pumps.update(sampler.pumps)
        pumps.update(("", body + after) for body, after in pairwise(bodies))
        pumps.update(("", whole[:end]) for end in [*range(1, min(len(whole), 10)), -1, len(whole)])
        pumps.update(("", before[:60]) for before, _ in sampler.pumps)
    texts: set[str] = set()
    for before, pump in pumps:
        if pump:
            many = pump * (LENGTH // len(pump))
            texts |= {f"{before}{many}\x00", f"{many}\x00", f"x{many}\n!"}
    return texts


def use_pattern(pattern: re.Pattern[str], text: str, methods: frozenset[str]) -> None:
    for method in methods & ANCHORED:
        getattr(pattern, method)(text)
    if methods - ANCHORED:
        for _ in pattern.finditer(text):
            pass


PATTERNS = all_patterns()


def test_the_patterns_of_every_layer_are_found() -> None:
    assert len(PATTERNS) > 150
    names = {place.rpartition(".")[2] for place in PATTERNS}
    assert {"FENCE", "_LINK", "TRIPLE_RELATIONS", "_DECLINES", "_HEADING"} <= names


@pytest.mark.parametrize(
    "pattern",
    [r"(?:a|\w)+!", r"\s+$", r"<b>.*?</b>", r"(\d+)(?:ms|s)", r"(?:[^.]|\.(?! [A-Z])|(?<=\b[A-Z])\.)*? in b"],
)
def test_the_attacks_find_what_is_not_linear(pattern: str) -> None:
    found = re.compile(pattern)
    attack = lambda text: use_pattern(found, text, frozenset({"search"}))  # noqa: E731
    assert not all(ends_within(LIMIT, lambda text=text: attack(text)) for text in sorted(attack_texts(found)))


@pytest.mark.parametrize("place", PATTERNS)
def test_pattern_is_linear(place: str) -> None:
    pattern, methods = PATTERNS[place]
    for text in sorted(attack_texts(pattern)):
        ended = ends_within(LIMIT, lambda text=text: use_pattern(pattern, text, methods))
        assert ended, f"{place} = {pattern.pattern!r} is not linear on {text[:60]!r} … {text[-5:]!r}"
