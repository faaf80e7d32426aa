"""The public objects of the standard library: their names, kinds and documentation."""

import enum
import importlib
import inspect
import pkgutil
import re
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

UNWANTED = [
    "antigravity", "this", "turtle", "turtledemo", "tkinter", "idlelib", "test", "lib2to3",
    "distutils", "ensurepip", "encodings", "pydoc_data", "nt", "msilib", "msvcrt", "winreg",
    "winsound", "site", "rlcompleter", "readline",
]  # fmt: skip

Names = frozenset[str]
"""All the names of one thing: any one of them is as good as the others."""


def resolve_name(name: str) -> Any:
    """The object of this full name."""
    parts = name.split(".")
    for size in range(len(parts), -1, -1):
        try:
            thing: Any = load_module(".".join(parts[:size]) or "builtins")
        except ImportError:
            continue
        for part in parts[size:]:
            if not hasattr(thing, part):
                break
            thing = getattr(thing, part)
        else:
            return thing
    raise LookupError(name)


def load_module(name: str) -> ModuleType:
    """A module, imported without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def noun(thing: Any) -> str:
    """What an object is called."""
    if isinstance(thing, ModuleType):
        return "module"
    if isinstance(thing, type):
        if issubclass(thing, BaseException):
            return "exception"
        if issubclass(thing, enum.Enum):
            return "enumeration"
        return "abstract class" if inspect.isabstract(thing) else "class"
    if inspect.iscoroutinefunction(thing):
        return "coroutine function"
    return "generator function" if inspect.isgeneratorfunction(thing) else "function"


def member_noun(kind: type, name: str) -> str:
    """What a member that a class defines is called."""
    member = inspect.getattr_static(kind, name)
    if isinstance(member, classmethod) or type(member).__name__ == "classmethod_descriptor":
        return "class method"
    if isinstance(member, staticmethod):
        return "static method"
    if inspect.ismethod(getattr(kind, name)) or (
        inspect.isbuiltin(getattr(kind, name)) and getattr(kind, name).__self__ is kind
    ):
        return "class method"
    return "method" if inspect.isroutine(member) else "property"


def is_own_method(member: object) -> bool:
    """Does it stand in its class as a method?"""
    return isinstance(member, (classmethod, staticmethod)) or inspect.isroutine(member)


@cache
def public_objects() -> dict[str, Any]:
    """Every public module, function, class and class member of the standard library, by name."""
    found: dict[str, Any] = {}
    for module in all_modules():
        found[module.__name__] = module
        names = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
        for name in names:
            thing = getattr(module, name, None)
            if isinstance(thing, type) or inspect.isroutine(thing):
                found[f"{module.__name__}.{name}".removeprefix("builtins.")] = thing
    return found


def all_modules() -> Iterator[ModuleType]:
    """Every module that can be imported here, packages before what they hold."""
    waiting = sorted(n for n in sys.stdlib_module_names if n[0] != "_" and n not in UNWANTED)
    while waiting:
        name = waiting.pop(0)
        try:
            module = load_module(name)
        except Exception:  # not on this system
            continue
        yield module
        inner = (m.name for m in pkgutil.iter_modules(getattr(module, "__path__", ())))
        waiting += [f"{name}.{n}" for n in inner if n[0] != "_" and n not in ("test", "tests")]


@cache
def names_by_id() -> dict[int, set[str]]:
    """All full names of each class and function."""
    names: dict[int, set[str]] = {}
    for name, thing in public_objects().items():
        names.setdefault(id(thing), set()).add(name)
    return names


def names_of(thing: Any) -> Names:
    """All full names of an object."""
    return frozenset(names_by_id().get(id(thing), ()))


@cache
def documented_objects() -> list[tuple[str, str, int, str]]:
    """Noun, full name, identity and doc string of everything that has one."""
    found: list[tuple[str, str, int, str]] = []
    for name, thing in public_objects().items():
        own = None if isinstance(thing, type) and "__doc__" not in vars(thing) else thing.__doc__
        if isinstance(own, str):
            found.append((noun(thing), name, id(thing), squeeze_spaces(own)))
        if isinstance(thing, type):
            found += documented_members(name, thing)
    return found


def documented_members(name: str, kind: type) -> Iterator[tuple[str, str, int, str]]:
    """The same of the public members that a class defines itself."""
    for member_name, member in vars(kind).items():
        inner = getattr(member, "__func__", member)
        doc = getattr(inner, "__doc__", None)
        told = is_own_method(member) or isinstance(member, property)
        told = told or inspect.isgetsetdescriptor(member)
        if member_name[0] != "_" and told and isinstance(doc, str):
            what = member_noun(kind, member_name)
            yield what, f"{name}.{member_name}", id(inner), squeeze_spaces(doc)


def squeeze_spaces(doc: str) -> str:
    """A doc string without backquotes, all white space single."""
    return " ".join(doc.replace("`", "").split())


@cache
def find_documented(sentence: str, what: str) -> list[Names]:
    """The objects of this kind whose documentation holds the sentence, each by all its names."""
    whole = re.compile(rf"(?<!\w){re.escape(sentence)}(?!\w)")
    names: dict[int, set[str]] = {}
    for kind, name, identity, doc in documented_objects():
        if kind == what and sentence in doc and whole.search(doc):
            names.setdefault(identity, set()).add(name)
    return [frozenset(found) for found in names.values()]
