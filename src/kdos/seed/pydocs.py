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

SOURCE_NAME = "pydocs"
LICENCE = "PSF-2.0"
PARAGRAPH_SIZE = 1000  # characters; a passage of the loop holds about 1,200
FEWEST_FACTS = 5  # a module that says less is no document
SENTENCES_PER_OBJECT = 2
SHORTEST_SENTENCE, LONGEST_SENTENCE = 20, 160  # characters
TELLING_WORDS = 4  # so many words in a row that stand nowhere else make a sentence unique
SPECIAL_PARAMETER_KINDS = frozenset({"positional-only", "keyword-only", "variadic positional", "variadic keyword"})
PLAIN_TEXT = re.compile(r"[ -_a-~]+")
# reStructuredText, doctests, signatures and links: what cannot be quoted as a plain sentence.
MARKUP = re.compile(r"::|>>>|:\w+:|->|\*\*|\*\w+\*|\||\\|<|@|\$|//")
# Doc strings name variables of one letter and quote names, so a rule of their own splits them: `kdos.pool.sentences`
# takes "B." for an initial, which changes 74 of Python 3.11's 12,681 paragraphs.
ABBREVIATION = re.compile(r"\b(e\.g|i\.e|etc|cf|vs|approx|incl|resp|[A-Z])\.$")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")

# The chapters of the library reference, each with the first names of its modules. A chapter is a document's domain.
SECTIONS = {
    "built-ins": "builtins",
    "text": "string re difflib textwrap unicodedata stringprep rlcompleter",
    "binary data": "struct codecs",
    "data types": "datetime zoneinfo calendar collections heapq bisect array weakref types copy "
        "pprint reprlib enum graphlib",
    "numbers": "numbers math cmath decimal fractions random statistics",
    "functional": "itertools functools operator",
    "files": "pathlib posixpath ntpath fileinput stat filecmp tempfile glob fnmatch linecache "
        "shutil",
    "persistence": "pickle copyreg shelve marshal dbm sqlite3",
    "compression": "zlib gzip bz2 lzma zipfile tarfile compression",
    "file formats": "csv configparser tomllib netrc plistlib",
    "cryptography": "hashlib hmac secrets",
    "operating system": "os io time argparse getopt logging getpass curses platform errno ctypes",
    "concurrency": "threading multiprocessing concurrent subprocess sched queue contextvars "
        "asyncio",
    "networking": "socket ssl select selectors signal mmap",
    "internet data": "email json mailbox mimetypes base64 binascii quopri",
    "markup": "html xml",
    "internet protocols": "webbrowser wsgiref urllib http ftplib poplib imaplib smtplib uuid "
        "socketserver xmlrpc ipaddress",
    "multimedia": "wave colorsys",
    "internationalisation": "gettext locale",
    "frameworks": "cmd shlex",
    "development": "typing pydoc doctest unittest",
    "debugging": "bdb faulthandler pdb timeit trace tracemalloc profile cProfile pstats",
    "distribution": "zipapp",
    "runtime": "sys warnings dataclasses contextlib abc atexit traceback gc inspect annotationlib",
    "interpreters": "code codeop",
    "importing": "zipimport pkgutil modulefinder runpy importlib imp",
    "language": "ast symtable token keyword tokenize tabnanny pyclbr py_compile compileall dis "
        "pickletools",
    "unix": "pwd grp termios tty pty fcntl resource syslog crypt spwd nis",
    "superseded": "aifc asynchat asyncore audioop cgi cgitb chunk imghdr mailcap nntplib optparse "
        "ossaudiodev pipes smtpd sndhdr sunau telnetlib uu xdrlib",
}  # fmt: skip
SECTION_OF = {module: name for name, modules in SECTIONS.items() for module in modules.split()}

ObjectRecord = Mapping[str, Any]
RELATIONS = {relation.name: relation for relation in PYTHON_RELATIONS}


def read_library_documents() -> Iterator[Document]:
    """A document for each module that says enough, in alphabetical order."""
    found = _run_introspection()
    unique = Uniqueness([*_all_doc_strings(found["modules"]), *found["other_docs"]])
    for module in found["modules"]:
        paragraphs = list(_module_paragraphs(module, unique))
        if sum(map(len, paragraphs)) < FEWEST_FACTS:
            continue
        blocks = [block for facts in paragraphs for block in split_into_paragraphs(facts)]
        yield Document(
            id=module["path"],
            title=module["path"],
            text="\n\n".join(blocks),
            domain=SECTION_OF.get(module["path"].partition(".")[0], "other"),
            source=SOURCE_NAME,
            licence=LICENCE,
        )


