"""Everything but PDF, plain text, code and spreadsheets: read by pandoc, whose tree becomes blocks.

Pandoc is a program of its own: it is run without network and files (`--sandbox`), with bounds on memory and time.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from kdos.documents.blocks import Block, BlockKind
from kdos.documents.contents import is_contents_line
from kdos.documents.errors import UnreadableError
from kdos.documents.processes import run_reader
from kdos.documents.scripts import lowered, raised
from kdos.errors import UsageError

Node: TypeAlias = Mapping[str, Any]
HEAP = "-M2g"
BOILERPLATE = frozenset((
    "nav", "navbar", "navigation", "menu", "sidebar", "sphinxsidebar", "sidebar-drawer", "toc-drawer", "toc",
    "contents", "breadcrumb", "breadcrumbs", "footer", "related", "skip-link", "cookie", "cookie-banner", "banner",
    "contentinfo", "search", "complementary", "site-header", "page-header", "site-footer", "pagination",
    "advertisement", "share",
))  # fmt: skip
"""What parts of web pages are called, by id, class or role, that are on every page alike."""
PAGE_PARTS = {b"nav": b"navigation", b"footer": b"contentinfo", b"aside": b"complementary"}
_PAGE_PART = re.compile(rb"<(nav|footer|aside)(?=[\s>])", re.IGNORECASE)
_PAGE_PART_END = re.compile(rb"</(?:nav|footer|aside)(?=[\s>])", re.IGNORECASE)
MENU_ITEMS = 3
GITHUB_MARKS = "+lists_without_preceding_blankline-blank_before_header-blank_before_blockquote"
"""Markdown as it is written for GitHub: a list, a heading or a quote may follow a paragraph at once."""
_TABLE_FILE = re.compile(rb"^[ \t]+:(?:file|url):[^\n]*+", re.MULTILINE)
"""Where a table of reStructuredText stands: for a file that it may not read pandoc gives up the whole document."""
_QUOTES = {"SingleQuote": ("‘", "’"), "DoubleQuote": ("“", "”")}


def read_with_pandoc(data: bytes, form: str) -> tuple[str, list[Block]]:
    """The title, empty where none is given, and the blocks of a document in one of pandoc's formats.

    Raises:
        UnreadableError: It is not of that format, or takes more memory or time than it may.
        UsageError: Pandoc is not installed.
    """
    tree = _run_pandoc(_prepare(data, form), f"{form}{GITHUB_MARKS}" if form == "markdown" else form)
    try:
        document = json.loads(tree, object_hook=_share_words({}))
        title = _text(document["meta"].get("title", {}).get("c", []))
        return title, list(_Walker().blocks(document["blocks"]))
    except RecursionError as error:
        raise UnreadableError("nested_too_deep") from error


def _share_words(known: dict[str, Node]) -> Callable[[Node], Node]:
    """What keeps a node once for each word: a tree has two nodes a word, which take a hundred times its bytes."""

    def share(node: Node) -> Node:
        match node:
            case {"t": "Str", "c": str(word)}:
                return known.setdefault(word, node)
            case {"t": "Space" | "SoftBreak"}:
                return known.setdefault(" ", node)
            case _:
                return node

    return share


def _prepare(data: bytes, form: str) -> bytes:
    if form == "html":
        return _name_parts_of_page(data)
    return _TABLE_FILE.sub(b"", data) if form == "rst" else data


def _name_parts_of_page(data: bytes) -> bytes:
    """HTML in which the elements that pandoc takes for nothing say what they are by a role."""
    opened = _PAGE_PART.sub(lambda found: b"<div role='" + PAGE_PARTS[found[1].lower()] + b"'", data)
    return _PAGE_PART_END.sub(b"</div", opened)


@cache
def _pandoc_path() -> str:
    try:
        import pypandoc
    except ImportError as error:
        raise UsageError(
            "reading documents needs the package `pypandoc-binary`: pip install 'kdos[documents]'"
        ) from error
    return pypandoc.get_pandoc_path()


def _run_pandoc(data: bytes, form: str) -> bytes:
    command = [_pandoc_path(), "+RTS", HEAP, "-RTS", "--sandbox", "--from", form, "--to", "json"]
    done = run_reader(command, data)
    if done.status:
        raise UnreadableError("takes_too_much_memory" if "heap" in done.said.lower() else "damaged", done.said)
    return done.output


class _Walker:
    """Blocks out of pandoc's tree, in order; notes follow the block that they belong to."""

    def __init__(self) -> None:
        self._notes: list[Block] = []

    def blocks(self, nodes: Sequence[Node], kind: BlockKind = "prose") -> Iterator[Block]:
        for node in nodes:
            yield from self._block(node, kind)
            notes, self._notes = self._notes, []
            yield from notes

    def _block(self, node: Node, kind: BlockKind) -> Iterator[Block]:
        content = _content(node)
        match node["t"], content:
            case (("Para" | "Plain"), _):
                if not (is_contents_line(text := self._inline_text(content)) or _is_only_links(content)):
                    yield Block(kind, text)
            case "LineBlock", _:
                yield Block(kind, "\n".join(map(self._inline_text, content)))
            case "Header", [level, _, inlines]:
                yield Block("heading", self._inline_text(inlines), level=level)
            case "CodeBlock", [_, code]:
                yield Block("code", code)
            case "BlockQuote", _:
                yield from self.blocks(content, kind)
            case "BulletList", items:
                yield from self._list(items)
            case "OrderedList", [_, items]:
                yield from self._list(items)
            case "DefinitionList", items:
                for term, definitions in items:
                    yield from self._definition(self._inline_text(term), definitions)
            case "Table", [_, [_, caption], _, head, bodies, foot]:
                yield from self.blocks(caption)
                rows = [*head[1], *(row for body in bodies for row in (*body[2], *body[3])), *foot[1]]
                yield Block("table", "\n".join(map(self._row, rows)))
            case "Div", [attributes, inner]:
                if not _is_boilerplate(attributes):
                    yield from self.blocks(inner, kind)
            case "Figure", [_, [_, caption], inner]:
                yield from self.blocks(inner, kind)
                yield from self.blocks(caption, kind)
            case _:
                return  # rules, and marks of other formats

    def _list(self, items: Sequence[Sequence[Node]]) -> Iterator[Block]:
        if len(items) >= MENU_ITEMS and all(_is_link_item(item) for item in items):
            return  # a menu, or a table of contents
        for item in items:
            yield from self.blocks(item, "list")

    def _definition(self, term: str, definitions: Sequence[Sequence[Node]]) -> Iterator[Block]:
        """A term with the paragraph that says what it is, and what follows."""
        first, *more = [block for definition in definitions for block in self.blocks(definition)] or [
            Block("prose", "")
        ]
        if first.kind == "prose":
            yield Block("list", f"{term}\n{first.text}")
            yield from more
        else:
            yield Block("list", term)
            yield from (first, *more)

    def _row(self, row: Sequence[Any]) -> str:
        cells = (" ".join(block.text for block in self.blocks(cell[4])) for cell in row[1])
        return " | ".join(" ".join(cell.split()) for cell in cells)

    def _inline_text(self, nodes: Sequence[Node]) -> str:
        return _text(nodes, self._keep_note)

    def _keep_note(self, blocks: Sequence[Node]) -> None:
        self._notes += list(_Walker().blocks(blocks))


