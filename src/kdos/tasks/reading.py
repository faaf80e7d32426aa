"""A model's reply as JSON that fits a schema, or the reason why it does not."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import orjson

from kdos.pool import ErrorClass, Refusal
from kdos.tasks.mending import MISSING, UnreadableError, mend

Check = Callable[[Any], str]
"""Gives what is wrong with a value, as `.place must be …`, or nothing."""


def read_json(text: str, schema: Mapping[str, Any]) -> dict[str, Any] | Refusal:
    """The one JSON object in `text` that fits `schema`, or why there is none; never a guess."""
    value = read_value(text, schema)
    if isinstance(value, dict | Refusal):
        return cast("dict[str, Any] | Refusal", value)
    return refused("the reply must be a JSON object")


def read_value(text: str, schema: Mapping[str, Any]) -> Any:
    """The one JSON value in `text` that fits `schema`, or a `Refusal`.

    JSON is taken as it is. What is nearly JSON is mended where it has one reading (`mending.py`).
    Of several values the one that fits counts, else the list of them all; where two different ones
    fit there is none. Keys that a closed schema does not know are left out.
    """
    check = check_of(schema)
    try:
        value = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return mended(text, schema, check)
    if isinstance(value, str):
        return refused("the reply is one string, not JSON")
    problem = check(value)
    return refused(f"the reply{problem}") if problem else value


def mended(text: str, schema: Mapping[str, Any], check: Check) -> Any:
    """The one value in `text` that fits, or a `Refusal`."""
    try:
        values = [filled(value, schema) for value in mend(text)]
    except UnreadableError as error:
        return refused(f"the reply must be JSON; {error}")
    fitting = distinct(value for value in values if not check(value))
    if not fitting and len(values) > 1 and not check(values):
        fitting = [values]
    if len(fitting) > 1:
        return refused("the reply must hold one value; it holds several")
    if not fitting:
        return refused(f"the reply{check(values[0])}")
    return refused("a key has no value") if lacks_value(fitting[0]) else fitting[0]


def filled(value: Any, schema: Mapping[str, Any]) -> Any:
    """`value` with what is missing read as empty, where the schema has one empty value for it."""
    match value:
        case dict():
            known = schema.get("properties", {})
            pairs = cast("dict[str, Any]", value)
            return {key: filled(item, known.get(key, {})) for key, item in pairs.items()}
        case list():
            items = cast("list[Any]", value)
            return [filled(item, schema.get("items", {})) for item in items]
        case _ if value is MISSING and schema.get("type") == "string":
            return MISSING if schema.get("minLength") else ""
        case _ if value is MISSING and schema.get("type") == "null":
            return None
        case _:
            return value


def lacks_value(value: Any) -> bool:
    """Whether a key somewhere in `value` has no value."""
    if isinstance(value, dict):
        return any(lacks_value(item) for item in cast("dict[str, Any]", value).values())
    if isinstance(value, list):
        return any(lacks_value(item) for item in cast("list[Any]", value))
    return value is MISSING


def distinct(values: Iterable[Any]) -> list[Any]:
    """The values that differ, in order."""
    kept: list[Any] = []
    for value in values:
        if value not in kept:
            kept.append(value)
    return kept


def failed(error: str) -> Refusal:
    """The refusal for a request whose reply never came."""
    return Refusal("no_reply", ErrorClass.FORMAT_MISMATCH, error)


def refused(detail: str) -> Refusal:
    """The refusal for a reply that is not what was asked for."""
    return Refusal("unreadable", ErrorClass.FORMAT_MISMATCH, detail)


# The schema's part: what our prompts use of JSON Schema, compiled to one function a schema.

KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
MOST_CHECKS = 256
CHECKS: dict[int, tuple[Mapping[str, Any], Check]] = {}
"""By identity: kept with its schema, whose identity is nobody else's for as long."""
ANNOTATIONS = {"title", "description", "examples", "default", "$schema"}


def check_of(schema: Mapping[str, Any]) -> Check:
    """The check that a schema stands for, compiled once; a schema in use must not be changed."""
    known = CHECKS.get(id(schema))
    if known is None or known[0] is not schema:
        if len(CHECKS) >= MOST_CHECKS:
            CHECKS.clear()
        known = CHECKS[id(schema)] = (schema, compiled(schema))
    return known[1]