def _run_introspection() -> dict[str, Any]:
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


def split_into_paragraphs(facts: list[str]) -> Iterator[str]:
    """One object's facts as paragraphs of at most `PARAGRAPH_SIZE` characters, one fact a line."""
    block: list[str] = []
    for fact in facts:
        if block and sum(map(len, block)) + len(block) + len(fact) > PARAGRAPH_SIZE:
            yield "\n".join(block)
            block = []
        block.append(fact)
    if block:
        yield "\n".join(block)


def _write_fact(relation: str, **slots: str | int) -> str:
    # `s` is the plural ending of what is counted.
    ending = "" if slots.get("count") == 1 else "s"
    texts = {slot: str(value) for slot, value in slots.items()}
    return RELATIONS[relation].write_sentence(s=ending, **texts)


def _module_paragraphs(module: ObjectRecord, unique: "Uniqueness") -> Iterator[list[str]]:
    path = module["path"]
    head = list(_documentation_facts(module, unique))
    if module["exports"] > 1:
        head.append(_write_fact("export count", owner=path, count=module["exports"]))
    yield head
    for function in module["functions"]:
        yield _function_facts(function, path, unique)
    for kind in module["classes"]:
        yield from _class_paragraphs(kind, path, unique)
    yield [_write_fact("constant", owner=c["path"], value=c["value"]) for c in module["constants"]]


def _function_facts(function: ObjectRecord, module: str, unique: "Uniqueness") -> list[str]:
    owner = function["path"]
    return [
        _object_kind_fact(function, module),
        *_documentation_facts(function, unique),
        *_signature_facts(owner, function["signature"]),
    ]


def _object_kind_fact(record: ObjectRecord, module: str) -> str:
    n = "n" if record["noun"][0] in "aeiou" else ""
    return _write_fact("kind", owner=record["path"], n=n, noun=record["noun"], module=module)


def _class_paragraphs(kind: ObjectRecord, module: str, unique: "Uniqueness") -> Iterator[list[str]]:
    owner = kind["path"]
    yield [
        _object_kind_fact(kind, module),
        *_documentation_facts(kind, unique),
        *_base_facts(kind),
        *_shape_facts(kind),
        *_signature_facts(owner, kind["signature"]),
        *(_write_fact("attribute", owner=a["path"], value=a["value"]) for a in kind["attributes"]),
    ]
    for method in kind["methods"]:
        if method["doc"]:
            yield _method_facts(method, owner, unique)
    for attribute in kind["properties"]:
        if facts := list(_documentation_facts(attribute, unique)):
            yield [_defines_fact(attribute, owner), *facts]


def _defines_fact(record: ObjectRecord, owner: str) -> str:
    member = record["path"].rpartition(".")[2]
    return _write_fact("defines", owner=owner, noun=record["noun"], member=member)


def _method_facts(method: ObjectRecord, owner: str, unique: "Uniqueness") -> list[str]:
    facts = [*_documentation_facts(method, unique)]
    if method["noun"] != "method":
        facts.append(_write_fact("method kind", owner=method["path"], kind=method["noun"]))
    facts += _signature_facts(method["path"], method["signature"])
    return facts or [_defines_fact(method, owner)]


def _base_facts(kind: ObjectRecord) -> Iterator[str]:
    bases = kind["bases"]
    if len(bases) == 1:
        if bases[0] not in (None, "object"):
            yield _write_fact("base", owner=kind["path"], **{"class": bases[0]})
        return
    # A base without a public name keeps its place, so that the others are counted right.
    for ordinal, base in zip(ORDINALS, bases, strict=False):
        if base is not None:
            slots = {"ordinal": ordinal, "class": base}
            yield _write_fact("base in order", owner=kind["path"], **slots)


def _shape_facts(kind: ObjectRecord) -> Iterator[str]:
    """What a class holds: methods, the members of an enumeration, the fields of a tuple or node."""
    owner = kind["path"]
    if count := kind["method_count"]:
        yield _write_fact("method count", owner=owner, count=count)
    if kind["member_count"] > 1:
        yield _write_fact("member count", owner=owner, count=kind["member_count"])
    for member, value in kind["members"]:
        yield _write_fact("member", owner=owner, member=member, value=value)
    for ordinal, member in zip(ORDINALS, kind["fields"], strict=False):
        yield _write_fact("field", owner=owner, ordinal=ordinal, member=member)


