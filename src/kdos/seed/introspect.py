"""What the standard library says of itself, as JSON on stdout.

Run as a file of its own by ``pydocs.py``, with ``python -I -S``: it imports every module of the
standard library that can be imported without a window, a connection or a word on the terminal,
and nothing else; kdos is not imported here. Only what is the same on each run and for each user
goes out: no addresses, no paths, no settings of the machine.
"""

import enum
import importlib
import inspect
import json
import os
import pkgutil
import re
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator
from types import ModuleType
from typing import Any

Description = dict[str, Any]


def _split_words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Not imported: they open windows or browsers, print, read files of the user's, hold tests, or are another system's.
SKIPPED = _split_words(
    "antigravity this turtle turtledemo tkinter idlelib test lib2to3 distutils ensurepip encodings "
    "pydoc_data nt msilib msvcrt winreg winsound posix genericpath opcode sre_compile "
    "sre_constants sre_parse site sysconfig venv readline rlcompleter"
)
# Submodules that the library reference does not describe: their packages offer what is in them.
PRIVATE = re.compile(r"_|tests?$|windows_|popen_")
INNER = re.compile(
    r"^nturl2path$|^(asyncio|sqlite3|json|curses|unittest\.(?!mock$)|concurrent\.futures|ctypes)\."
    r"|^multiprocessing\.(?!connection$|managers$|pool$|shared_memory$|sharedctypes$)"
    r"|^importlib\.(?!abc$|metadata$|resources$|util$)"
    r"|^xml\.(dom\.(?!minidom$|pulldom$)|sax\.expatreader|etree\.(?!ElementTree$)|parsers\.)"
    r"|^email\.(base64mime|quoprimime|feedparser|mime\.)"
)
# Their values follow the machine, its time zone, its libraries or the way Python was started.
VARYING = _split_words(
    "sys os time tempfile platform locale ssl socket multiprocessing mimetypes webbrowser "
    "posixpath ctypes zlib sqlite3 pyexpat curses resource select pathlib subprocess shutil gettext"
)
LOWER_CASE_CONSTANTS = _split_words("math cmath string token tokenize")
PRINTABLE_ASCII = re.compile(r"[ -_a-~]*")
LONGEST_VALUE = 40


def _import_modules() -> Iterator[ModuleType]:
    """Every module we import, packages before what they hold, in alphabetical order."""
    for name in sorted(sys.stdlib_module_names):
        if not name.startswith("_") and name not in SKIPPED:
            yield from _import_tree(name)


def _import_tree(name: str) -> Iterator[ModuleType]:
    """One module and its submodules; nothing where it cannot be imported here."""
    try:
        module = importlib.import_module(name)
    except BaseException:  # a module may even leave the interpreter when it is imported
        return
    yield module
    inner = (found.name for found in pkgutil.iter_modules(getattr(module, "__path__", ())))
    for part in sorted(inner):
        if not PRIVATE.match(part):
            yield from _import_tree(f"{name}.{part}")


def _public_names(module: ModuleType) -> list[str]:
    """The names a module offers: its ``__all__``, or those without an underscore."""
    names = _exported_names(module) or {name for name in vars(module) if not name.startswith("_")}
    return sorted(name for name in names if hasattr(module, name))


def _exported_names(module: ModuleType) -> set[str]:
    return set(getattr(module, "__all__", None) or ())


def _choose_full_names(shown: list[ModuleType], *, taken: set[str]) -> dict[int, str]:
    """The one full name each class and function goes by, by its identity; none that is `taken`.

    A name that a module lists in ``__all__`` comes before one that just stands there, a short
    module path before a long one, the module where it was made before one that passes it on.
    """
    # Candidates as tuples whose least is the best name: False sorts before True.
    names: dict[int, list[tuple[bool, bool, int, bool, bool, str, str]]] = defaultdict(list)
    for module in shown:
        home, listed = module.__name__, _exported_names(module)
        for name in _public_names(module):
            thing = getattr(module, name)
            own, builtin = _is_made_in(thing, home), home == "builtins"
            if not (isinstance(thing, type) or inspect.isroutine(thing)):
                continue
            if f"{home}.{name}" not in taken and (name in listed or own or builtin):
                alias = name != getattr(thing, "__name__", None)
                depth = home.count(".")
                names[id(thing)].append((not builtin, name not in listed, depth, not own, alias, home, name))
    best = {key: min(known) for key, known in names.items()}
    return {key: f"{known[-2]}.{known[-1]}" for key, known in best.items()}


