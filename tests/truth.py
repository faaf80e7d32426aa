"""Is a sample about the standard library true? Found out by introspection alone.

Shares no code with kdos: the sentences and questions are read with patterns of this file's own, and
every value is derived anew from the running Python. Run with ``python -I``, since test runners
change the library: it reads a line of JSON for each sample from stdin, a text for a single
statement, and writes what is wrong with it, a list, to stdout.
"""

import enum
import importlib
import inspect
import json
import pkgutil
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any

ORDINALS = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
    "eighteenth", "nineteenth", "twentieth",
]  # fmt: skip
UNWANTED = [
    "antigravity", "this", "turtle", "turtledemo", "tkinter", "idlelib", "test", "lib2to3",
    "distutils", "ensurepip", "encodings", "pydoc_data", "nt", "msilib", "msvcrt", "winreg",
    "winsound", "site", "rlcompleter", "readline",
]  # fmt: skip

NAME = r"`(?P<topic>[\w.]+)`"
NOUNS = (
    "function|coroutine function|generator function|method|class method|static method|property|"
    "class|abstract class|exception|enumeration|module"
)
TRAIT = rf"the (?P<noun>{NOUNS}) whose documentation says “(?P<trait>[^”]+)”"
TOPIC = rf"(?:{NAME}|{TRAIT})"
CLASS, ENUMERATION, MODULE = (
    rf"(?:the {noun} {NAME}|{TRAIT})" for noun in ("class", "enumeration", "module")
)
ORDINAL = rf"(?P<ordinal>{'|'.join(ORDINALS)})"
SELF = r"(?P<besides>(?: besides `self`)?)"
CLAUSES = r"(?:, (?:which|whose) .*?,)?"
PARAMETER = rf"(?:the parameter `(?P<parameter>\w+)`|the {ORDINAL} parameter{SELF})"
OF_PARAMETER = rf"The parameter `(?P<parameter>\w+)` of {NAME}"

STATEMENTS: dict[str, str] = {
    "kind": rf"{NAME} is an? (?P<noun>{NOUNS}) of the module `(?P<value>[\w.]+)`",
    "defines": rf"The class {NAME} defines the (?P<noun>{NOUNS}) `(?P<value>\w+)`",
    "method kind": rf"The method {NAME} is a (?P<value>class method|static method)",
    "parameter count": rf"The signature of {NAME} has (?P<value>\d+) parameters?{SELF}",
    "required count": rf"The signature of {NAME} has (?P<value>\d+) required parameters?{SELF}",
    "parameter at": rf"The {ORDINAL} parameter of {NAME}{SELF} is `(?P<value>\w+)`",
    "default": rf"{OF_PARAMETER} has the default value `(?P<value>.+)`",
    "annotation": rf"{OF_PARAMETER} has the annotation `(?P<value>.+)`",
    "passing": rf"{OF_PARAMETER} is (?P<value>[a-z -]+)",
    "return annotation": rf"The return annotation of {NAME} is `(?P<value>.+)`",
    "only base": rf"The only base class of {NAME} is `(?P<value>[\w.]+)`",
    "base at": rf"The {ORDINAL} base class of {NAME} is `(?P<value>[\w.]+)`",
    "method count": rf"The class {NAME} itself defines (?P<value>\d+) public methods?",
    "value": rf"The (?:constant|class attribute) {NAME} has the value `(?P<value>.+)`",
    "member value": (
        rf"The member `(?P<member>\w+)` of the enumeration {NAME} has the value `(?P<value>.+)`"
    ),
    "member count": rf"The enumeration {NAME} has (?P<value>\d+) members",
    "field at": rf"The {ORDINAL} field of {NAME} is `(?P<value>\w+)`",
    "export count": rf"The module {NAME} lists (?P<value>\d+) names in its `__all__`",
    "documented": rf"The documentation of the (?P<noun>{NOUNS}) {NAME} says “(?P<value>[^”]+)”",
}

