"""Wikitext in, clean text out: prose only, a blank line between paragraphs."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html import unescape
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
    "abbr": ("1",),
    "ill": ("1",),
}
"""Templates that stand for words of the sentence, and which arguments hold them. Ours; all other
templates are dropped."""
FORMATNUM = "formatnum:"
"""The parser function for numbers: its argument is part of its name."""
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
ITEM = "\x00"
"""Stands before each line of a list until the text is tidied; no XML text can hold it."""
_HEADING = re.compile(
    r"^(?P<level>={1,6})[ \t]*(?P<title>.+?)[ \t]*(?P=level)[ \t]*$", re.MULTILINE
)
_INTERLANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z-]+)?")
_LEFT_OVER = re.compile(
    r"__[A-Z]+__|<ref[^<>]*/>|<ref[^<>]*>[^<>]*</ref>|</?[a-z][^<>]*>|\{\{[^{}]*\}\}"
    r"|\[\[[a-z]+:[^\n]*|'{2,}|^ *[{|!][^\n]*$",
    re.MULTILINE | re.IGNORECASE,
)
"""Markup that the parser left as text, because it is unbalanced on the page."""
_SPACES = re.compile(r"[^\S\n]+")
_EMPTIED = re.compile(r"\(\s*[;,:]?\s*\)")
_LEADING = re.compile(r"\(\s*[;,:]?\s+")
_BEFORE_STOP = re.compile(r" +(?=[,.;:)\n])")
_BLANK = re.compile(r"\s*\n\s*\n\s*")
_INSIDE = re.compile(r"^([^\x00\n].*) ?\n(?=[^\x00\n])", re.MULTILINE)
"""The end of a line that goes on in the next one: wikitext breaks lines at blank ones only."""


def clean(wikitext: str, *, unlinked: frozenset[str]) -> str:
    """The prose of a page. `unlinked` are the namespaces, in lower case, whose links are no text.

    Out go templates (but for a few that stand for words), tables, references, files, categories,
    comments, formulas and sections of links; a heading becomes a paragraph break.
    """
    parse = _library().parse
    sections = (_all_shown(parse(part).nodes, unlinked) for part in _sections(wikitext))
    return _tidied(PARAGRAPH_BREAK.join(sections))


def _sections(wikitext: str) -> Iterator[str]:
    """What stands under each heading, without the headings and without sections of links.

    Each is parsed by itself, so that what is unbalanced in one does not swallow the next.
    """
    start = ended = 0
    for heading in (*_HEADING.finditer(wikitext), None):
        if not ended:
            yield wikitext[start : heading.start() if heading else None]
        if heading is None:
            return
        level = len(heading["level"])
        if not 0 < ended < level:
            ended = level if heading["title"].lower() in END_SECTIONS else 0
        start = heading.end()


@cache
def _library() -> Any:
    try:
        import mwparserfromhell
    except ImportError as error:
        message = "reading wikitext needs the package `mwparserfromhell`: pip install 'kdos[seed]'"
        raise UsageError(message) from error
    return mwparserfromhell


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
    if name in ("li", "dt", "dd") and node.wiki_markup:
        return ITEM
    if name == "br":
        return "\n"
    if name in DROPPED_TAGS or node.contents is None:
        return ""
    return _all_shown(node.contents.nodes, unlinked)


def _templated(node: Any, unlinked: frozenset[str]) -> str:
    name = str(node.name).strip().lower()
    if name.startswith(FORMATNUM):
        return name.removeprefix(FORMATNUM)
    wanted = SHOWN_TEMPLATES.get(name, ())
    values = [node.get(name).value for name in wanted if node.has(name)]
    return " ".join(_all_shown(value.nodes, unlinked).strip() for value in values)


def _tidied(text: str) -> str:
    """Single spaces, no brackets that lost their content; a line for each paragraph and item."""
    text = _SPACES.sub(" ", _LEFT_OVER.sub("", unescape(text)))
    text = _LEADING.sub("(", _EMPTIED.sub("", text))
    text = _BEFORE_STOP.sub("", _SPACES.sub(" ", text))
    text = "\n".join(_trimmed(line) for line in text.split("\n"))
    return _INSIDE.sub(r"\1 ", _BLANK.sub(PARAGRAPH_BREAK, text)).replace(ITEM, "").strip()


def _trimmed(line: str) -> str:
    """A line without white space at its ends; empty where only the mark of an item is left."""
    words = line.replace(ITEM, "").strip()
    return ITEM + words if words and ITEM in line else words
