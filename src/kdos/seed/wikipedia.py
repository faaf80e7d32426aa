"""Wikipedia: the pages of a MediaWiki XML dump, and their wikitext as clean prose.

Pages come one by one, memory is bounded by the longest; clean text has a blank line between paragraphs.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any, NoReturn
from xml.parsers import expat

from kdos.documents import lowered, raised
from kdos.errors import InputError, UsageError
from kdos.pool.sentences import is_mostly_unspaced, split_sentences
from kdos.rows import open_decompressed
from kdos.rows.limits import MAX_MARK_DEPTH, MAX_TEXT_CHARS, MAX_UNCLOSED_MARKS, MAX_UNCLOSED_WORK, MAX_XML_DEPTH
from kdos.seed.wikitext_marks import count_marks, strip_marks
from kdos.seed.wikitext_templates import UNKNOWN, Template, show_template

BLOCK_BYTES = 1 << 20  # read at a time
FILE_NAMESPACE = "6"
CATEGORY_NAMESPACE = "14"
DROPPED_TAGS = frozenset(
    (
        "ref", "references", "table", "gallery", "timeline", "pre", "style", "script", "imagemap", "graph", "mapframe",
        "maplink", "templatestyles", "s", "del", "strike",
    )
)  # fmt: skip
FORMULA_TAGS = frozenset(("math", "ce", "chem", "hiero", "score", "code", "source", "syntaxhighlight"))
"""Tags whose content belongs to a sentence, and cannot be read as text."""
FORMATTED_NUMBER = re.compile(r"[-−+]?[\d.,]+")
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
_HEADING = re.compile(r"^(?P<level>={1,6})(?P<title>.+?)(?P=level)[ \t]*$", re.MULTILINE)
_INTERLANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z-]+)?")
_UNPARSED_MARKUP = re.compile(
    r"__[A-Z]+__|<ref[^<>]*/>|<ref[^<>]*>[^<>]*</ref>|</?[a-z][^<>]*>"
    r"|\[\[[a-z]+:[^\n]*|'{2,}|^ *[{|!][^\n]*$",
    re.MULTILINE | re.IGNORECASE,
)
"""Markup that the parser left as text, because it is unbalanced on the page."""
_UNPARSED_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")
_UNKNOWN_BRACKET = re.compile(rf"\([^()\n{UNKNOWN}]*+{UNKNOWN}[^()\n]*+\)")
"""Brackets that hold what is not understood: without them the sentence says less, and nothing else."""
_UNKNOWN_NOTE = re.compile(rf"(?<=[.!?]){UNKNOWN}+(?=\s|\Z)")
"""What is not understood and stands behind a sentence: a note."""
_UNSPACED_STOP = re.compile(r"(?<=[。！？])")
_ANY_STOP = re.compile(r"(?<=[.!?؟])\s+")
_SPACES = re.compile(r"[^\S\n]+")
# A template within brackets leaves "(; )" or "( ; text)" when it goes.
_EMPTY_BRACKETS = re.compile(r"\(\s*+(?:[;,:]\s*+)?\)")
_BRACKET_AFTER_GAP = re.compile(r"\(\s*+(?:[;,:]\s++)?")
_GAP_BEFORE_BRACKET = re.compile(r"(?<![;,:\s])(?:\s*+[;,:])++\s*+\)")
_SPACE_BEFORE_STOP = re.compile(r" (?=[,.;:)\n])")
_GAP = re.compile(r"\s{2,}")
_BROKEN_LINE = re.compile(r"^([^\x00\n].*) ?\n(?=[^\x00\n])", re.MULTILINE)
"""The end of a line that goes on in the next one: wikitext breaks lines at blank ones only."""


@dataclass(slots=True)
class DumpPage:
    """One page with the text of its last revision in the dump. `namespace` 0 holds articles."""

    id: str = ""
    title: str = ""
    namespace: str = ""
    text: str = ""
    model: str = "wikitext"
    redirect: bool = False


@dataclass(slots=True)
class WikiSite:
    """What a dump says of itself: its language, and each namespace's name by its key."""

    lang: str = ""
    namespaces: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def unlinked_namespaces(self) -> frozenset[str]:
        """The namespaces, in lower case, whose links show a picture or nothing at all."""
        local = {self.namespaces.get(key, "") for key in (FILE_NAMESPACE, CATEGORY_NAMESPACE)}
        return frozenset(name.lower() for name in local | {"File", "Image", "Category"} if name)