QUESTIONS: list[tuple[str, str]] = [
    ("method kind", rf"(?:what|which) (?:kind of method|method kind) [a-z ]*?{TOPIC}"),
    ("method kind", rf"among the kinds of methods, which is {TOPIC}"),
    ("required count", rf"how many required parameters{SELF} does the signature of {TOPIC}"),
    (
        "required count",
        rf"how many of the parameters{SELF} in the signature of {TOPIC}{CLAUSES} are required",
    ),
    ("required count", rf"number of required parameters{SELF} in the signature of {TOPIC}"),
    ("required count", rf"signature of {TOPIC}{CLAUSES} has how many required parameters{SELF}"),
    (
        "required count",
        rf"how many parameters{SELF} in the signature of {TOPIC}{CLAUSES} have to be given",
    ),
    ("parameter count", rf"how many parameters{SELF} does the signature of {TOPIC}"),
    ("parameter count", rf"how many parameters{SELF} are there in the signature of {TOPIC}"),
    (
        "parameter count",
        rf"number of parameters{SELF} that the signature of {TOPIC}{CLAUSES} lists",
    ),
    (
        "parameter count",
        rf"all its parameters{SELF} counted, how many does the signature of {TOPIC}",
    ),
    ("parameter count", rf"signature of {TOPIC}{CLAUSES} has how many parameters{SELF}"),
    (
        "parameter count",
        rf"what number of parameters{SELF} does {TOPIC}{CLAUSES} take by its signature",
    ),
    ("parameter at", rf"what is the {ORDINAL} parameter{SELF} of {TOPIC}"),
    ("parameter at", rf"the name of the {ORDINAL} parameter{SELF} of {TOPIC}"),
    ("parameter at", rf"which parameter comes {ORDINAL}{SELF} in the signature of {TOPIC}"),
    ("parameter at", rf"which name does the {ORDINAL} parameter{SELF} of {TOPIC}{CLAUSES} bear"),
    ("parameter at", rf"signature of {TOPIC}{CLAUSES},? which parameter stands {ORDINAL}{SELF}"),
    ("parameter at", rf"how is the {ORDINAL} parameter{SELF} of {TOPIC}{CLAUSES} called"),
    (
        "place of parameter",
        rf"in which place among the parameters{SELF} of {TOPIC}{CLAUSES} does `(?P<parameter>\w+)`",
    ),
    (
        "place of parameter",
        r"(?:which place does|at which position is|in which place does) `(?P<parameter>\w+)` "
        rf"(?:hold |come )?among the parameters{SELF} of {TOPIC}",
    ),
    ("default", rf"(?:what is the|which) default value (?:of|does) {PARAMETER} of {TOPIC}"),
    ("default", rf"which value does {PARAMETER} of {TOPIC}{CLAUSES} take when the caller"),
    ("default", rf"to which value does {PARAMETER} of {TOPIC}{CLAUSES} default"),
    ("default", rf"what value is used for {PARAMETER} of {TOPIC}{CLAUSES} unless"),
    ("default", rf"if a call of {TOPIC}{CLAUSES} does not pass {PARAMETER}, which value"),
    (
        "passing",
        rf"wh(?:at|ich) (?:kind of parameter|parameter kind) is {PARAMETER} of {TOPIC}",
    ),
    ("passing", rf"how is {PARAMETER} of {TOPIC}{CLAUSES} to be passed by its kind"),
    ("passing", rf"which kind does the signature give {PARAMETER} of {TOPIC}"),
    ("return annotation", rf"(?:what is the|which) return annotation (?:of|does) {TOPIC}"),
    ("return annotation", rf"which type does {TOPIC}{CLAUSES} name in its return annotation"),
    ("return annotation", rf"what does {TOPIC}{CLAUSES} return according to its annotation"),
    ("annotation", rf"which annotation does {PARAMETER} of {TOPIC}"),
    ("annotation", rf"what is the annotation of {PARAMETER} of {TOPIC}"),
    ("annotation", rf"with which type is {PARAMETER} of {TOPIC}"),
    ("annotation", rf"which type does the signature name for {PARAMETER} of {TOPIC}"),
    ("only base", rf"what is the only base class of {TOPIC}"),
    ("only base", rf"from which class is {TOPIC}{CLAUSES} directly derived"),
    ("only base", rf"which class is the only direct base of {TOPIC}"),
    ("only base", rf"which class does {TOPIC}{CLAUSES} directly inherit"),
    ("only base", rf"{TOPIC}{CLAUSES} is a direct subclass of which class"),
    ("base at", rf"what is the {ORDINAL} base class of {TOPIC}"),
    ("base at", rf"which class comes {ORDINAL} among the base classes of {TOPIC}"),
    ("base at", rf"which class stands {ORDINAL} in the list of bases of {TOPIC}"),
    ("base at", rf"among the direct bases of {TOPIC}{CLAUSES},? which class is the {ORDINAL}"),
    ("method count", rf"how many public methods (?:does|stand) [a-z ]*?{TOPIC}"),
    ("method count", rf"number of public methods that {TOPIC}"),
    ("method count", rf"{CLASS}{CLAUSES} itself defines how many public methods"),
    ("value", rf"what is the value of the (?:constant|class attribute) {TOPIC}"),
    ("value", rf"which value does the (?:constant|class attribute) {TOPIC}"),
    ("value", rf"what value does {TOPIC}{CLAUSES} stand for"),
    ("value", rf"to which value is the constant {TOPIC}"),
    ("value", rf"to which value does its class set the attribute {TOPIC}"),
    ("value", rf"the (?:constant|class attribute) {TOPIC}{CLAUSES} holds which value"),
    ("value", rf"what does the class attribute {TOPIC}{CLAUSES} hold before"),
    ("member value", rf"value of the member `(?P<member>\w+)` of {ENUMERATION}"),
    ("member value", rf"which value does `(?P<member>\w+)` have in {ENUMERATION}"),
    (
        "member value",
        rf"in {ENUMERATION}{CLAUSES},? which value belongs to `(?P<member>\w+)`",
    ),
    ("member value", rf"which value stands behind `(?P<member>\w+)` in {TOPIC}"),
    (
        "member of value",
        rf"which member of {ENUMERATION}{CLAUSES} has the value `(?P<it>[^`]+)`",
    ),
    (
        "member of value",
        rf"name of the member with the value `(?P<it>[^`]+)` in {ENUMERATION}",
    ),
    (
        "member of value",
        rf"in {ENUMERATION}{CLAUSES},? to which member does the value `(?P<it>[^`]+)`",
    ),
    (
        "member of value",
        rf"which name does {ENUMERATION}{CLAUSES} hold the value `(?P<it>[^`]+)`",
    ),
    ("member count", rf"how many members (?:does|are there in) {ENUMERATION}"),
    ("member count", rf"number of members of {ENUMERATION}"),
    ("member count", rf"{ENUMERATION}{CLAUSES} consists of how many members"),
    ("field at", rf"what is the {ORDINAL} field of {TOPIC}"),
    ("field at", rf"which field of {TOPIC}{CLAUSES} comes {ORDINAL}"),
    ("field at", rf"name of the {ORDINAL} entry among the fields of {TOPIC}"),
    ("field at", rf"which name stands {ORDINAL} among the fields of {TOPIC}"),
    (
        "place of field",
        r"(?:which position does|which place does|which position is|which place does) "
        rf"`(?P<it>\w+)` (?:stand |hold |come )?among the fields of {TOPIC}",
    ),
    ("export count", rf"how many names does {MODULE}"),
    ("export count", rf"length of the list `__all__` of {MODULE}"),
    ("export count", rf"`__all__` of {MODULE}{CLAUSES} holds how many names"),
    (
        "documented",
        rf"which (?P<noun>{NOUNS})(?:,.*,)? has documentation that says “(?P<it>[^”]+)”",
    ),
    (
        "documented",
        rf"“(?P<it>[^”]+)” stand in the documentation of which (?P<noun>{NOUNS})(?=[?,])",
    ),
    (
        "documented",
        rf"“(?P<it>[^”]+)”: so says the documentation of which (?P<noun>{NOUNS})(?=[?,])",
    ),
    (
        "documented",
        rf"of which (?P<noun>{NOUNS})(?:,.*,)? does the documentation say “(?P<it>[^”]+)”",
    ),
    (
        "documented",
        rf"library, which (?P<noun>{NOUNS})(?:,.*,)? is documented with the words “(?P<it>[^”]+)”"
        r"(?=\?)",
    ),
    (
        "documented",
        rf"full name, which (?P<noun>{NOUNS})(?:,.*,)? does the documentation describe with the "
        r"words “(?P<it>[^”]+)”(?=\?)",
    ),
]