def _is_made_in(thing: object, module: str) -> bool:
    """Was it made in this module, or in a private one behind it?"""
    made_in = str(getattr(thing, "__module__", None))
    package = module.partition(".")[0]
    return made_in in (module, f"_{module}") or made_in.startswith(f"{package}._")


def _public_full_name(kind: type, names: dict[int, str]) -> str | None:
    """The public full name of a class, without ``builtins``; None where it has none."""
    name = names.get(id(kind))
    return name.removeprefix("builtins.") if name else None


def _describe_module(module: ModuleType, names: dict[int, str]) -> Description:
    name = module.__name__
    functions: list[Description] = []
    classes: list[Description] = []
    constants: list[Description] = []
    for public in _public_names(module):
        thing = getattr(module, public)
        path = f"{name}.{public}"
        if names.get(id(thing)) == path and isinstance(thing, type):
            classes.append(_describe_class(thing, path, names))
        elif names.get(id(thing)) == path:
            functions.append(_describe_function(thing, path))
        elif _is_constant_name(public, name) and (value := _format_literal(thing)) is not None:
            constants.append({"path": path, "value": value})
    return {
        "path": name,
        "noun": "module",
        "doc": _read_documentation(module),
        "exports": len(_exported_names(module)),
        "functions": functions,
        "classes": classes,
        "constants": constants,
    }


def _is_constant_name(name: str, module: str) -> bool:
    steady = module not in VARYING and not name.startswith("_")
    return steady and (name.isupper() or module in LOWER_CASE_CONSTANTS)


def _describe_function(function: Any, path: str) -> Description:
    noun = "coroutine function" if inspect.iscoroutinefunction(function) else "function"
    if inspect.isgeneratorfunction(function):
        noun = "generator function"
    return {
        "path": path.removeprefix("builtins."),
        "noun": noun,
        "doc": _read_documentation(function),
        "signature": _describe_signature(function),
    }


def _describe_class(kind: type, path: str, names: dict[int, str]) -> Description:
    own = sorted(name for name in vars(kind) if not name.startswith("_"))
    methods: list[Description] = []
    properties: list[Description] = []
    attributes: list[Description] = []
    for name in own:
        member = vars(kind)[name]
        if _is_any_method(member):
            if (record := _describe_method(kind, name, path)) is not None:
                methods.append(record)
        elif isinstance(member, property) or inspect.isgetsetdescriptor(member):
            doc = _read_documentation(member)
            public = f"{path}.{name}".removeprefix("builtins.")
            properties.append({"path": public, "noun": "property", "doc": doc})
        elif not issubclass(kind, enum.Enum) and (value := _format_literal(member)) is not None:
            attributes.append({"path": f"{path}.{name}", "value": value})
    return {
        "path": path.removeprefix("builtins."),
        "noun": _class_noun(kind),
        "doc": _read_documentation(kind) if "__doc__" in vars(kind) else "",
        "signature": None if _class_noun(kind) == "enumeration" else _describe_signature(kind),
        "bases": [_public_full_name(base, names) for base in kind.__bases__],
        "members": _enumeration_members(kind),
        "member_count": _count_members(kind),
        "fields": _field_names(kind),
        "method_count": sum(_is_any_method(vars(kind)[name]) for name in own),
        "methods": methods,
        "properties": properties,
        "attributes": [] if path.split(".")[0] in VARYING else attributes,
    }


def _class_noun(kind: type) -> str:
    if issubclass(kind, BaseException):
        return "exception"
    if issubclass(kind, enum.Enum):
        return "enumeration"
    return "abstract class" if inspect.isabstract(kind) else "class"


def _enumeration_members(kind: type) -> list[tuple[str, str]]:
    if not issubclass(kind, enum.Enum):
        return []
    # `__members__` holds aliases too; they come with the name of what they stand for.
    values = [(m.name, _format_literal(m.value)) for m in kind.__members__.values() if m.name]
    known = list(dict.fromkeys(values))
    return [(name, value) for name, value in known if value is not None]


def _count_members(kind: type) -> int:
    """How many members an enumeration has, aliases left out; of flags, that is open to debate."""
    return len(kind) if issubclass(kind, enum.Enum) and not issubclass(kind, enum.Flag) else 0


def _field_names(kind: type) -> list[str]:
    """The fields of a named tuple or syntax node, in order."""
    own = vars(kind)
    known = getattr(kind, "_fields", ()) if issubclass(kind, tuple) else own.get("_fields", ())
    plain = isinstance(known, tuple) and all(isinstance(name, str) for name in known)
    return list(known) if plain else []


