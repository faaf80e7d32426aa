"""Documents out of files: the rows of tables, and every kind of document that `kdos.documents` reads."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from os import cpu_count
from pathlib import Path
from typing import Any

from kdos.config import SourceConfig
from kdos.documents import DocumentText, Reader, UnreadableError, detect_language, document_kind, read_document
from kdos.errors import InputError
from kdos.pool import Document, ErrorClass, Refusal
from kdos.printable import printable_line
from kdos.rows import (
    InputPath,
    Rows,
    SeveralPaths,
    common_folder,
    find_fields,
    list_field_paths,
    list_input_files,
    list_input_paths,
    read_first_rows,
    read_table_rows,
    uncompressed_suffix,
)
from kdos.rows.fields import FIELD_ALIASES
from kdos.rows.files import SIDE_FILES, TABLE_SUFFIXES
from kdos.terminal import print_status

SOURCE_LANG = "en"
NameFile = Callable[[Path | str], str]
KINDS_NAMED = 12
"""Suffixes that the line about a folder names."""


def source_input(settings: SourceConfig) -> InputPath:
    """Where the files of a source are."""
    return settings.path if isinstance(settings.path, str) else SeveralPaths(tuple(settings.path))


DOCUMENT_NAMES = ("text", "content", "body", "article", "document", "passage", "paragraph", "context")
"""What the text of a document is called, the likeliest first."""


def choose_fields(settings: SourceConfig, rows: Sequence[Mapping[str, Any]], parts: Iterable[str]) -> dict[str, str]:
    """The field that holds each part: the one the settings name, else the one that the first rows show.

    Parts that no field holds are left out, and `lang` where the settings give the language.
    """
    wanted = [*parts] if settings.lang else [*parts, "lang"]
    return find_fields(rows, wanted, {part: getattr(settings, part, "") for part in parts})


def find_document_fields(settings: SourceConfig) -> dict[str, str]:
    """The field that each part of a source's documents is read from; none where they are no rows of tables alone."""
    source = source_input(settings)
    if not list_input_paths(source) or not is_all_tables(source):
        return {}
    return choose_document_fields(settings, read_first_rows(source, articles=True))


