"""A model's reply as JSON that fits a schema, or the reason why it does not."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, cast

import orjson

from kdos.pool import ErrorClass, Refusal
from kdos.tasks.backslashes import double_lone_backslashes
from kdos.tasks.json_repair import MAX_DEPTH, MISSING, UnreadableError, repair_json
from kdos.tasks.prompt import TEXT, a_list, an_object


def read_parts(text: str, name: str) -> list[Any] | Refusal:
    """The list under `name` in a reply. Its items are left to `read_part`, so that a bad one spoils no other."""
    value = read_value(text, an_object(**{name: a_list({})}), whole=False)
    return value if isinstance(value, Refusal) else value[name]


def read_part(part: Any, schema: Mapping[str, Any]) -> dict[str, Any] | Refusal:
    """An item of `read_parts` that fits `schema`, an object's, or why it does not."""
    part = _fill_missing(part, schema)
    problem = schema_problem(part, schema)
    return unreadable_refusal(f"a part of the reply{problem}") if problem else part


def read_value(text: str, schema: Mapping[str, Any], *, whole: bool = True) -> Any:
    """The one JSON value in `text` that fits `schema`, or a `Refusal`; never a guess.

    JSON is taken as it is, but for backslashes that were meant as signs (`backslashes.py`). What is nearly JSON is
    repaired where it has one reading (`json_repair.py`). Of several values the one that fits
    counts, else the list of them all; where two different ones fit there is none. Keys that a closed schema does not
    know are left out. Unless the value has to be `whole`, `MISSING` may stand in it where a key has no value.
    """
    text = double_lone_backslashes(text)
    try:
        value = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        value = _read_repaired(text, schema)
        return unreadable_refusal("a key has no value") if whole and _has_missing_value(value) else value
    if isinstance(value, str):
        return unreadable_refusal("the reply is one string, not JSON")
    # Counting is nearly free, and nearly no reply has so many brackets that they could be nested too deeply.
    if text.count("[") + text.count("{") > MAX_DEPTH and is_deeper_than(value, MAX_DEPTH):
        return unreadable_refusal(f"the reply is nested more than {MAX_DEPTH} levels deep")
    problem = schema_problem(value, schema)
    return unreadable_refusal(f"the reply{problem}") if problem else value


def _read_repaired(text: str, schema: Mapping[str, Any]) -> Any:
    """The one value in `text` that fits, or a `Refusal`."""
    try:
        values = [_fill_missing(value, schema) for value in repair_json(text)]
    except UnreadableError as error:
        return unreadable_refusal(f"the reply must be JSON; {error}")
    problems = [schema_problem(value, schema) for value in values]
    fitting = distinct_values(value for value, problem in zip(values, problems, strict=True) if not problem)
    if not fitting and len(values) > 1 and not schema_problem(values, schema):
        fitting = [values]
    if len(fitting) > 1:
        return unreadable_refusal("the reply must hold one value; it holds several")
    if not fitting:
        return unreadable_refusal(f"the reply{problems[0]}")
    return fitting[0]


def _fill_missing(value: Any, schema: Mapping[str, Any]) -> Any:
    """`value` with what is missing read as empty, where the schema has one empty value for it."""
    if isinstance(value, dict):
        known = schema.get("properties", {})
        pairs = cast("dict[str, Any]", value)
        return {key: _fill_missing(item, known.get(key, {})) for key, item in pairs.items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_fill_missing(item, schema.get("items", {})) for item in items]
    if value is MISSING and schema.get("type") == "string" and not schema.get("minLength"):
        return ""
    return None if value is MISSING and schema.get("type") == "null" else value


def _has_missing_value(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_missing_value(item) for item in cast("dict[str, Any]", value).values())
    if isinstance(value, list):
        return any(_has_missing_value(item) for item in cast("list[Any]", value))
    return value is MISSING