Fields = dict[str, str]
Names = frozenset[str]
"""All the names of one thing: any one of them is as good as the others."""


def problems(question: str, answer: str, knowledge_points: list[str]) -> list[str]:
    """What is untrue of a sample: nothing, if all is well."""
    found = [f"not true: {point}" for point in knowledge_points if not is_true(point)]
    answers = right_answers(question)
    if not answers or any(answer not in names for names in answers):
        found.append(f"{question} -> {[sorted(names) for names in answers]}, not {answer}")
    return found


def is_true(statement: str) -> bool:
    """Does introspection find what the sentence says?"""
    for relation, pattern in STATEMENTS.items():
        if match := re.fullmatch(pattern + r"\.", statement):
            fields = {name: text for name, text in match.groupdict().items() if text is not None}
            if relation == "documented":
                found = owners(fields["value"], fields["noun"])
                return len(found) == 1 and fields["topic"] in found[0]
            return any(fields["value"] in names for names in derive(relation, fields))
    return False


def right_answers(question: str) -> list[Names]:
    """Every answer that introspection finds to the question, whichever way it can be read."""
    plain = re.sub(r" \(not to be confused with `[\w.]+`\)", "", question)
    answers: list[Names] = []
    for relation, pattern in QUESTIONS:
        for match in re.finditer(pattern, plain, re.IGNORECASE):
            fields = {name: text for name, text in match.groupdict().items() if text is not None}
            answers += meant(relation, fields)
    return answers


