"""One file of any kind of document as text: what it is, what reads it, and what may be wrong with it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from kdos.documents.blocks import Block, lay_out
from kdos.documents.encodings import decode_text
from kdos.documents.errors import UnreadableError
from kdos.documents.kinds import PANDOC_FORMATS, ZIPPED_SUFFIXES, Reader, is_manual_suffix, is_roff
from kdos.documents.pandoc import read_with_pandoc
from kdos.documents.pdf import read_pdf
from kdos.documents.plain_text import read_plain_text
from kdos.documents.source_code import read_source_code
from kdos.documents.spreadsheets import read_spreadsheet
from kdos.errors import InputError
from kdos.pool import Section
from kdos.printable import printable_line
from kdos.rows import read_whole_file, uncompressed_suffix

MAX_FILE_BYTES = 256 << 20
MAX_UNZIPPED_BYTES = 1 << 30
MAX_ZIP_ENTRIES = 100_000
MAX_ZIP_RATIO = 200
"""Bytes unzipped for each byte of an archive at most, once they are more than `SMALL_BYTES`: a bomb has thousands."""
SMALL_BYTES = 16 << 20
_DESCRIPTION_FORMATS = {"text/markdown": "markdown", "text/x-rst": "rst"}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")


@dataclass(frozen=True, slots=True)
class DocumentText:
    """A document's text. `sections` say which stretch stands under which heading and on which page; `encoding` is
    that of a text file, empty for formats that say their own.
    """

    title: str
    text: str
    sections: tuple[Section, ...]
    encoding: str = ""


def read_document(path: Path, reader: Reader) -> DocumentText:
    """What a file says.

    Raises:
        UnreadableError: It holds no text for us, for a reason that is counted.
        UsageError: A package that reads this kind is not installed.
    """
    try:
        data = read_whole_file(path)
    except InputError as error:
        raise UnreadableError("damaged", str(error).partition(": ")[2]) from error
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableError("too_large", f"{len(data) >> 20} MiB; at most {MAX_FILE_BYTES >> 20}")
    suffix = uncompressed_suffix(path)
    title, blocks, encoding = _read_blocks(data, reader, path, suffix)
    text, sections = lay_out(blocks)
    if not text:
        raise UnreadableError("no_text", "scanned pages need to be recognised first" if reader == "pdf" else "")
    name = printable_line(path.name.partition(".")[0])
    return DocumentText(title.strip() or _first_heading(blocks) or name, text, sections, encoding)


def _read_blocks(data: bytes, reader: Reader, path: Path, suffix: str) -> tuple[str, list[Block], str]:
    """The title, the blocks and the encoding."""
    if reader == "pdf":
        return *read_pdf(data), ""
    if suffix in ZIPPED_SUFFIXES:
        _refuse_bad_zip(data)
        if reader == "spreadsheet":
            return "", read_spreadsheet(data), ""
        return *read_with_pandoc(data, PANDOC_FORMATS[suffix]), ""
    text, encoding = decode_text(data)
    if reader == "package":
        return *_read_package(text), encoding
    if reader == "plain":
        return "", read_plain_text(text), encoding
    if reader == "source_code":
        return "", read_source_code(text, path.name.removesuffix(".gz")), encoding
    if is_manual_suffix(suffix):
        if not is_roff(data):
            raise UnreadableError("not_read", "no manual page")
        form = "mdoc" if "\n.Dd" in text or text.startswith(".Dd") else "man"
    else:
        form = PANDOC_FORMATS[suffix]
    return *read_with_pandoc(text.encode(), form), encoding


def _read_package(text: str) -> tuple[str, list[Block]]:
    """The name of a package, and its summary and description: fields of a mail, and its text in one of three forms."""
    fields = Parser().parsestr(text)
    description = fields["Description"] or str(fields.get_payload())
    form = (fields["Description-Content-Type"] or "").partition(";")[0].strip()
    if form in _DESCRIPTION_FORMATS:
        _, blocks = read_with_pandoc(description.encode(), _DESCRIPTION_FORMATS[form])
    else:
        blocks = read_plain_text(description)
    return str(fields["Name"] or ""), [Block("prose", str(fields["Summary"] or "")), *blocks]


def _first_heading(blocks: Sequence[Block]) -> str:
    first = blocks[0] if blocks else None
    return first.text if first is not None and first.kind == "heading" else ""


def _refuse_bad_zip(data: bytes) -> None:
    """Refuse what is no archive, is locked, or would unpack to more than it may."""
    if data.startswith(_OLE):
        raise UnreadableError(
            "needs_a_password" if _ENCRYPTED_PACKAGE in data else "old_format", "not an Office Open file"
        )
    try:
        entries = ZipFile(io.BytesIO(data)).infolist()
    except (BadZipFile, ValueError, NotImplementedError) as error:
        raise UnreadableError("damaged", str(error)[:160]) from error
    size = sum(entry.file_size for entry in entries)
    if any(entry.flag_bits & 1 for entry in entries):
        raise UnreadableError("needs_a_password")
    too_dense = size > SMALL_BYTES and size > MAX_ZIP_RATIO * len(data)
    if size > MAX_UNZIPPED_BYTES or too_dense or len(entries) > MAX_ZIP_ENTRIES:
        raise UnreadableError("too_large", f"{size >> 20} MiB unzipped, of {len(data) >> 10} KiB")