def _signature_facts(owner: str, signature: ObjectRecord | None) -> Iterator[str]:
    if signature is None:
        return
    parameters = signature["parameters"]
    besides = " besides `self`" if signature["self"] else ""
    required = sum(not p["optional"] and not p["kind"].startswith("variadic") for p in parameters)
    counts = {"parameter count": len(parameters)} if len(parameters) != 1 else {}
    # With none or all of them required, the count says nothing that the number of all does not.
    if 0 < required < len(parameters):
        counts["required count"] = required
    for name, count in counts.items():
        yield _write_fact(name, owner=owner, count=count, besides=besides)
    for ordinal, parameter in zip(ORDINALS, parameters, strict=False):
        yield from _parameter_facts(owner, ordinal, parameter, besides)
    if signature["returns"]:
        yield _write_fact("return annotation", owner=owner, value=signature["returns"])


def _parameter_facts(owner: str, ordinal: str, parameter: ObjectRecord, besides: str) -> Iterator[str]:
    slots = {"owner": owner, "parameter": parameter["name"]}
    yield _write_fact("position", ordinal=ordinal, besides=besides, **slots)
    if parameter["default"] is not None:
        yield _write_fact("default", value=parameter["default"], **slots)
    if parameter["kind"] in SPECIAL_PARAMETER_KINDS:
        yield _write_fact("passing", passing=parameter["kind"], **slots)
    if parameter["annotation"]:
        yield _write_fact("annotation", value=parameter["annotation"], **slots)


def _documentation_facts(record: ObjectRecord, unique: "Uniqueness") -> Iterator[str]:
    """The first sentences of an object's documentation that no other object's holds."""
    known = (s for s in documentation_sentences(record["doc"]) if s in unique)
    for _, sentence in zip(range(SENTENCES_PER_OBJECT), known, strict=False):
        slots = {"noun": record["noun"], "owner": record["path"]}
        yield _write_fact("documentation", sentence=sentence, **slots)


class Uniqueness:
    """Which sentences stand in the documentation of one object alone.

    A sentence is unique if `TELLING_WORDS` of its words stand in a row in no other object's
    documentation: a stricter test than looking for the sentence, and one pass over all words.
    """

    def __init__(self, docs: Iterable[str]) -> None:
        self._owner: dict[tuple[str, ...], int] = {}
        for number, doc in enumerate(docs):
            for run in _word_runs(doc):
                # -1 marks a run that stands in two doc strings at least.
                if self._owner.setdefault(run, number) != number:
                    self._owner[run] = -1

    def __contains__(self, sentence: str) -> bool:
        return any(self._owner.get(run, -1) >= 0 for run in _word_runs(sentence))


def _all_doc_strings(modules: Iterable[ObjectRecord]) -> Iterator[str]:
    for module in modules:
        yield module["doc"]
        for function in module["functions"]:
            yield function["doc"]
        for kind in module["classes"]:
            yield kind["doc"]
            for member in (*kind["methods"], *kind["properties"]):
                yield member["doc"]


def _word_runs(text: str) -> Iterator[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return zip(*(words[start:] for start in range(TELLING_WORDS)), strict=False)


def documentation_sentences(doc: str) -> list[str]:
    """The sentences of a doc string that can be quoted, without code and markup."""
    found: list[str] = []
    for number, paragraph in enumerate(re.split(r"\n\s*\n", doc)):
        # Lists, headings, code and tables: what is indented or begins with a mark.
        if re.match(r"\s|[-*+=~.#>]|\d+[.)]", paragraph) or re.search(r"\n\s", paragraph):
            continue
        found += [s for s in _split_paragraph(paragraph, first=number == 0) if _is_quotable(s)]
    return list(dict.fromkeys(found))


def _split_paragraph(paragraph: str, *, first: bool) -> list[str]:
    """Its sentences without their full stops; only in the `first` one may the stop be missing."""
    parts: list[str] = []
    for part in SENTENCE_END.split(" ".join(paragraph.replace("`", "").split())):
        if parts and ABBREVIATION.search(parts[-1]):
            parts[-1] += f" {part}"
        else:
            parts.append(part)
    return [part.removesuffix(".") for part in parts if part.endswith(".") or first]


def _is_quotable(sentence: str) -> bool:
    return (
        SHORTEST_SENTENCE <= len(sentence) <= LONGEST_SENTENCE
        and sentence.count(" ") >= TELLING_WORDS - 1
        and sentence[0].isalpha()
        and sentence[-1] not in ":;,"
        and PLAIN_TEXT.fullmatch(sentence) is not None
        and MARKUP.search(sentence) is None
        and sentence.count("(") == sentence.count(")")
        and sentence.count('"') % 2 == 0
        and not re.match(r"[\w.]+\(", sentence)
    )
