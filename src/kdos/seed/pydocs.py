"""The embedded source: the standard library of the Python that runs us, as documents of facts.

A document is a module. A paragraph is one of its objects, a line in it one fact, in the wording
that the rules engine reads (``kdos.rules.relations``). Facts come by introspection in a
process of its own (``introspect.py``), so nothing is imported here.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kdos.errors import UsageError
from kdos.pool import Document
from kdos.rules import ORDINALS, PYTHON_RELATIONS
from kdos.seed.pydocs_sections import section

SOURCE = "pydocs"
LICENCE = "PSF-2.0"
PARAGRAPH = 1000  # characters; a passage of the loop holds about 1,200
FEWEST_FACTS = 5  # a module that says less is no document
SENTENCES_PER_OBJECT = 2
SHORTEST_SENTENCE, LONGEST_SENTENCE = 20, 160  # characters
TELLING_WORDS = 4  # so many words in a row that stand nowhere else make a sentence unique
PASSING = frozenset({"positional-only", "keyword-only", "variadic positional", "variadic keyword"})
PLAIN = re.compile(r"[ -_a-~]+")
MARKUP = re.compile(r"::|>>>|:\w+:|->|\*\*|\*\w+\*|\||\\|<|@|\$|//")
ABBREVIATION = re.compile(r"\b(e\.g|i\.e|etc|cf|vs|approx|incl|resp|[A-Z])\.$")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")

Record = Mapping[str, Any]
RELATIONS = {relation.name: relation for relation in PYTHON_RELATIONS}


def documents() -> Iterator[Document]:
    """A document for each module that says enough, in alphabetical order."""
    found = introspect()
    unique = Uniqueness([*all_docs(found["modules"]), *found["other_docs"]])
    for module in found["modules"]:
        paragraphs = list(module_paragraphs(module, unique))
        if sum(map(len, paragraphs)) < FEWEST_FACTS:
            continue
        blocks = [block for facts in paragraphs for block in cut(facts)]
        yield Document(
            id=module["path"],
            title=module["path"],
            text="\n\n".join(blocks),
            domain=section(module["path"]),
            source=SOURCE,
            licence=LICENCE,
        )


def introspect() -> dict[str, Any]:
    """What ``introspect.py`` finds, in a Python that sees nothing of our environment."""
    script = Path(__file__).with_name("introspect.py")
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-X", "utf8", str(script)]
    done = subprocess.run(  # noqa: S603 (our own file, no input from outside)
        command, cwd=script.parent, env={}, capture_output=True, check=False
    )
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise UsageError(
            f"The source pydocs must be able to inspect {sys.executable}. It failed: {reason}. "
            "Use another Python, or a source of kind text."
        )
    return json.loads(done.stdout)


def cut(facts: list[str]) -> Iterator[str]:
    """The facts of one object as paragraphs of at most `PARAGRAPH` characters, one fact a line."""
    block: list[str] = []
    for fact in facts:
        if block and sum(map(len, block)) + len(block) + len(fact) > PARAGRAPH:
            yield "\n".join(block)
            block = []
        block.append(fact)
    if block:
        yield "\n".join(block)


def fact(relation: str, **slots: str | int) -> str:
    """One sentence."""
    return RELATIONS[relation].write_sentence(**{slot: str(value) for slot, value in slots.items()})


def module_paragraphs(module: Record, unique: "Uniqueness") -> Iterator[list[str]]:
    """The facts of a module, object by object: itself, its functions, classes and constants."""
    path = module["path"]
    head = list(documentation_facts(module, unique))
    if module["exports"] > 1:
        head.append(fact("export count", owner=path, count=module["exports"]))
    yield head
    for function in module["functions"]:
        yield function_facts(function, path, unique)
    for kind in module["classes"]:
        yield from class_paragraphs(kind, path, unique)
    yield [fact("constant", owner=c["path"], value=c["value"]) for c in module["constants"]]


def function_facts(function: Record, module: str, unique: "Uniqueness") -> list[str]:
    """The facts of one function."""
    owner = function["path"]
    return [
        kind_fact(function, module),
        *documentation_facts(function, unique),
        *signature_facts(owner, function["signature"]),
    ]


def kind_fact(record: Record, module: str) -> str:
    """What an object is, and of which module."""
    n = "n" if record["noun"][0] in "aeiou" else ""
    return fact("kind", owner=record["path"], n=n, noun=record["noun"], module=module)


def class_paragraphs(kind: Record, module: str, unique: "Uniqueness") -> Iterator[list[str]]:
    """The facts of a class, then those of each method and property it defines itself."""
    owner = kind["path"]
    yield [
        kind_fact(kind, module),
        *documentation_facts(kind, unique),
        *base_facts(kind),
        *shape_facts(kind),
        *signature_facts(owner, kind["signature"]),
        *(fact("attribute", owner=a["path"], value=a["value"]) for a in kind["attributes"]),
    ]
    for method in kind["methods"]:
        if method["doc"]:
            yield method_facts(method, owner, unique)
    for attribute in kind["properties"]:
        if facts := list(documentation_facts(attribute, unique)):
            yield [defines_fact(attribute, owner), *facts]


def defines_fact(record: Record, owner: str) -> str:
    """Which member a class defines."""
    member = record["path"].rpartition(".")[2]
    return fact("defines", owner=owner, noun=record["noun"], member=member)


def method_facts(method: Record, owner: str, unique: "Uniqueness") -> list[str]:
    """The facts of one method."""
    facts = [*documentation_facts(method, unique)]
    if method["noun"] != "method":
        facts.append(fact("method kind", owner=method["path"], kind=method["noun"]))
    facts += signature_facts(method["path"], method["signature"])
    return facts or [defines_fact(method, owner)]


def base_facts(kind: Record) -> Iterator[str]:
    """The direct base classes that have a public name."""
    bases = kind["bases"]
    if len(bases) == 1:
        if bases[0] not in (None, "object"):
            yield fact("base", owner=kind["path"], **{"class": bases[0]})
        return
    for ordinal, base in zip(ORDINALS, bases, strict=False):
        if base is not None:
            yield fact("base in order", owner=kind["path"], ordinal=ordinal, **{"class": base})


def shape_facts(kind: Record) -> Iterator[str]:
    """What a class holds: methods, the members of an enumeration, the fields of a tuple or node."""
    owner = kind["path"]
    if kind["method_count"]:
        yield fact(
            "method count", owner=owner, count=kind["method_count"], s=plural(kind["method_count"])
        )
    if kind["member_count"] > 1:
        yield fact("member count", owner=owner, count=kind["member_count"])
    for member, value in kind["members"]:
        yield fact("member", owner=owner, member=member, value=value)
    for ordinal, member in zip(ORDINALS, kind["fields"], strict=False):
        yield fact("field", owner=owner, ordinal=ordinal, member=member)


def plural(count: int) -> str:
    """The ending of a noun that is counted."""
    return "" if count == 1 else "s"


def signature_facts(owner: str, signature: Record | None) -> Iterator[str]:
    """The facts of a signature: how many parameters, which, in what order, with what defaults."""
    if signature is None:
        return
    parameters = signature["parameters"]
    besides = " besides `self`" if signature["self"] else ""
    counts = {"parameter count": len(parameters), "required count": required(parameters)}
    if not 0 < counts["required count"] < len(parameters):
        del counts["required count"]
    if len(parameters) == 1:
        counts = {}
    for name, count in counts.items():
        yield fact(name, owner=owner, count=count, s=plural(count), besides=besides)
    for ordinal, parameter in zip(ORDINALS, parameters, strict=False):
        yield from parameter_facts(owner, ordinal, parameter, besides)
    if signature["returns"]:
        yield fact("return annotation", owner=owner, value=signature["returns"])


def required(parameters: list[Record]) -> int:
    """How many parameters a call has to pass."""
    return sum(not p["optional"] and not p["kind"].startswith("variadic") for p in parameters)


def parameter_facts(owner: str, ordinal: str, parameter: Record, besides: str) -> Iterator[str]:
    """The facts of one parameter."""
    slots = {"owner": owner, "parameter": parameter["name"]}
    yield fact("position", ordinal=ordinal, besides=besides, **slots)
    if parameter["default"] is not None:
        yield fact("default", value=parameter["default"], **slots)
    if parameter["kind"] in PASSING:
        yield fact("passing", passing=parameter["kind"], **slots)
    if parameter["annotation"]:
        yield fact("annotation", value=parameter["annotation"], **slots)


def documentation_facts(record: Record, unique: "Uniqueness") -> Iterator[str]:
    """The first sentences of an object's documentation that no other object's holds."""
    known = (s for s in sentences(record["doc"]) if s in unique)
    for _, sentence in zip(range(SENTENCES_PER_OBJECT), known, strict=False):
        yield fact("documentation", noun=record["noun"], owner=record["path"], sentence=sentence)


class Uniqueness:
    """Which sentences stand in the documentation of one object alone.

    A sentence is unique if `TELLING_WORDS` of its words stand in a row in no other object's
    documentation: a stricter test than looking for the sentence, and one pass over all words.
    """

    def __init__(self, docs: Iterable[str]) -> None:
        self._owner: dict[tuple[str, ...], int] = {}
        for number, doc in enumerate(docs):
            for run in runs(doc):
                if self._owner.setdefault(run, number) != number:
                    self._owner[run] = -1

    def __contains__(self, sentence: str) -> bool:
        return any(self._owner.get(run, -1) >= 0 for run in runs(sentence))


def all_docs(modules: Iterable[Record]) -> Iterator[str]:
    """Every doc string."""
    for module in modules:
        yield module["doc"]
        for function in module["functions"]:
            yield function["doc"]
        for kind in module["classes"]:
            yield kind["doc"]
            for member in (*kind["methods"], *kind["properties"]):
                yield member["doc"]


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """Each `TELLING_WORDS` words that follow one another."""
    words = re.findall(r"\w+", text.casefold())
    return zip(*(words[start:] for start in range(TELLING_WORDS)), strict=False)


def sentences(doc: str) -> list[str]:
    """The sentences of a doc string that can be quoted, without code and markup."""
    found: list[str] = []
    for number, paragraph in enumerate(re.split(r"\n\s*\n", doc)):
        if re.match(r"\s|[-*+=~.#>]|\d+[.)]", paragraph) or re.search(r"\n\s", paragraph):
            continue
        found += [s for s in split(paragraph, first=number == 0) if is_quotable(s)]
    return list(dict.fromkeys(found))


def split(paragraph: str, *, first: bool) -> list[str]:
    """Its sentences without their full stops; only in the `first` one may the stop be missing."""
    parts: list[str] = []
    for part in SENTENCE_END.split(" ".join(paragraph.replace("`", "").split())):
        if parts and ABBREVIATION.search(parts[-1]):
            parts[-1] += f" {part}"
        else:
            parts.append(part)
    return [part.removesuffix(".") for part in parts if part.endswith(".") or first]


def is_quotable(sentence: str) -> bool:
    """Is it a plain sentence of a sensible length, not a signature?"""
    return (
        SHORTEST_SENTENCE <= len(sentence) <= LONGEST_SENTENCE
        and sentence.count(" ") >= TELLING_WORDS - 1
        and sentence[0].isalpha()
        and sentence[-1] not in ":;,"
        and PLAIN.fullmatch(sentence) is not None
        and MARKUP.search(sentence) is None
        and sentence.count("(") == sentence.count(")")
        and sentence.count('"') % 2 == 0
        and not re.match(r"[\w.]+\(", sentence)
    )
