"""The class or module that a question's topic stands in, where the question calls the topic by its last name.

It is named ("in the class `json.JSONEncoder`, which ...") or told by what it holds ("in the module in which ..."):
then it is looked for among all classes and modules, and several may fit.
"""

import re
from collections.abc import Iterator
from functools import cache

from introspection import Fields, derive_values
from library import find_documented, noun, public_objects, resolve_name
from patterns import NAME, NOUNS, STATEMENTS

OF_MODULE = re.compile(rf"the ({NOUNS}) `(\w+)` of the module `([\w.]+)`")
NAMED = re.compile(r"\b(?:in|consider|take|think of) the (?:class|module) `([\w.]+)`", re.IGNORECASE)
TOLD = re.compile(
    r"\b(?:in|consider|take|think of|does|of) the (?:class|module) (?:of the module `[\w.]+` )?"
    r"(?:which|whose|in which)",
    re.IGNORECASE,
)
DOCUMENTED = re.compile(r"(?:whose documentation says|which is documented with the words) “([^”]+)”")
BASE = re.compile(r"which is the only base class of `([\w.]+)`")
PATTERNS = STATEMENTS | {"kind": rf"{NAME} is an? (?P<noun>{NOUNS})\b(?! of)"}
# The first letter of a clause is small, and its value ends at the first backquote.
INSIDE = {
    relation: re.compile("in which " + re.sub(r"^T", "t", pattern).replace("`(?P<value>.+)`", "`(?P<value>[^`]+)`"))
    for relation, pattern in PATTERNS.items()
}


def write_full_names(question: str) -> str:
    """The question with "the function `f` of the module `m`" as "the function `m.f`"."""
    return OF_MODULE.sub(lambda m: f"the {m[1]} `{m[3]}.{m[2]}`".replace("`builtins.", "`"), question)


def find_homes(question: str) -> list[str]:
    """Full names of the classes or modules that the question may speak of; none where it speaks of no such thing."""
    if re.match(r"(?:Consider|Take|Think of) ", question) and ". In it, " not in question:
        return []
    if named := NAMED.search(question):
        return [named[1]]
    if not TOLD.search(question):
        return []
    inside = [(relation, match.groupdict()) for relation, p in INSIDE.items() for match in p.finditer(question)]
    told = [
        found
        for said in DOCUMENTED.findall(question)
        for kind in NOUNS.split("|")
        for found in find_documented(said, kind)
    ]
    told += [found for base in BASE.findall(question) for found in derive_values("only base", {"topic": base})]
    holding = [holders(fields["topic"].split(".")[0]) for _, fields in inside]
    # What is documented so may be the home, or the topic itself: where the home holds something, that decides.
    homes = set.intersection(*holding) if holding else set().union(*told)
    homes = [home for home in sorted(homes) if all(holds(relation, fields, home) for relation, fields in inside)]
    return [home for home in homes if any(home in found for found in told)] or homes


@cache
def holders(name: str) -> set[str]:
    """The public classes and modules that hold something of this name."""
    return {home for home, thing in public_objects().items() if hasattr(thing, name)}


def holds(relation: str, fields: Fields, home: str) -> bool:
    """Is the statement true of this home, from which its names leave out the first part?"""
    told = {name: text for name, text in fields.items() if text is not None} | {"topic": f"{home}.{fields['topic']}"}
    try:
        thing = resolve_name(told["topic"])
        if relation == "kind":
            return noun(thing) == told["noun"]
        if relation == "documented":
            return any(told["topic"] in names for names in find_documented(told["value"], told["noun"]))
        values = {name for names in derive_values(relation, told) for name in names}
    except (LookupError, AttributeError, TypeError, ValueError, AssertionError):
        return False
    return told["value"] in values or f"{home}.{told['value']}" in values


def topics_in(homes: list[str], topic: str) -> Iterator[str]:
    """The full names that a topic may have in its home."""
    for home in homes or [""]:
        name = f"{home}.{topic}" if home else topic
        try:
            resolve_name(name)
        except LookupError:
            continue
        yield name
