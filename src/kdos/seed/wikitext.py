"""Wikitext in, clean text out: prose only, a blank line between paragraphs."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html import unescape
from typing import Any

from kdos.errors import UsageError

DROPPED_TAGS = frozenset(
    (
        "ref", "references", "table", "gallery", "math", "ce", "chem", "timeline", "code", "pre",
        "source", "syntaxhighlight", "style", "script", "imagemap", "score", "graph", "mapframe",
        "maplink", "hiero", "templatestyles",
    )
)  # fmt: skip
SHOWN_TEMPLATES = {
    "convert": "1 2", "cvt": "1 2", "lang": "2", "langx": "2", "transl": "2",
    "transliteration": "2", "nowrap": "1", "nobold": "1", "circa": "1", "c.": "1", "as of": "1",
    "val": "1", "abbr": "1", "ill": "1",
}  # fmt: skip
"""Templates that stand for words of the sentence, and which arguments hold them. Ours; all other
templates are dropped."""
FORMATNUM = "formatnum:"
"""The parser function for numbers: its argument is part of its name."""
END_SECTIONS = frozenset(
    (
        "references", "external links", "see also", "further reading", "notes", "bibliography",
        "footnotes", "sources", "citations", "notes and references",
    )
)  # fmt: skip
"""Sections that hold links and no prose, in English."""
BLANK_LINE = "\n\n"
ITEM_MARK = "\x00"
"""Stands before each line of a list until the text is tidied; no XML text can hold it."""
_HEADING = re.compile(
    r"^(?P<level>={1,6})[ \t]*(?P<title>.+?)[ \t]*(?P=level)[ \t]*$", re.MULTILINE
)
_INTERLANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z-]+)?")
_UNPARSED_MARKUP = re.compile(
    r"__[A-Z]+__|<ref[^<>]*/>|<ref[^<>]*>[^<>]*</ref>|</?[a-z][^<>]*>|\{\{[^{}]*\}\}"
    r"|\[\[[a-z]+:[^\n]*|'{2,}|^ *[{|!][^\n]*$",
    re.MULTILINE | re.IGNORECASE,
)
"""Markup that the parser left as text, because it is unbalanced on the page."""
_SPACES = re.compile(r"[^\S\n]+")
# A template within brackets leaves "(; )" or "( ; text)" when it goes.
_EMPTY_BRACKETS = re.compile(r"\(\s*[;,:]?\s*\)")
_BRACKET_AFTER_GAP = re.compile(r"\(\s*[;,:]?\s+")
_SPACE_BEFORE_STOP = re.compile(r" +(?=[,.;:)\n])")
_BLANK_LINES = re.compile(r"\s*\n\s*\n\s*")
_BROKEN_LINE = re.compile(r"^([^\x00\n].*) ?\n(?=[^\x00\n])", re.MULTILINE)
"""The end of a line that goes on in the next one: wikitext breaks lines at blank ones only."""


def clean_wikitext(wikitext: str, *, unlinked: frozenset[str]) -> str:
    """The prose of a page. `unlinked` are the namespaces, in lower case, whose links are no text.

    Out go templates (but for a few that stand for words), tables, references, files, categories,
    comments, formulas and sections of links; a heading becomes a paragraph break.
    """
    parse = _load_mwparserfromhell().parse
    sections = (_render_nodes(parse(part).nodes, unlinked) for part in _split_sections(wikitext))
    return _tidy_clean_text(BLANK_LINE.join(sections))


def _split_sections(wikitext: str) -> Iterator[str]:
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
        # A section of links ends with the next heading of its level or above.
        if not 0 < ended < level:
            ended = level if heading["title"].lower() in END_SECTIONS else 0
        start = heading.end()


@cache
def _load_mwparserfromhell() -> Any:
    try:
        import mwparserfromhell
    except ImportError as error:
        message = "reading wikitext needs the package `mwparserfromhell`: pip install 'kdos[seed]'"
        raise UsageError(message) from error
    return mwparserfromhell


def _render_nodes(nodes: Iterable[Any], unlinked: frozenset[str]) -> str:
    return "".join(_render_node(node, unlinked) for node in nodes)


def _render_node(node: Any, unlinked: frozenset[str]) -> str:
    """The words of one node of the page."""
    # By name: the library is an optional extra, its classes are not imported here.
    match type(node).__name__:
        case "Text":
            return str(node.value)
        case "Wikilink":
            return _render_link(node, unlinked)
        case "ExternalLink":
            return _render_nodes(node.title.nodes, unlinked) if node.title else ""
        case "HTMLEntity":
            return node.normalize() or ""
        case "Tag":
            return _render_tag(node, unlinked)
        case "Template":
            return _render_template(node, unlinked)
        case _:
            return ""


def _render_link(node: Any, unlinked: frozenset[str]) -> str:
    title = str(node.title)
    namespace, colon, _ = title.partition(":")
    namespace = namespace.strip().lower()
    # "File:" shows a picture; "de:" leads to another Wikipedia, but "Alien: Covenant" is a title.
    if colon and (namespace in unlinked or (namespace.islower() and _is_language(namespace))):
        return ""
    return _render_nodes(node.text.nodes, unlinked) if node.text is not None else title.lstrip(":")


def _is_language(namespace: str) -> bool:
    return _INTERLANGUAGE.fullmatch(namespace) is not None


def _render_tag(node: Any, unlinked: frozenset[str]) -> str:
    name = str(node.tag).strip().lower()
    if name in ("li", "dt", "dd") and node.wiki_markup:
        return ITEM_MARK
    if name == "br":
        return "\n"
    if name in DROPPED_TAGS or node.contents is None:
        return ""
    return _render_nodes(node.contents.nodes, unlinked)


def _render_template(node: Any, unlinked: frozenset[str]) -> str:
    name = str(node.name).strip().lower()
    if name.startswith(FORMATNUM):
        return name.removeprefix(FORMATNUM)
    wanted = SHOWN_TEMPLATES.get(name, "").split()
    values = [node.get(name).value for name in wanted if node.has(name)]
    return " ".join(_render_nodes(value.nodes, unlinked).strip() for value in values)


def _tidy_clean_text(text: str) -> str:
    """Single spaces, no brackets that lost their content; a line for each paragraph and item."""
    # Entities first: what they stand for may be markup that was escaped, or a space.
    text = _SPACES.sub(" ", _UNPARSED_MARKUP.sub("", unescape(text)))
    text = _BRACKET_AFTER_GAP.sub("(", _EMPTY_BRACKETS.sub("", text))
    text = _SPACE_BEFORE_STOP.sub("", _SPACES.sub(" ", text))
    text = "\n".join(_strip_line(line) for line in text.split("\n"))
    return (
        _BROKEN_LINE.sub(r"\1 ", _BLANK_LINES.sub(BLANK_LINE, text)).replace(ITEM_MARK, "").strip()
    )


def _strip_line(line: str) -> str:
    """A line without white space at its ends; empty where only the mark of an item is left."""
    words = line.replace(ITEM_MARK, "").strip()
    return ITEM_MARK + words if words and ITEM_MARK in line else words
