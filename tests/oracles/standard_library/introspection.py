"""The values that the running Python gives for a relation of an object."""

import enum
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from library import Names, is_own_method, load_module, member_noun, names_of, noun, resolve_name
from patterns import ORDINALS

Fields = dict[str, str]


def derive_values(relation: str, fields: Fields) -> list[Names]:
    """The values that introspection gives for a relation of a topic, each by all its names."""
    found = DERIVE[relation](resolve_name(fields["topic"]), fields)
    return [value if isinstance(value, frozenset) else frozenset({value}) for value in found]


def write_value(value: object) -> str:
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


def value_at(found: list[str], fields: Fields) -> Iterator[str]:
    """What stands in the place that is meant."""
    number = ORDINALS.index(fields["ordinal"].lower())
    if number < len(found):
        yield found[number]


def ordinals_of(wanted: str, found: list[str]) -> Iterator[str]:
    """The places in which something stands."""
    yield from (ORDINALS[number] for number, name in enumerate(found) if name == wanted)


def homes_of(thing: Any, fields: Fields) -> Iterator[str]:
    """The modules in which an object of this kind stands under its last name."""
    home = fields["topic"].rpartition(".")[0] or "builtins"
    if noun(thing) == fields["noun"] and getattr(load_module(home), fields["topic"].rpartition(".")[2]) is thing:
        yield home


def members_defined(thing: Any, fields: Fields) -> Iterator[str]:
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
    yield member_noun(resolve_name(home), name)


DERIVE: dict[str, Callable[[Any, Fields], Any]] = {
    "kind": homes_of,
    "defines": members_defined,
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
    "parameter at": lambda thing, fields: value_at(
        [p.name for p in parameters(thing, fields)], fields
    ),
    "place of parameter": lambda thing, fields: ordinals_of(
        fields["parameter"], [p.name for p in parameters(thing, fields)]
    ),
    "default": lambda thing, fields: [write_value(parameter(thing, fields).default)],
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
    "value": lambda thing, fields: [write_value(thing)],
    "member value": lambda thing, fields: [write_value(thing[fields["member"]].value)],
    "member of value": lambda thing, fields: [
        name for name, m in thing.__members__.items()
        if write_value(m.value) == fields["it"] and m.name == name
    ],
    "member count": lambda thing, fields: [str(len({m.name for m in thing.__members__.values()}))],
    "field at": lambda thing, fields: value_at(list(thing._fields), fields),
    "place of field": lambda thing, fields: ordinals_of(fields["it"], list(thing._fields)),
    "export count": lambda thing, fields: [str(len(set(thing.__all__)))],
}  # fmt: skip
