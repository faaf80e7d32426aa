"""A source in, documents out: streamed, each with an id of its own; what is left out is counted."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdos.config import SourceConfig
from kdos.errors import ConfigError, InputError
from kdos.pool import Document, ErrorClass, Refusal
from kdos.rows import (
    Rows,
    find_fields,
    list_field_paths,
    list_files,
    list_folders_left_out,
    list_table_files,
    read_first_hub_rows,
    read_first_rows,
    read_hub_rows,
    read_table_rows,
    read_text_file,
    uncompressed_suffix,
)
from kdos.rows.limits import MAX_TEXT_CHARS
from kdos.seed import pydocs
from kdos.seed.wikipedia import DumpPage, WikiSite, clean_wikitext, read_dump_pages
from kdos.terminal import print_status

TEXT_SUFFIXES = (".txt", ".md")
DUMP_SUFFIXES = (".xml",)
WIKIPEDIA_LICENCE = "CC BY-SA 4.0"
SOURCE_LANG = "en"
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
    if settings.kind not in ("pydocs", "hf") and (left := list_folders_left_out(Path(settings.path))):
        names = ", ".join(map(str, left[:FOLDERS_NAMED])) + (" …" if len(left) > FOLDERS_NAMED else "")
        print_status(f"the source holds {len(left):,} folders that kdos made; what it made there is not read: {names}")


def _check_documents(found: Iterable[Document | Refusal], settings: SourceConfig) -> Iterator[Document | Refusal]:
    """Documents with text and an id of their own, `limit` of them; raises where there are none."""
    known: set[str] = set()
    refused = 0
    for item in found:
        checked = item if isinstance(item, Refusal) else _refuse_unusable(item, known) or item
        if isinstance(checked, Refusal):
            refused += 1
        else:
            known.add(checked.id)
        yield checked
        if len(known) == settings.limit > 0:
            return
    if not known:
        message = f"must hold at least one document. Got none, and {refused} without usable text"
        raise InputError.at(settings.path or settings.kind, message)


def _refuse_unusable(document: Document, known: set[str]) -> Refusal | None:
    if not document.text.strip():
        return _refuse_empty(document.id)
    if len(document.text) > MAX_TEXT_CHARS:
        detail = f"{document.id}: {len(document.text)} characters; at most {MAX_TEXT_CHARS}"
        return Refusal("text_too_long", ErrorClass.FORMAT_MISMATCH, detail)
    duplicate = Refusal("duplicate_id", ErrorClass.FORMAT_MISMATCH, document.id)
    return duplicate if document.id in known else None


def _refuse_empty(where: str) -> Refusal:
    return Refusal("no_text", ErrorClass.KNOWLEDGE_GAP, where)


def choose_fields(settings: SourceConfig, rows: Sequence[Mapping[str, Any]], parts: Iterable[str]) -> dict[str, str]:
    """The field that holds each part: the one the settings name, else the one that the first rows show.

    Parts that no field holds are left out, and `lang` where the settings give the language.
    """
    wanted = [*parts] if settings.lang else [*parts, "lang"]
    return find_fields(rows, wanted, {part: getattr(settings, part, "") for part in parts})


def find_document_fields(settings: SourceConfig) -> dict[str, str]:
    """The field that each part of a source's documents is read from; none where they are no rows of a table."""
    path = Path(settings.path)
    if settings.kind == "hf" or settings.kind not in ("text", "wikipedia") or not path.exists():
        return {}
    is_table = (
        _has_tables(path) if path.is_dir() else uncompressed_suffix(path) not in (*TEXT_SUFFIXES, *DUMP_SUFFIXES)
    )
    return _choose_document_fields(settings, read_first_rows(path, articles=True)) if is_table else {}