def meant(relation: str, fields: Fields) -> Iterator[Names]:
    """The answers to one reading of a question."""
    if relation == "documented":
        yield from owners(fields["it"], fields["noun"].lower())
    elif "trait" in fields:
        for names in owners(fields.pop("trait"), fields.pop("noun").lower()):
            yield from derive(relation, fields | {"topic": min(names)})
    else:
        yield from derive(relation, fields)


def derive(relation: str, fields: Fields) -> list[Names]:
    """The values that introspection gives for a relation of a topic, each by all its names."""
    found = DERIVE[relation](resolve(fields["topic"]), fields)
    return [value if isinstance(value, frozenset) else frozenset({value}) for value in found]


def resolve(name: str) -> Any:
    """The object of this full name."""
    parts = name.split(".")
    for size in range(len(parts), -1, -1):
        try:
            thing: Any = load(".".join(parts[:size]) or "builtins")
        except ImportError:
            continue
        for part in parts[size:]:
            if not hasattr(thing, part):
                break
            thing = getattr(thing, part)
        else:
            return thing
    raise LookupError(name)


def load(name: str) -> ModuleType:
    """A module, imported without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def written(value: object) -> str:
    """A value as Python writes it; members of integer enumerations as the integers they are."""
    if isinstance(value, enum.Enum) and isinstance(value, int):
        return repr(int(value))
    return repr(value)


def parameters(thing: Any, fields: Fields) -> list[inspect.Parameter]:
    """The parameters of a callable, without ``self`` where the text leaves that out."""
    found = list(inspect.signature(thing).parameters.values())
    if fields.get("besides"):
        assert found[0].name == "self"
        return found[1:]
    return found


def parameter(thing: Any, fields: Fields) -> inspect.Parameter:
    """The parameter that is meant, by its name or its place."""
    if "ordinal" in fields:
        return parameters(thing, fields)[ORDINALS.index(fields["ordinal"].lower())]
    return inspect.signature(thing).parameters[fields["parameter"]]


def places(found: list[str], fields: Fields) -> Iterator[str]:
    """What stands in the place that is meant."""
    number = ORDINALS.index(fields["ordinal"].lower())
    if number < len(found):
        yield found[number]


def place_of(wanted: str, found: list[str]) -> Iterator[str]:
    """The places in which something stands."""
    yield from (ORDINALS[number] for number, name in enumerate(found) if name == wanted)


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


def kinds(thing: Any, fields: Fields) -> Iterator[str]:
    """The modules in which an object of this kind stands under its last name."""
    home = fields["topic"].rpartition(".")[0] or "builtins"
    if (
        noun(thing) == fields["noun"]
        and getattr(load(home), fields["topic"].rpartition(".")[2]) is thing
    ):
        yield home


def defined(thing: Any, fields: Fields) -> Iterator[str]:
    """The members of this kind that a class defines itself."""
    yield from (n for n in vars(thing) if member_noun(thing, n) == fields["noun"])


def only_base(thing: Any, fields: Fields) -> Iterator[str]:
    """Every name of the only base class."""
    if len(thing.__bases__) == 1:
        yield names_of(thing.__bases__[0])


def base_at(thing: Any, fields: Fields) -> Iterator[str]:
    """Every name of the base class in this place."""
    number = ORDINALS.index(fields["ordinal"].lower())
    if len(thing.__bases__) > 1:
        yield names_of(thing.__bases__[number])


def method_kind(thing: Any, fields: Fields) -> Iterator[str]:
    """How a class defines the method."""
    home, _, name = fields["topic"].rpartition(".")
    yield member_noun(resolve(home), name)


DERIVE: dict[str, Callable[[Any, Fields], Any]] = {
    "kind": kinds,
    "defines": defined,
    "method kind": method_kind,
    "parameter count": lambda thing, fields: [str(len(parameters(thing, fields)))],
    "required count": lambda thing, fields: [
        str(
            sum(
                p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
                for p in parameters(thing, fields)
            )
        )
    ],
    "parameter at": lambda thing, fields: places(
        [p.name for p in parameters(thing, fields)], fields
    ),
    "place of parameter": lambda thing, fields: place_of(
        fields["parameter"], [p.name for p in parameters(thing, fields)]
    ),
    "default": lambda thing, fields: [written(parameter(thing, fields).default)],
    "passing": lambda thing, fields: [parameter(thing, fields).kind.description],
    "annotation": lambda thing, fields: [
        inspect.formatannotation(parameter(thing, fields).annotation)
    ],
    "return annotation": lambda thing, fields: [
        inspect.formatannotation(inspect.signature(thing).return_annotation)
    ],
    "only base": only_base,
    "base at": base_at,
    "method count": lambda thing, fields: [
        str(sum(is_own_method(m) for n, m in vars(thing).items() if not n.startswith("_")))
    ],
    "value": lambda thing, fields: [written(thing)],
    "member value": lambda thing, fields: [written(thing[fields["member"]].value)],
    "member of value": lambda thing, fields: [
        name for name, m in thing.__members__.items()
        if written(m.value) == fields["it"] and m.name == name
    ],
    "member count": lambda thing, fields: [str(len({m.name for m in thing.__members__.values()}))],
    "field at": lambda thing, fields: places(list(thing._fields), fields),
    "place of field": lambda thing, fields: place_of(fields["it"], list(thing._fields)),
    "export count": lambda thing, fields: [str(len(set(thing.__all__)))],
}  # fmt: skip


@cache
def library() -> dict[str, Any]:
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
            module = load(name)
        except Exception:  # not on this system
            continue
        yield module
        inner = (m.name for m in pkgutil.iter_modules(getattr(module, "__path__", ())))
        waiting += [f"{name}.{n}" for n in inner if n[0] != "_" and n not in ("test", "tests")]


@cache
def names_by_id() -> dict[int, set[str]]:
    """All full names of each class and function."""
    names: dict[int, set[str]] = {}
    for name, thing in library().items():
        names.setdefault(id(thing), set()).add(name)
    return names


def names_of(thing: Any) -> Names:
    """All full names of an object."""
    return frozenset(names_by_id().get(id(thing), ()))


@cache
def documentation() -> list[tuple[str, str, int, str]]:
    """Noun, full name, identity and doc string of everything that has one."""
    found: list[tuple[str, str, int, str]] = []
    for name, thing in library().items():
        own = None if isinstance(thing, type) and "__doc__" not in vars(thing) else thing.__doc__
        if isinstance(own, str):
            found.append((noun(thing), name, id(thing), squeezed(own)))
        if isinstance(thing, type):
            found += member_documentation(name, thing)
    return found


def member_documentation(name: str, kind: type) -> Iterator[tuple[str, str, int, str]]:
    """The same of the public members that a class defines itself."""
    for member_name, member in vars(kind).items():
        inner = getattr(member, "__func__", member)
        doc = getattr(inner, "__doc__", None)
        told = is_own_method(member) or isinstance(member, property)
        told = told or inspect.isgetsetdescriptor(member)
        if member_name[0] != "_" and told and isinstance(doc, str):
            what = member_noun(kind, member_name)
            yield what, f"{name}.{member_name}", id(inner), squeezed(doc)


def squeezed(doc: str) -> str:
    """A doc string without backquotes, all white space single."""
    return " ".join(doc.replace("`", "").split())


@cache
def owners(sentence: str, what: str) -> list[Names]:
    """The objects of this kind whose documentation holds the sentence, each by all its names."""
    whole = re.compile(rf"(?<!\w){re.escape(sentence)}(?!\w)")
    names: dict[int, set[str]] = {}
    for kind, name, identity, doc in documentation():
        if kind == what and sentence in doc and whole.search(doc):
            names.setdefault(identity, set()).add(name)
    return [frozenset(found) for found in names.values()]


def main() -> None:
    """Judge every line of stdin."""
    for line in sys.stdin:
        sample = json.loads(line)
        if isinstance(sample, str):
            found = [] if is_true(sample) else [f"not true: {sample}"]
        else:
            found = problems(sample["question"], sample["answer"], sample["knowledge_points"])
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
