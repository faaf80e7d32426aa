"""A MediaWiki XML dump, page by page: memory is bounded by the longest page."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from kdos.errors import InputError
from kdos.rows import open_decompressed

BLOCK_BYTES = 1 << 20  # read at a time
FILE_NAMESPACE = "6"
CATEGORY_NAMESPACE = "14"


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

    def feed_block(
        self, block: bytes, *, last: bool = False
    ) -> Iterator[tuple[WikiSite, DumpPage]]:
        """The pages that end in this block."""
        try:
            self._parser.Parse(block, last)
        except expat.ExpatError as error:
            what = expat.errors.messages[error.code]
            message = f"must be a whole MediaWiki XML dump. Got: {what}. Fetch it again"
            raise InputError.at(self._path, message, line=error.lineno) from error
        done = [(self._site, page) for page in self._done]
        self._done.clear()
        yield from done

    def _refuse_doctype(self, *_: object) -> None:
        message = "must be a MediaWiki XML dump, which has no document type declaration"
        raise InputError.at(self._path, message, line=self._parser.CurrentLineNumber)

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
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
                message = f"must be a MediaWiki XML dump. Got <{name}> as its first element"
                raise InputError.at(self._path, message, line=self._parser.CurrentLineNumber)
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