def _is_any_method(member: object) -> bool:
    return isinstance(member, (classmethod, staticmethod)) or inspect.isroutine(member)


def _describe_method(kind: type, name: str, path: str) -> Description | None:
    """A method that a class defines itself; None for a second name of another one."""
    method = getattr(kind, name)
    # An alias: the same facts would be told under two names.
    if getattr(method, "__name__", None) != name:
        return None
    member = vars(kind)[name]
    noun = "static method" if isinstance(member, staticmethod) else "method"
    # Class methods written in C, such as dict.fromkeys, are no `classmethod` objects.
    in_c = type(member).__name__ == "classmethod_descriptor"
    if in_c or isinstance(member, classmethod) or inspect.ismethod(method):
        noun = "class method"
    return {
        "path": f"{path}.{name}".removeprefix("builtins."),
        "noun": noun,
        "doc": _read_documentation(method),
        "signature": _describe_signature(method, bound=noun == "method"),
    }


def _describe_signature(function: Any, *, bound: bool = False) -> Description | None:
    """Parameters and return annotation; for a method `bound` to an instance without ``self``."""
    try:
        found = inspect.signature(function)
    except Exception:  # text signatures of C functions may name what does not exist
        return None
    parameters = list(found.parameters.values())
    if bound:
        # Some C methods show no `self`: which parameter is the first would be a guess.
        if not parameters or parameters[0].name != "self":
            return None
        parameters = parameters[1:]
    # ``(*args, **kwargs)`` is how a wrapper looks, not what can be passed.
    if parameters and all(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return None
    return {
        "self": bound,
        "returns": _format_annotation(found.return_annotation),
        "parameters": [
            {
                "name": p.name,
                "kind": p.kind.description,
                "default": None if p.default is p.empty else _format_literal(p.default),
                "optional": p.default is not p.empty,
                "annotation": _format_annotation(p.annotation),
            }
            for p in parameters
        ],
    }


def _format_annotation(value: object) -> str | None:
    """An annotation as it reads in a signature; None where there is none or it is unwieldy."""
    if value is inspect.Signature.empty:
        return None
    text = inspect.formatannotation(value)
    return text if re.fullmatch(r"[\w.]+(\[[\w., |\[\]]+\])?", text) and len(text) <= 30 else None


ABSOLUTE_PATH = re.compile(r"/[^/]|[A-Za-z]:[\\/]")
"""Where this machine keeps something, such as the interpreter."""


def _format_literal(value: object) -> str | None:
    """The value as Python writes it, for short plain ones; None for all others."""
    # Of tuples only the empty one: the items of others would need the same care.
    if isinstance(value, tuple) and len(value) > 0:
        return None
    if type(value) not in (type(None), bool, int, float, str, bytes, tuple):
        value = int(value) if isinstance(value, int) and isinstance(value, enum.Enum) else ...
    if value is ... or (isinstance(value, str) and ABSOLUTE_PATH.match(value)):
        return None
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE and PRINTABLE_ASCII.fullmatch(text) else None


def _read_documentation(thing: object) -> str:
    doc = getattr(thing, "__doc__", None)
    return inspect.cleandoc(doc) if isinstance(doc, str) else ""


def _unnamed_docs(found: list[ModuleType], names: dict[int, str]) -> list[str]:
    """The doc strings of all public classes, methods and functions that we give no name."""
    strangers: dict[int, Any] = {}
    for module in found:
        for thing in (getattr(module, name) for name in _public_names(module)):
            if id(thing) not in names and (isinstance(thing, type) or inspect.isroutine(thing)):
                strangers[id(thing)] = thing
    kinds = [thing for thing in strangers.values() if isinstance(thing, type)]
    members = [member for kind in kinds for member in vars(kind).values()]
    return list(filter(None, map(_read_documentation, [*strangers.values(), *members])))


def print_introspection() -> None:
    """Write one JSON list to the stdout we were started with; imports may print nowhere."""
    # The report goes to a copy of the descriptor; number 1 itself leads to nowhere from here on, so
    # that not even a C library can write between.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        warnings.simplefilter("ignore")
        found = list(_import_modules())
        shown = [module for module in found if not INNER.match(module.__name__)]
        names = _choose_full_names(shown, taken={module.__name__ for module in found})
        report = {
            "modules": [_describe_module(module, names) for module in shown],
            "other_docs": _unnamed_docs(found, names),
        }
        json.dump(report, out)


if __name__ == "__main__":
    print_introspection()