def _text(nodes: Sequence[Node], keep_note: Callable[[Sequence[Node]], None] | None = None) -> str:
    shown = ""
    for node in nodes:
        content = _content(node)
        match node["t"], content:
            case "Str", _:
                shown += content
            case (("Space" | "SoftBreak" | "LineBreak"), _):
                shown += " "
            case (("Emph" | "Strong" | "Underline" | "SmallCaps"), _):
                shown += _text(content, keep_note)
            case "Superscript", _:
                shown += raised(_text(content, keep_note), shown)
            case "Subscript", _:
                shown += lowered(_text(content, keep_note), shown)
            case "Quoted", [quotes, inner]:
                opening, closing = _QUOTES[quotes["t"]]
                shown += f"{opening}{_text(inner, keep_note)}{closing}"
            case "Link", [[_, classes, _], inner, _]:
                shown += "" if "headerlink" in classes else _text(inner, keep_note)
            case (("Cite" | "Span"), [_, inner]):
                shown += _text(inner, keep_note)
            case "Code", [_, code]:
                shown += code
            case "Math", [_, formula]:
                shown += f"${formula}$"
            case "Note", blocks:
                if keep_note:
                    keep_note(blocks)
            case _:
                pass  # pictures, marks of other formats, and what is struck out
    return shown


def _content(node: Node) -> Any:
    return node.get("c")


def _is_boilerplate(attributes: Sequence[Any]) -> bool:
    identifier, classes, others = attributes
    names = {identifier, *classes, *(value for key, value in others if key == "role")}
    return not BOILERPLATE.isdisjoint(name.lower() for name in names)


def _is_only_links(nodes: Sequence[Node]) -> bool:
    """Whether a paragraph is a row of links, as on the top and the bottom of pages."""
    links = [node for node in nodes if node["t"] == "Link"]
    others = _text([node for node in nodes if node["t"] != "Link"])
    return len(links) >= MENU_ITEMS and not any(letter.isalnum() for letter in others)


def _is_link_item(item: Sequence[Node]) -> bool:
    """Whether an item of a list is a link, with or without such a list below it."""
    for node in item:
        match node["t"], _content(node):
            case (("Para" | "Plain"), nodes):
                others = _text([each for each in nodes if each["t"] != "Link"])
                if any(letter.isalpha() for letter in others) or not any(each["t"] == "Link" for each in nodes):
                    return False
            case ("BulletList", items) | ("OrderedList", [_, items]):
                if not all(map(_is_link_item, items)):
                    return False
            case _:
                return False
    return True