def _choose_document_fields(settings: SourceConfig, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    fields = choose_fields(settings, rows, ("text", "id", "title", "domain"))
    if not rows:
        raise InputError.at(settings.path, "must hold at least one row. Got none")
    if "text" not in fields:
        message = f"no field looks like the text. There are: {', '.join(list_field_paths(rows))}. Set source.text"
        raise InputError.at(settings.path, message)
    return fields


def _read_tables_or_texts(settings: SourceConfig) -> Iterator[Document | Refusal]:
    """Documents from tables; from .txt and .md files, one each, where there are no tables."""
    root = Path(settings.path)
    if (root.is_dir() and not _has_tables(root)) or uncompressed_suffix(root) in TEXT_SUFFIXES:
        return _read_text_files(root, settings)
    # Documents are articles: of SQuAD's the paragraphs, not the questions.
    fields = _choose_document_fields(settings, read_first_rows(root, articles=True))
    columns = list(dict.fromkeys(fields.values()))
    found = read_table_rows(root, columns=columns, labels=_label_fields(fields), articles=True)
    return _rows_to_documents(found, fields, settings)


def _label_fields(fields: Mapping[str, str]) -> set[str]:
    return {field for part, field in fields.items() if part != "text"} - {fields["text"]}


def _has_tables(folder: Path) -> bool:
    try:
        return bool(list_table_files(folder))
    except InputError:
        return False


def _read_text_files(root: Path, settings: SourceConfig) -> Iterator[Document | Refusal]:
    for path in list_files(root, TEXT_SUFFIXES):
        name = path_below(path, root)
        yield Document(
            id=name,
            title=path.name.partition(".")[0],
            text=read_text_file(path),
            domain=name.rpartition("/")[0],
            source=name,
            licence=settings.licence,
            lang=settings.lang or SOURCE_LANG,
        )


def path_below(path: Path | str, root: Path) -> str:
    """What to call a file in ids and sources: its path below the folder that was given."""
    file = Path(path)
    return file.relative_to(root).as_posix() if root.is_dir() else file.name


def _rows_to_documents(
    found: Iterable[Rows], fields: Mapping[str, str], settings: SourceConfig
) -> Iterator[Document | Refusal]:
    root = Path(settings.path)
    for rows in found:
        name = settings.path if settings.kind == "hf" else path_below(rows.path, root)
        labels = {part: rows.label_column(field).to_pylist() for part, field in fields.items() if part != "text"}
        for row, text in enumerate(rows.text_column(fields["text"]).to_pylist()):
            where = f"{name}:{rows.positions[row]}"
            own = {part: column[row] or "" for part, column in labels.items()}
            if text is None:
                yield _refuse_empty(own.get("id") or where)
                continue
            yield Document(
                id=own.get("id") or where,
                title=own.get("title", ""),
                text=text,
                domain=own.get("domain", ""),
                source=name,
                licence=settings.licence,
                lang=settings.lang or own.get("lang") or SOURCE_LANG,
            )


def _read_hub_dataset(settings: SourceConfig) -> Iterator[Document | Refusal]:
    path, name, split = settings.path, settings.name, settings.split
    fields = _choose_document_fields(settings, read_first_hub_rows(path, name=name, split=split))
    columns = list(dict.fromkeys(fields.values()))
    found = read_hub_rows(path, name=name, split=split, columns=columns, labels=_label_fields(fields))
    return _rows_to_documents(found, fields, settings)


def _read_wikipedia(settings: SourceConfig) -> Iterator[Document | Refusal]:
    """Articles of a dump, or of the Parquet files that hold them as clean text already."""
    chosen = replace(settings, licence=settings.licence or WIKIPEDIA_LICENCE)
    root = Path(settings.path)
    if (root.is_dir() and _has_tables(root)) or uncompressed_suffix(root) == ".parquet":
        return _read_tables_or_texts(chosen)
    return _read_dumps(root, chosen)


def _read_dumps(root: Path, settings: SourceConfig) -> Iterator[Document | Refusal]:
    for path in list_files(root, DUMP_SUFFIXES):
        for site, page in read_dump_pages(path):
            yield _page_to_document(page, site, source=path_below(path, root), settings=settings)


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
    "text": _read_tables_or_texts,
    "wikipedia": _read_wikipedia,
    "hf": _read_hub_dataset,
}
