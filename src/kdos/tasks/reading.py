"""A model's reply as JSON that fits a schema, or the reason why it does not."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import orjson

from kdos.pool import ErrorClass, Refusal
from kdos.tasks.json_repair import MISSING, UnreadableError, repair_json
from kdos.tasks.request import Reply

Check = Callable[[Any], str]
"""Gives what is wrong with a value, as `.place must be …`, or nothing."""


def read_json(text: str, schema: Mapping[str, Any]) -> dict[str, Any] | Refusal:
    """The one JSON object in `text` that fits `schema`, or why there is none; never a guess."""
    value = read_value(text, schema)
    if isinstance(value, dict | Refusal):
        return cast("dict[str, Any] | Refusal", value)
    return unreadable_refusal("the reply must be a JSON object")


def read_reply(reply: Reply, schema: Mapping[str, Any]) -> dict[str, Any] | Refusal:
    """`read_json` of a reply; a request that failed is a refusal too."""
    if reply.error:
        return no_reply_refusal(reply.error)
    return read_json(reply.text, schema)


def read_value(text: str, schema: Mapping[str, Any]) -> Any:
    """The one JSON value in `text` that fits `schema`, or a `Refusal`.

    JSON is taken as it is. What is nearly JSON is repaired where it has one reading
    (`json_repair.py`). Of several values the one that fits counts, else the list of them all; where
    two different ones fit there is none. Keys that a closed schema does not know are left out.
    """
    check = schema_check(schema)
    try:
        value = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return read_repaired(text, schema, check)
    if isinstance(value, str):
        return unreadable_refusal("the reply is one string, not JSON")
    problem = check(value)
    return unreadable_refusal(f"the reply{problem}") if problem else value


def read_repaired(text: str, schema: Mapping[str, Any], check: Check) -> Any:
    """The one value in `text` that fits, or a `Refusal`."""
    try:
        values = [fill_missing(value, schema) for value in repair_json(text)]
    except UnreadableError as error:
        return unreadable_refusal(f"the reply must be JSON; {error}")
    fitting = distinct_values(value for value in values if not check(value))
    if not fitting and len(values) > 1 and not check(values):
        fitting = [values]
    if len(fitting) > 1:
        return unreadable_refusal("the reply must hold one value; it holds several")
    if not fitting:
        return unreadable_refusal(f"the reply{check(values[0])}")
    return unreadable_refusal("a key has no value") if has_missing_value(fitting[0]) else fitting[0]


def fill_missing(value: Any, schema: Mapping[str, Any]) -> Any:
    """`value` with what is missing read as empty, where the schema has one empty value for it."""
    match value:
        case dict():
            known = schema.get("properties", {})
            pairs = cast("dict[str, Any]", value)
            return {key: fill_missing(item, known.get(key, {})) for key, item in pairs.items()}
        case list():
            items = cast("list[Any]", value)
            return [fill_missing(item, schema.get("items", {})) for item in items]
        case _ if value is MISSING and schema.get("type") == "string":
            return MISSING if schema.get("minLength") else ""
        case _ if value is MISSING and schema.get("type") == "null":
            return None
        case _:
            return value


def has_missing_value(value: Any) -> bool:
    """Whether a key somewhere in `value` has no value."""
    if isinstance(value, dict):
        return any(has_missing_value(item) for item in cast("dict[str, Any]", value).values())
    if isinstance(value, list):
        return any(has_missing_value(item) for item in cast("list[Any]", value))
    return value is MISSING


def distinct_values(values: Iterable[Any]) -> list[Any]:
    """The values that differ, in order."""
    kept: list[Any] = []
    for value in values:
        if value not in kept:
            kept.append(value)
    return kept


def no_reply_refusal(error: str) -> Refusal:
    """The refusal for a request whose reply never came."""
    return Refusal("no_reply", ErrorClass.FORMAT_MISMATCH, error)


def unreadable_refusal(detail: str) -> Refusal:
    """The refusal for a reply that is not what was asked for."""
    return Refusal("unreadable", ErrorClass.FORMAT_MISMATCH, detail)


# The schema's part: what our prompts use of JSON Schema, compiled to one function a schema.

JSON_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
MAX_COMPILED_CHECKS = 256
COMPILED_CHECKS: dict[int, tuple[Mapping[str, Any], Check]] = {}
"""By identity: kept with its schema, whose identity is nobody else's for as long."""
ANNOTATIONS = {"title", "description", "examples", "default", "$schema"}


