"""Wikitext in, clean text out: prose only, a blank line between paragraphs."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from kdos.errors import UsageError

DROPPED_TAGS = frozenset(
    {
        "ref",
        "references",
        "table",
        "gallery",
        "math",
        "ce",
        "chem",
        "timeline",
        "code",
        "pre",
        "source",
        "syntaxhighlight",
        "style",
        "script",
        "imagemap",
        "score",
        "graph",
        "mapframe",
        "maplink",
        "hiero",
        "templatestyles",
    }
)
SHOWN_TEMPLATES = {
    "convert": ("1", "2"),
    "cvt": ("1", "2"),
    "lang": ("2",),
    "langx": ("2",),
    "transl": ("2",),
    "transliteration": ("2",),
    "nowrap": ("1",),
    "nobold": ("1",),
    "circa": ("1",),
    "c.": ("1",),
    "as of": ("1",),
    "val": ("1",),
    "formatnum": ("1",),
    "abbr": ("1",),
    "ill": ("1",),
}
"""Templates that stand for words of the sentence, and which arguments hold them. Ours; all other
templates are dropped."""
END_SECTIONS = frozenset(
    {
        "references",
        "external links",
        "see also",
        "further reading",
        "notes",
        "bibliography",
        "footnotes",
        "sources",
        "citations",
        "notes and references",
    }
)
"""Sections that hold links and no prose, in English."""
PARAGRAPH_BREAK = "\n\n"
_INTERLANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z-]+)?")
_MAGIC = re.compile(r"__[A-Z]+__")
_EMPTIED = re.compile(r"\(\s*[;,:]?\s*\)")
_LEADING = re.compile(r"\(\s*[;,:]\s*")
_SPACES = re.compile(r"[^\S\n]+")
_BEFORE_STOP = re.compile(r" +([,.;:)])")
_LINES = re.compile(r" *\n[ \n]*\n *")


def clean(wikitext: str, *, unlinked: frozenset[str]) -> str:
    """The prose of a page. `unlinked` are the namespaces, in lower case, whose links are no text.

    Out go templates (but for a few that stand for words), tables, references, files, categories,
    comments, formulas and sections of links; a heading becomes a paragraph break.
    """
    code = _library().parse(wikitext)
    parts: list[str] = []
    ended = 0
    for node in code.nodes:
        if type(node).__name__ == "Heading":
            ended = _still_ended(node, ended)
            parts.append(PARAGRAPH_BREAK)
        elif not ended:
            parts.append(_shown(node, unlinked))
    return _tidied("".join(parts))


@cache
def _library() -> Any:
    try:
        import mwparserfromhell
    except ImportError as error:
        message = "reading wikitext needs the package `mwparserfromhell`: pip install 'kdos[seed]'"
        raise UsageError(message) from error
    return mwparserfromhell


def _still_ended(heading: Any, ended: int) -> int:
    """The level of the section of links that we are in after this heading; 0 for none."""
    if str(heading.title.strip_code()).strip().lower() in END_SECTIONS:
        return min(heading.level, ended or heading.level)
    return 0 if heading.level <= ended else ended


def _all_shown(nodes: Iterable[Any], unlinked: frozenset[str]) -> str:
    return "".join(_shown(node, unlinked) for node in nodes)


def _shown(node: Any, unlinked: frozenset[str]) -> str:
    """The words of one node of the page."""
    match type(node).__name__:
        case "Text":
            return str(node.value)
        case "Wikilink":
            return _linked(node, unlinked)
        case "ExternalLink":
            return _all_shown(node.title.nodes, unlinked) if node.title else ""
        case "HTMLEntity":
            return node.normalize() or ""
        case "Tag":
            return _tagged(node, unlinked)
        case "Template":
            return _templated(node, unlinked)
        case "Heading":
            return PARAGRAPH_BREAK
        case _:
            return ""


def _linked(node: Any, unlinked: frozenset[str]) -> str:
    title = str(node.title)
    namespace, colon, _ = title.partition(":")
    namespace = namespace.strip().lower()
    if colon and (namespace in unlinked or (namespace.islower() and _is_language(namespace))):
        return ""
    return _all_shown(node.text.nodes, unlinked) if node.text is not None else title.lstrip(":")


def _is_language(namespace: str) -> bool:
    return _INTERLANGUAGE.fullmatch(namespace) is not None


def _tagged(node: Any, unlinked: frozenset[str]) -> str:
    name = str(node.tag).strip().lower()
    if name == "br":
        return "\n"
    if name in DROPPED_TAGS or node.contents is None:
        return ""
    return _all_shown(node.contents.nodes, unlinked)


def _templated(node: Any, unlinked: frozenset[str]) -> str:
    wanted = SHOWN_TEMPLATES.get(str(node.name).strip().lower(), ())
    values = [node.get(name).value for name in wanted if node.has(name)]
    return " ".join(_all_shown(value.nodes, unlinked).strip() for value in values)


def _tidied(text: str) -> str:
    """Single spaces, no brackets that lost their content, blank lines between paragraphs."""
    text = _SPACES.sub(" ", _MAGIC.sub("", text))
    text = _LEADING.sub("(", _EMPTIED.sub("", text))
    text = _BEFORE_STOP.sub(r"\1", text)
    lines = (line.strip() for line in _LINES.sub(PARAGRAPH_BREAK, text).split("\n"))
    return _LINES.sub(PARAGRAPH_BREAK, "\n".join(lines)).strip()
