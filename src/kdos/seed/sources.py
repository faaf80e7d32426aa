"""A source in, documents out: streamed, each with an id of its own; what is left out is counted."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from kdos.config import SourceConfig
from kdos.errors import ConfigError, InputError
from kdos.pool import Document, ErrorClass, Refusal
from kdos.rows import (
    InputPath,
    SeveralPaths,
    list_files,
    list_folders_left_out,
    list_input_files,
    read_first_hub_rows,
    read_hub_rows,
    uncompressed_suffix,
)
from kdos.rows.limits import MAX_TEXT_CHARS
from kdos.seed import pydocs
from kdos.seed.files import (
    SOURCE_LANG,
    choose_document_fields,
    is_all_tables,
    label_fields,
    path_below,
    read_files,
    refuse_empty,
    rows_to_documents,
    source_input,
)
from kdos.seed.wikipedia import DumpPage, WikiSite, clean_wikitext, read_dump_pages
from kdos.terminal import print_status

DUMP_SUFFIXES = (".xml",)
WIKIPEDIA_LICENCE = "CC BY-SA 4.0"
FOLDERS_NAMED = 3
ARTICLES = "0"
"""The namespace of a wiki that holds its articles."""


def open_source(settings: SourceConfig) -> Iterator[Document | Refusal]:
    """The documents of a source in its own order, and a refusal for each that is left out."""
    if settings.kind not in _READERS:
        kinds = ", ".join([*_READERS, "qa"])
        raise ConfigError(f"source.kind must be one of {kinds}. Got {settings.kind!r}.")
    say_what_is_left_out(settings)
    return _check_documents(_READERS[settings.kind](settings), settings)


def say_what_is_left_out(settings: SourceConfig) -> None:
    """Name the folders of runs that lie in the source: what a run made is no document."""
    if settings.kind not in ("pydocs", "hf") and (left := list_folders_left_out(source_input(settings))):
        names = ", ".join(map(str, left[:FOLDERS_NAMED])) + (" …" if len(left) > FOLDERS_NAMED else "")
        print_status(f"the source holds {len(left):,} folders that kdos made; what it made there is not read: {names}")


def _check_documents(found: Iterable[Document | Refusal], settings: SourceConfig) -> Iterator[Document | Refusal]:
    """Documents with text and an id of their own, `limit` of them; raises where there are none."""
    known: set[str] = set()
    refused, examples = Counter[str](), dict[str, str]()
    for item in found:
        checked = item if isinstance(item, Refusal) else _refuse_unusable(item, known) or item
        if isinstance(checked, Refusal):
            refused[checked.reason] += 1
            examples.setdefault(checked.reason, checked.detail)
        else:
            known.add(checked.id)
        yield checked
        if len(known) == settings.limit > 0:
            return
    if not known:
        where = str(source_input(settings)) or settings.kind
        raise InputError.at(
            where, f"must hold at least one document. Got none: {_describe_refused(refused, examples)}"
        )


def _describe_refused(refused: Counter[str], examples: Mapping[str, str]) -> str:
    """How many of each reason, and an example of the first."""
    if not refused:
        return "nothing to read"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in refused.most_common())
    return f"{reasons}; the first: {examples[refused.most_common(1)[0][0]]}"


def _refuse_unusable(document: Document, known: set[str]) -> Refusal | None:
    if not document.text.strip():
        return refuse_empty(document.id)
    if len(document.text) > MAX_TEXT_CHARS:
        detail = f"{document.id}: {len(document.text)} characters; at most {MAX_TEXT_CHARS}"
        return Refusal("text_too_long", ErrorClass.FORMAT_MISMATCH, detail)
    duplicate = Refusal("duplicate_id", ErrorClass.FORMAT_MISMATCH, document.id)
    return duplicate if document.id in known else None


def _read_hub_dataset(settings: SourceConfig) -> Iterator[Document | Refusal]:
    path, name, split = str(source_input(settings)), settings.name, settings.split
    fields = choose_document_fields(settings, read_first_hub_rows(path, name=name, split=split))
    columns = list(dict.fromkeys(fields.values()))
    found = read_hub_rows(path, name=name, split=split, columns=columns, labels=label_fields(fields))
    return rows_to_documents(found, fields, settings, name_file=lambda _: path)


def _read_wikipedia(settings: SourceConfig) -> Iterator[Document | Refusal]:
    """Articles of a dump, or of the Parquet files that hold them as clean text already."""
    chosen = replace(settings, licence=settings.licence or WIKIPEDIA_LICENCE)
    source = source_input(settings)
    return read_files(chosen) if _holds_clean_articles(source) else _read_dumps(source, chosen)


def _holds_clean_articles(source: InputPath) -> bool:
    """Whether there are tables in place of dumps: Parquet, or a folder of any."""
    files = list_input_files(source)
    return is_all_tables(source) and (len(files) > 1 or uncompressed_suffix(files[0]) == ".parquet")


def _read_dumps(source: InputPath, settings: SourceConfig) -> Iterator[Document | Refusal]:
    # Each part by itself, so that what is not there is named as it was given.
    parts = source.parts if isinstance(source, SeveralPaths) else (source,)
    for path in (file for part in parts for file in list_files(Path(part), DUMP_SUFFIXES)):
        for site, page in read_dump_pages(path):
            yield _page_to_document(page, site, source=path_below(path, source), settings=settings)


def _page_to_document(page: DumpPage, site: WikiSite, *, source: str, settings: SourceConfig) -> Document | Refusal:
    reason = _page_refusal_reason(page)
    if reason:
        return Refusal(reason, ErrorClass.KNOWLEDGE_GAP, f"page {page.id}, {page.title}")
    return Document(
        id=page.id,
        title=page.title,
        text=clean_wikitext(page.text, unlinked=site.unlinked_namespaces),
        source=source,
        licence=settings.licence,
        lang=settings.lang or site.lang or SOURCE_LANG,
    )


def _page_refusal_reason(page: DumpPage) -> str:
    if page.namespace != ARTICLES:
        return "not_an_article"
    if page.redirect:
        return "redirect"
    return "" if page.model == "wikitext" else "not_wikitext"


_READERS: dict[str, Callable[[SourceConfig], Iterator[Document | Refusal]]] = {
    "pydocs": lambda settings: pydocs.read_library_documents(),  # noqa: ARG005
    "files": read_files,
    "text": read_files,
    "wikipedia": _read_wikipedia,
    "hf": _read_hub_dataset,
}