def schema_check(schema: Mapping[str, Any]) -> Check:
    """The check that a schema stands for, compiled once; a schema in use must not be changed."""
    known = COMPILED_CHECKS.get(id(schema))
    if known is None or known[0] is not schema:
        if len(COMPILED_CHECKS) >= MAX_COMPILED_CHECKS:
            COMPILED_CHECKS.clear()
        known = COMPILED_CHECKS[id(schema)] = (schema, compile_schema(schema))
    return known[1]


def compile_schema(schema: Mapping[str, Any]) -> Check:
    """The check for one schema; a keyword that is not known is an error, never passed over."""
    unknown = set(schema) - set(KEYWORD_COMPILERS) - COMPANION_KEYWORDS - ANNOTATIONS
    if unknown:
        raise ValueError(f"A schema may use {sorted(KEYWORD_COMPILERS)}. It has {sorted(unknown)}.")
    check = join_checks(
        [rule(schema) for keyword, rule in KEYWORD_COMPILERS.items() if keyword in schema]
    )
    is_text = schema.get("type") == "string" and schema.keys() <= {"type", "minLength"}
    return with_text_shortcut(check, schema.get("minLength", 0)) if is_text else check


def with_text_shortcut(check: Check, least: int) -> Check:
    """The same check of a text, with one look at those that fit: most values are texts."""

    def quick(value: Any) -> str:
        return "" if type(value) is str and len(value) >= least else check(value)

    return quick


def join_checks(checks: Sequence[Check]) -> Check:
    """Every check, the first problem first."""
    if len(checks) == 1:
        return checks[0]

    def check(value: Any) -> str:
        for one in checks:
            if problem := one(value):
                return problem
        return ""

    return check


def compile_type(schema: Mapping[str, Any]) -> Check:
    """Is it of the type, or of one of the types."""
    named = schema["type"]
    names: list[str] = [named] if isinstance(named, str) else named
    kinds = tuple(kind for name in names for kind in JSON_TYPES[name])
    wanted = " or ".join(names)

    def check(value: Any) -> str:
        kind = type(value)
        return "" if kind in kinds else f" must be of type {wanted}, not {json_type_name(kind)}"

    return check


def json_type_name(kind: type) -> str:
    """JSON's name of a Python type."""
    names = [name for name, kinds in JSON_TYPES.items() if kind in kinds]
    return names[0] if names else "missing"


def compile_properties(schema: Mapping[str, Any]) -> Check:
    """Are the keys there, do their values fit; drops keys that a closed schema does not know."""
    known = {key: compile_schema(item) for key, item in schema["properties"].items()}
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


def compile_items(schema: Mapping[str, Any]) -> Check:
    """Does every item of a list fit."""
    one = compile_schema(schema["items"])

    def check(value: Any) -> str:
        if type(value) is list:
            for number, item in enumerate(cast("list[Any]", value)):
                if problem := one(item):
                    return f"[{number}]{problem}"
        return ""

    return check


def compile_length(schema: Mapping[str, Any], *, keyword: str, kind: type, unit: str) -> Check:
    """Is a text or list long enough (`min…`) or short enough (`max…`)."""
    limit: int = schema[keyword]
    least = keyword.startswith("min")

    def check(value: Any) -> str:
        if type(value) is not kind or (len(value) >= limit if least else len(value) <= limit):
            return ""
        return f" must have {'at least' if least else 'at most'} {limit} {unit}, not {len(value)}"

    return check


def compile_enum(schema: Mapping[str, Any]) -> Check:
    """Is it one of the values."""
    values: list[Any] = schema["enum"]

    def check(value: Any) -> str:
        fits = any(type(value) is type(one) and value == one for one in values)
        return "" if fits else f" must be one of {values}"

    return check


def compile_any_of(schema: Mapping[str, Any]) -> Check:
    """Does it fit one of the schemas."""
    choices = [compile_schema(choice) for choice in schema["anyOf"]]

    def check(value: Any) -> str:
        problems = [choice(value) for choice in choices]
        return "" if "" in problems else problems[0]

    return check


KEYWORD_COMPILERS: dict[str, Callable[[Mapping[str, Any]], Check]] = {
    "type": compile_type,
    "enum": compile_enum,
    "anyOf": compile_any_of,
    "minLength": lambda schema: compile_length(
        schema, keyword="minLength", kind=str, unit="characters"
    ),
    "maxLength": lambda schema: compile_length(
        schema, keyword="maxLength", kind=str, unit="characters"
    ),
    "minItems": lambda schema: compile_length(schema, keyword="minItems", kind=list, unit="items"),
    "maxItems": lambda schema: compile_length(schema, keyword="maxItems", kind=list, unit="items"),
    "items": compile_items,
    "properties": compile_properties,
}
COMPANION_KEYWORDS = {"required", "additionalProperties"}