def compiled(schema: Mapping[str, Any]) -> Check:
    """The check for one schema; a keyword that is not known is an error, never passed over."""
    unknown = set(schema) - set(RULES) - COMPANIONS - ANNOTATIONS
    if unknown:
        raise ValueError(f"A schema may use {sorted(RULES)}. It has {sorted(unknown)}.")
    check = both([rule(schema) for keyword, rule in RULES.items() if keyword in schema])
    is_text = schema.get("type") == "string" and schema.keys() <= {"type", "minLength"}
    return text_or(check, schema.get("minLength", 0)) if is_text else check


def text_or(check: Check, least: int) -> Check:
    """The same check of a text, with one look at those that fit: most values are texts."""

    def quick(value: Any) -> str:
        return "" if type(value) is str and len(value) >= least else check(value)

    return quick


def both(checks: Sequence[Check]) -> Check:
    """Every check, the first problem first."""
    if len(checks) == 1:
        return checks[0]

    def check(value: Any) -> str:
        for one in checks:
            if problem := one(value):
                return problem
        return ""

    return check


def of_type(schema: Mapping[str, Any]) -> Check:
    """Is it of the type, or of one of the types."""
    named = schema["type"]
    names: list[str] = [named] if isinstance(named, str) else named
    kinds = tuple(kind for name in names for kind in KINDS[name])
    wanted = " or ".join(names)

    def check(value: Any) -> str:
        kind = type(value)
        return "" if kind in kinds else f" must be of type {wanted}, not {name_of(kind)}"

    return check


def name_of(kind: type) -> str:
    """JSON's name of a Python type."""
    names = [name for name, kinds in KINDS.items() if kind in kinds]
    return names[0] if names else "missing"


def properties(schema: Mapping[str, Any]) -> Check:
    """Are the keys there, do their values fit; drops keys that a closed schema does not know."""
    known = {key: compiled(item) for key, item in schema["properties"].items()}
    required: list[str] = schema.get("required", [])
    closed = schema.get("additionalProperties") is False

    def check(value: Any) -> str:
        if type(value) is not dict:
            return ""
        pairs = cast("dict[str, Any]", value)
        for key in required:
            if key not in pairs:
                return f".{key} is missing"
        for key, one in known.items():
            if key in pairs and (problem := one(pairs[key])):
                return f".{key}{problem}"
        if closed and len(pairs) > len(known):
            for key in [key for key in pairs if key not in known]:
                del pairs[key]
        return ""

    return check


def items(schema: Mapping[str, Any]) -> Check:
    """Does every item of a list fit."""
    one = compiled(schema["items"])

    def check(value: Any) -> str:
        if type(value) is list:
            for number, item in enumerate(cast("list[Any]", value)):
                if problem := one(item):
                    return f"[{number}]{problem}"
        return ""

    return check


def length(schema: Mapping[str, Any], *, keyword: str, kind: type, unit: str) -> Check:
    """Is a text or list long enough (`min…`) or short enough (`max…`)."""
    limit: int = schema[keyword]
    least = keyword.startswith("min")

    def check(value: Any) -> str:
        if type(value) is not kind or (len(value) >= limit if least else len(value) <= limit):
            return ""
        return f" must have {'at least' if least else 'at most'} {limit} {unit}, not {len(value)}"

    return check


def one_of(schema: Mapping[str, Any]) -> Check:
    """Is it one of the values."""
    values: list[Any] = schema["enum"]

    def check(value: Any) -> str:
        fits = any(type(value) is type(one) and value == one for one in values)
        return "" if fits else f" must be one of {values}"

    return check


def any_of(schema: Mapping[str, Any]) -> Check:
    """Does it fit one of the schemas."""
    choices = [compiled(choice) for choice in schema["anyOf"]]

    def check(value: Any) -> str:
        problems = [choice(value) for choice in choices]
        return "" if "" in problems else problems[0]

    return check


RULES: dict[str, Callable[[Mapping[str, Any]], Check]] = {
    "type": of_type,
    "enum": one_of,
    "anyOf": any_of,
    "minLength": lambda schema: length(schema, keyword="minLength", kind=str, unit="characters"),
    "maxLength": lambda schema: length(schema, keyword="maxLength", kind=str, unit="characters"),
    "minItems": lambda schema: length(schema, keyword="minItems", kind=list, unit="items"),
    "maxItems": lambda schema: length(schema, keyword="maxItems", kind=list, unit="items"),
    "items": items,
    "properties": properties,
}
COMPANIONS = {"required", "additionalProperties"}