def is_deeper_than(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested more than `levels` deep in a JSON value; no recursion."""
    layer: list[Any] = [value]
    for _ in range(levels + 1):
        containers = [each for each in layer if isinstance(each, dict | list)]
        layer = [item for each in containers for item in (each.values() if isinstance(each, dict) else each)]
        if not containers:
            return False
    return True


def distinct_values(values: Iterable[Any]) -> list[Any]:
    """The values that differ, in order."""
    distinct: list[Any] = []
    for value in values:
        if value not in distinct:
            distinct.append(value)
    return distinct


def no_reply_refusal(error: str) -> Refusal:
    """The refusal for a request whose reply never came."""
    return Refusal("no_reply", ErrorClass.FORMAT_MISMATCH, error)


def unreadable_refusal(detail: str) -> Refusal:
    """The refusal for a reply that is not what was asked for."""
    return Refusal("unreadable", ErrorClass.FORMAT_MISMATCH, detail)


# The schema's part: what our prompts use of JSON Schema.

JSON_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}


def schema_problem(value: Any, schema: Mapping[str, Any]) -> str:
    """What is wrong with a value, as `.place must be …`; empty where it fits the schema.

    Drops the keys that a closed object of the schema does not know.

    Raises:
        ValueError: The schema has a keyword that is not checked here: none is ever passed over.
    """
    if type(value) is str and value and (schema is TEXT or schema == TEXT):
        return ""  # most values are such texts: one look each
    if not schema.keys() <= KNOWN_KEYWORDS:
        unknown = sorted(schema.keys() - KNOWN_KEYWORDS)
        raise ValueError(f"A schema may use {sorted(KEYWORD_CHECKS)}. It has {unknown}.")
    for keyword in schema:
        check = KEYWORD_CHECKS.get(keyword)
        if check is not None and (problem := check(value, schema)):
            return problem
    return ""


def _type_problem(value: Any, schema: Mapping[str, Any]) -> str:
    named, kind = schema["type"], type(value)
    names: list[str] = [named] if isinstance(named, str) else named
    for name in names:  # a loop: `any` would make a generator for each value
        if kind in JSON_TYPES[name]:
            return ""
    other = next((name for name, kinds in JSON_TYPES.items() if kind in kinds), "missing")
    return f" must be of type {' or '.join(names)}, not {other}"


def _enum_problem(value: Any, schema: Mapping[str, Any]) -> str:
    # By type too: in Python 1 == True.
    fits = any(type(value) is type(one) and value == one for one in schema["enum"])
    return "" if fits else f" must be one of {schema['enum']}"


def _any_of_problem(value: Any, schema: Mapping[str, Any]) -> str:
    problems = [schema_problem(value, choice) for choice in schema["anyOf"]]
    return "" if "" in problems else problems[0]


def _length_problem(keyword: str, kind: type, unit: str, value: Any, schema: Mapping[str, Any]) -> str:
    limit: int = schema[keyword]
    least = keyword.startswith("min")
    if type(value) is not kind or (len(value) >= limit if least else len(value) <= limit):
        return ""
    return f" must have {'at least' if least else 'at most'} {limit} {unit}, not {len(value)}"


def _items_problem(value: Any, schema: Mapping[str, Any]) -> str:
    if type(value) is list:
        for number, item in enumerate(cast("list[Any]", value)):
            if problem := schema_problem(item, schema["items"]):
                return f"[{number}]{problem}"
    return ""


def _properties_problem(value: Any, schema: Mapping[str, Any]) -> str:
    if type(value) is not dict:
        return ""
    pairs, known = cast("dict[str, Any]", value), schema["properties"]
    for key in schema.get("required", []):
        if key not in pairs:
            return f".{key} is missing"
    for key, item_schema in known.items():
        if key in pairs and (problem := schema_problem(pairs[key], item_schema)):
            return f".{key}{problem}"
    if schema.get("additionalProperties") is False and pairs.keys() != known.keys():
        for key in pairs.keys() - known.keys():
            del pairs[key]
    return ""


KEYWORD_CHECKS: dict[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "type": _type_problem,
    "enum": _enum_problem,
    "anyOf": _any_of_problem,
    "minLength": partial(_length_problem, "minLength", str, "characters"),
    "maxLength": partial(_length_problem, "maxLength", str, "characters"),
    "minItems": partial(_length_problem, "minItems", list, "items"),
    "maxItems": partial(_length_problem, "maxItems", list, "items"),
    "items": _items_problem,
    "properties": _properties_problem,
}
# `required` and `additionalProperties` are read with `properties`; the rest asks nothing.
ANNOTATIONS = {"title", "description", "examples", "default", "$schema"}
KNOWN_KEYWORDS = {*KEYWORD_CHECKS, "required", "additionalProperties", *ANNOTATIONS}