def read_dump_pages(path: Path) -> Iterator[tuple[WikiSite, DumpPage]]:
    """Every page of one dump file (plain, .bz2, .gz, .xz, .zst), with the site it comes from."""
    reader = _DumpParser(path)
    with open_decompressed(path) as stream:
        while block := stream.read(BLOCK_BYTES):
            yield from reader.feed_block(block)
    yield from reader.feed_block(b"", last=True)


class _DumpParser:
    """Expat's events put together to pages.

    Expat (2.4 and later) bounds entity expansion by itself; a dump declares no entities at all, so
    any document type is refused.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._site = WikiSite()
        self._page = DumpPage()
        self._done: list[DumpPage] = []
        self._open: list[str] = []  # elements that are open, the outermost first
        self._held: list[str] = []  # text since the last tag
        self._key = ""
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start_element
        self._parser.EndElementHandler = self._end_element
        # The list's own method: no Python frame for each piece of text.
        self._parser.CharacterDataHandler = self._held.append
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def feed_block(self, block: bytes, *, last: bool = False) -> Iterator[tuple[WikiSite, DumpPage]]:
        """The pages that end in this block."""
        try:
            self._parser.Parse(block, last)
        except expat.ExpatError as error:
            what = expat.errors.messages[error.code]
            message = f"must be a whole MediaWiki XML dump. Got: {what}. Fetch it again"
            raise InputError.at(self._path, message, line=error.lineno) from error
        if sum(map(len, self._held)) > MAX_TEXT_CHARS:
            self._raise_damaged(f"must have elements of at most {MAX_TEXT_CHARS} characters. Got a longer one")
        yield from ((self._site, page) for page in self._done)
        self._done.clear()

    def _refuse_doctype(self, *_: object) -> None:
        self._raise_damaged("must be a MediaWiki XML dump, which has no document type declaration")

    def _raise_damaged(self, message: str) -> NoReturn:
        raise InputError.at(self._path, message, line=self._parser.CurrentLineNumber)

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
        if len(self._open) > MAX_XML_DEPTH:
            self._raise_damaged(f"must have elements at most {MAX_XML_DEPTH} levels deep. Got more")
        self._held.clear()
        match name:
            case "mediawiki":
                self._site.lang = attributes.get("xml:lang", "")
            case "namespace":
                self._key = attributes.get("key", "")
            case "page":
                self._page = DumpPage()
            case "redirect":
                self._page.redirect = True
            case _ if len(self._open) == 1:
                self._raise_damaged(f"must be a MediaWiki XML dump. Got <{name[:80]}> as its first element")
            case _:
                pass

    def _end_element(self, name: str) -> None:
        text = "".join(self._held)
        self._held.clear()
        self._open.pop()
        # With its parent: <title> and <id> stand in other elements too. Of several revisions the
        # last one overwrites the text.
        match (*self._open[-1:], name):
            case ("namespaces", "namespace"):
                self._site.namespaces[self._key] = text
            case ("page", "id"):
                self._page.id = text
            case ("page", "title"):
                self._page.title = text
            case ("page", "ns"):
                self._page.namespace = text
            case ("revision", "model"):
                self._page.model = text
            case ("revision", "text"):
                self._page.text = text
            case ("mediawiki", "page"):
                self._done.append(self._page)
            case _:
                pass


def clean_wikitext(wikitext: str, *, unlinked: frozenset[str]) -> str:
    """The prose of a page. `unlinked` are the namespaces, in lower case, whose links are no text.

    Templates become the words that they stand for; a sentence that holds one which is not known, or a formula, goes
    with it, so that no number is lost out of one. Out go tables, references, files, categories, comments and sections
    of links; a heading becomes a paragraph break. A section with more that nothing
    closes than the parser reads in good time, or that is nested deeper than it can hold, loses its marks only.
    """
    sections = (_render_section(part, unlinked) for part in _split_sections(wikitext))
    return _tidy_clean_text(BLANK_LINE.join(sections))


def _render_section(wikitext: str, unlinked: frozenset[str]) -> str:
    parse = _load_mwparserfromhell().parse
    marks = count_marks(wikitext)
    is_slow = marks.unclosed > MAX_UNCLOSED_MARKS or marks.unclosed * len(wikitext) > MAX_UNCLOSED_WORK
    if is_slow or marks.depth > MAX_MARK_DEPTH:
        return strip_marks(wikitext)
    return _render_nodes(parse(wikitext).nodes, unlinked)


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
            ended = level if heading["title"].strip(" \t").lower() in END_SECTIONS else 0
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
    shown = ""
    for node in nodes:
        shown += _render_node(node, unlinked, before=shown[-1:])
    return shown


def _render_node(node: Any, unlinked: frozenset[str], *, before: str) -> str:
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
            return _render_tag(node, unlinked, before=before)
        case "Template":
            return _render_template(node, unlinked)
        case "Argument":
            return UNKNOWN
        case _:
            return ""


def _render_link(node: Any, unlinked: frozenset[str]) -> str:
    title = str(node.title)
    namespace, colon, _ = title.partition(":")
    namespace = namespace.strip().lower()
    # "File:" shows a picture; "de:" leads to another Wikipedia, but "Alien: Covenant" is a title.
    language = namespace.islower() and _INTERLANGUAGE.fullmatch(namespace)
    if colon and (namespace in unlinked or language):
        return ""
    return _render_nodes(node.text.nodes, unlinked) if node.text is not None else title.lstrip(":")


def _render_tag(node: Any, unlinked: frozenset[str], *, before: str) -> str:
    name = str(node.tag).strip().lower()
    if name in ("li", "dt", "dd") and node.wiki_markup:
        return ITEM_MARK
    if name == "br":
        return "\n"
    if name in FORMULA_TAGS:
        return UNKNOWN
    if name in DROPPED_TAGS or node.contents is None:
        return ""
    shown = _render_nodes(node.contents.nodes, unlinked)
    return raised(shown, before) if name == "sup" else lowered(shown, before) if name == "sub" else shown


def _render_template(node: Any, unlinked: frozenset[str]) -> str:
    name = " ".join(_render_nodes(node.name.nodes, unlinked).replace("_", " ").lower().split())
    if name.startswith(FORMATNUM):
        number = name.removeprefix(FORMATNUM).strip()
        return number if FORMATTED_NUMBER.fullmatch(number) else UNKNOWN
    values = [(parameter, _render_nodes(parameter.value.nodes, unlinked).strip()) for parameter in node.params]
    given = tuple(value for parameter, value in values if not parameter.showkey)
    named = {str(parameter.name).strip(): value for parameter, value in values if parameter.showkey and value}
    while "1" in named and not given:  # {{lang|1=de|2=Wien}}
        numbers = sorted(int(key) for key in named if key.isdigit())
        given = tuple(named.pop(str(number)) for number in numbers)
    return show_template(Template(name, given, named))


def _tidy_clean_text(text: str) -> str:
    """Single spaces, no brackets that lost their content; a line for each paragraph and item."""
    # Entities first: what they stand for may be markup that was escaped, or a space.
    text = _UNPARSED_MARKUP.sub("", _UNPARSED_TEMPLATE.sub(UNKNOWN, unescape(text)))
    text = _SPACES.sub(" ", _UNKNOWN_NOTE.sub("", _UNKNOWN_BRACKET.sub("", text)))
    text = _GAP_BEFORE_BRACKET.sub(")", _BRACKET_AFTER_GAP.sub("(", _EMPTY_BRACKETS.sub("", text)))
    text = _SPACE_BEFORE_STOP.sub("", _SPACES.sub(" ", text))
    text = "\n".join(_strip_line(line) for line in text.split("\n"))
    text = _BROKEN_LINE.sub(r"\1 ", _GAP.sub(_shorten_gap, text))
    text = "\n".join(kept for line in text.split("\n") if (kept := _without_unknown(line)) or not line)
    return _GAP.sub(_shorten_gap, text.replace(ITEM_MARK, "")).strip()


def _without_unknown(line: str) -> str:
    """A line without the sentences that hold what is not understood."""
    if UNKNOWN not in line:
        return line
    mark = ITEM_MARK if line.startswith(ITEM_MARK) else ""
    kept = " ".join(sentence for sentence in _sentences_of_line(line) if UNKNOWN not in sentence)
    return mark + kept.removeprefix(mark) if kept else ""


def _sentences_of_line(line: str) -> list[str]:
    if is_mostly_unspaced(line):
        return [part for part in _UNSPACED_STOP.split(line) if part]
    if not any(letter.isascii() and letter.isalpha() for letter in line):
        return _ANY_STOP.split(line)
    sentences = split_sentences(line)
    # A line that ends with an abbreviation ends with a sentence too.
    rest = line[line.rfind(sentences[-1]) + len(sentences[-1]) :].strip() if sentences else line
    return [*sentences, rest] if rest else sentences


def _shorten_gap(gap: re.Match[str]) -> str:
    """One blank line where there is one or more, else the gap as it is."""
    return BLANK_LINE if gap[0].count("\n") > 1 else gap[0]


def _strip_line(line: str) -> str:
    """A line without white space at its ends; empty where only the mark of an item is left."""
    words = line.replace(ITEM_MARK, "").strip()
    if not words.strip(UNKNOWN + " .,;:"):
        return ""  # a template that stands by itself
    return ITEM_MARK + words if words and ITEM_MARK in line else words