def choose_document_fields(settings: SourceConfig, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The field of each part of a document; raises where none holds its text."""
    fields = _document_fields(settings, rows)
    if not rows:
        raise InputError.at(_name(settings), "must hold at least one row. Got none")
    if "text" not in fields:
        message = f"no field looks like the text. There are: {', '.join(list_field_paths(rows))}. Set source.text"
        raise InputError.at(_name(settings), message)
    return fields


def _document_fields(settings: SourceConfig, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    fields = choose_fields(settings, rows, ("text", "id", "title", "domain"))
    # Articles with questions about them are read for what they say, not for what is asked.
    if not settings.text and _last_name(fields.get("text", "")) in FIELD_ALIASES["question"]:
        paths = sorted(list_field_paths(rows), key=lambda path: path.count("."))
        said = [path for name in DOCUMENT_NAMES for path in paths if _last_name(path) == name]
        fields["text"] = next(iter(said), fields["text"])
    return fields


def _last_name(field: str) -> str:
    return field.rpartition(".")[2].lower()


def _name(settings: SourceConfig) -> str:
    return str(source_input(settings))


def is_all_tables(source: InputPath) -> bool:
    """Whether nothing but tables can be read there, and what stands beside them."""
    readable = [file for file in list_input_files(source) if _is_table(file) or _kind(file)]
    return any(map(_is_table, readable)) and all(_is_table(file) or _is_card(file, readable) for file in readable)


def read_files(settings: SourceConfig) -> Iterator[Document | Refusal]:
    """A document for each file, or for each row of a table; a refusal, with its reason, for a file that gives none.

    Where there are tables alone, one that cannot be read ends the source: half a data set is none.
    """
    source = source_input(settings)
    files = list_input_files(source)
    readable = [file for file in files if _is_table(file) or _kind(file)]
    if not readable:
        _raise_nothing_readable(source, files)
    if len(files) > 1:
        print_status(_describe_files(source, files, readable))
    if is_all_tables(source):
        yield from _read_tables(source, settings)
        return
    encodings = Counter[str]()
    for file, read in _read_ahead(file for file in files if not _is_card(file, readable)):
        name = path_below(file, source)
        if read is None:
            yield from _read_one_table(file, name, settings)
        elif isinstance(read, UnreadableError):
            yield Refusal(read.reason, ErrorClass.FORMAT_MISMATCH, f"{name}: {read.detail}".removesuffix(": "))
        else:
            encodings[read.encoding] += 1
            yield Document(
                id=name,
                title=read.title,
                text=read.text,
                domain=name.rpartition("/")[0],
                source=name,
                licence=settings.licence,
                lang=settings.lang or detect_language(read.text, default=SOURCE_LANG),
                sections=read.sections,
            )
    if others := {name: count for name, count in encodings.items() if name not in ("", "utf-8")}:
        print_status(f"files that are not UTF-8: {_count_names(others)}")


def _read_ahead(files: Iterator[Path]) -> Iterator[tuple[Path, DocumentText | UnreadableError | None]]:
    """Each file with what it says, or why it says nothing; None for tables. In order, a few files ahead.

    What takes long runs in processes of its own, so threads suffice.
    """
    workers = cpu_count() or 1
    coming: deque[tuple[Path, Future[DocumentText | UnreadableError | None]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for file in files:
            coming.append((file, pool.submit(_read_or_refuse, file)))
            if len(coming) > 2 * workers:
                first, read = coming.popleft()
                yield first, read.result()
        while coming:
            first, read = coming.popleft()
            yield first, read.result()


def _read_or_refuse(file: Path) -> DocumentText | UnreadableError | None:
    if _is_table(file):
        return None
    kind = _kind(file)
    if kind is None:
        return UnreadableError("kind_not_read" if file.is_file() else "not_a_file")
    try:
        return read_document(file, kind)
    except UnreadableError as error:
        return error


def _kind(file: Path) -> Reader | None:
    """Who reads a document; nobody a pipe, a device or a link that leads nowhere."""
    if not file.is_file():
        return None
    return document_kind(file, uncompressed_suffix(file))


def _is_table(file: Path) -> bool:
    return uncompressed_suffix(file) in TABLE_SUFFIXES and file.name not in SIDE_FILES and file.is_file()


def _is_card(file: Path, readable: Iterable[Path]) -> bool:
    """Whether it is the card of a data set: what the hub has beside tables, and is no document of theirs."""
    return file.name == "README.md" and any(_is_table(other) and file.parent in other.parents for other in readable)


def _raise_nothing_readable(source: InputPath, files: Sequence[Path]) -> None:
    known = "tables (.jsonl, .csv, .parquet and more) or documents (.pdf, .docx, .html, .md, .txt and more)"
    what = "must be a file" if len(files) == 1 and files[0] == Path(str(source)) else "the directory must hold a file"
    got = _count_kinds(files) or "none"
    raise InputError.at(str(source), f"{what} of a kind we read: {known}. Got {got}")


def _describe_files(source: InputPath, files: Sequence[Path], readable: Sequence[Path]) -> str:
    cards = [file for file in readable if _is_card(file, readable)]
    read = [file for file in readable if file not in cards]
    line = f"{source} holds {_count_kinds(read)}"
    left = [file for file in files if file not in {*read}]
    return f"{line}; not read: {_count_kinds(left)}" if left else line


def _count_kinds(files: Iterable[Path]) -> str:
    return _count_names(Counter(uncompressed_suffix(file) or file.name for file in files))


def _count_names(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in ordered[KINDS_NAMED:])
    shown = [f"{count:,} {name}" for name, count in ordered[:KINDS_NAMED]]
    return ", ".join([*shown, f"{rest:,} others"] if rest else shown)


def _read_tables(source: InputPath, settings: SourceConfig) -> Iterator[Document | Refusal]:
    # Documents are articles: of SQuAD's the paragraphs, not the questions.
    fields = choose_document_fields(settings, read_first_rows(source, articles=True))
    columns = list(dict.fromkeys(fields.values()))
    found = read_table_rows(source, columns=columns, labels=label_fields(fields), articles=True)
    return rows_to_documents(found, fields, settings, name_file=partial(path_below, source=source))


def _read_one_table(file: Path, name: str, settings: SourceConfig) -> Iterator[Document | Refusal]:
    """A table among files of other kinds: where it has no text, or is damaged, the others are read all the same."""
    try:
        fields = _document_fields(settings, read_first_rows(file, articles=True))
        if "text" not in fields:
            yield Refusal("no_text_field", ErrorClass.FORMAT_MISMATCH, name)
            return
        columns = list(dict.fromkeys(fields.values()))
        found = read_table_rows(file, columns=columns, labels=label_fields(fields), articles=True)
        yield from rows_to_documents(found, fields, settings, name_file=lambda _: name)
    except InputError as error:
        yield Refusal("damaged", ErrorClass.FORMAT_MISMATCH, str(error))


def label_fields(fields: Mapping[str, str]) -> set[str]:
    """The fields that hold names and not text."""
    return {field for part, field in fields.items() if part != "text"} - {fields["text"]}


def path_below(path: Path | str, source: InputPath) -> str:
    """What to call a file in ids and sources: its path below the folder that was given, fit to be shown."""
    base, file = common_folder(source), Path(path)
    return printable_line(file.absolute().relative_to(base.absolute()).as_posix())


def rows_to_documents(
    found: Iterable[Rows], fields: Mapping[str, str], settings: SourceConfig, *, name_file: NameFile
) -> Iterator[Document | Refusal]:
    """A document for each row with a text; `name_file` gives what its file is called."""
    for rows in found:
        name = name_file(rows.path)
        labels = {part: rows.label_column(field).to_pylist() for part, field in fields.items() if part != "text"}
        for row, text in enumerate(rows.text_column(fields["text"]).to_pylist()):
            where = f"{name}:{rows.positions[row]}"
            own = {part: column[row] or "" for part, column in labels.items()}
            if text is None:
                yield refuse_empty(own.get("id") or where)
                continue
            yield Document(
                id=own.get("id") or where,
                title=own.get("title", ""),
                text=text,
                domain=own.get("domain", ""),
                source=name,
                licence=settings.licence,
                lang=settings.lang or own.get("lang") or detect_language(text, default=SOURCE_LANG),
            )


def refuse_empty(where: str) -> Refusal:
    """The refusal of a document without text."""
    return Refusal("no_text", ErrorClass.KNOWLEDGE_GAP, where)
