"""Documents of every kind, made on the spot, say what was written into them."""

import difflib
import io
import zipfile
from itertools import pairwise

import pytest
from document_files import KINDS, expected_words, library_texts, words_of, write_pdf

from kdos.documents import UnreadableError, document_kind, pdf_worker, read_document
from kdos.rows import uncompressed_suffix

MODULES = library_texts(2)


def read(path):
    return read_document(path, document_kind(path, uncompressed_suffix(path)))


def share_in_order(wanted, given):
    matcher = difflib.SequenceMatcher(None, wanted, given, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / len(wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_the_words_of_a_document_are_found_in_order(kind, tmp_path):
    for name, sections in MODULES:
        path = tmp_path / f"{name}.{kind}"
        KINDS[kind](path, name, sections)
        found = read(path)
        wanted, given = expected_words(sections, kind), words_of(found.text)
        assert share_in_order(wanted, given) > 0.99
        assert share_in_order(given, wanted) > 0.97  # no menus, running titles, page numbers


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "xlsx"])
def test_paragraphs_stand_under_their_headings(kind, tmp_path):
    name, sections = MODULES[0]
    path = tmp_path / f"{name}.{kind}"
    KINDS[kind](path, name, sections)
    found = read(path)
    for key, (first, *_) in sections:
        under = [one for one in found.sections if one.heading.split(" > ")[-1] == key]
        assert " ".join(first.split()[:4]) in "\n\n".join(found.text[one.start : one.end] for one in under)


def test_sections_hold_all_of_the_text_in_order(tmp_path):
    name, sections = MODULES[0]
    path = tmp_path / "a.columns.pdf"
    KINDS["columns.pdf"](path, name, sections)
    found = read(path)
    ends = [(section.start, section.end) for section in found.sections]
    assert ends == sorted(ends)
    assert all(not found.text[end:start].strip() for (_, end), (start, _) in pairwise(ends))
    assert {section.page for section in found.sections} == set(range(1, 1 + max(s.page for s in found.sections)))


def test_a_locked_pdf_says_so(tmp_path):
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    path = tmp_path / "locked.pdf"
    canvas = Canvas(str(path), encrypt=StandardEncryption("user", ownerPassword="owner"))
    canvas.drawString(100, 700, "A secret.")
    canvas.save()
    assert reason_of(path) == "needs_a_password"


def reason_of(path):
    with pytest.raises(UnreadableError) as caught:
        read(path)
    return caught.value.reason


def test_a_page_that_cannot_be_read_is_named_and_not_left_out(tmp_path, monkeypatch, capsysbinary):
    import pypdfium2

    write_pdf(tmp_path / "a.pdf", *MODULES[0])
    load = pypdfium2.PdfDocument.get_page

    def fail_behind_the_first(document, index):
        if index:
            raise pypdfium2.PdfiumError("Failed to load page.")
        return load(document, index)

    monkeypatch.setattr(pypdfium2.PdfDocument, "get_page", fail_behind_the_first)
    monkeypatch.setattr(pdf_worker, "_limit_memory", lambda most: None)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "a.pdf").read_bytes())))
    assert pdf_worker.main(0) == pdf_worker.DAMAGED_EXIT
    assert capsysbinary.readouterr().err == b"page 2: Failed to load page."


def test_a_scanned_pdf_has_no_text(tmp_path):
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(tmp_path / "scan.pdf"))
    canvas.rect(100, 100, 200, 200, fill=1)
    canvas.save()
    assert reason_of(tmp_path / "scan.pdf") == "no_text"


@pytest.mark.parametrize("suffix", [".pdf", ".docx", ".pptx", ".xlsx", ".epub", ".ipynb"])
def test_damage_is_a_reason(suffix, tmp_path):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"PK\x03\x04 not an archive" if suffix != ".pdf" else b"%PDF-1.7 nothing")
    assert reason_of(path) in {"damaged", "binary"}


def test_a_pdf_that_is_cut_off_is_read_or_refused(tmp_path):
    path = tmp_path / "whole.pdf"
    write_pdf(path, *MODULES[0])
    whole = path.read_bytes()
    for share in (0.2, 0.5, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        try:
            assert read(path).text
        except UnreadableError as error:
            assert error.reason in {"damaged", "no_text"}


def bomb(size, *, names=("word/document.xml",)):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, b"\0" * size)
    return held.getvalue()


@pytest.mark.parametrize("suffix", [".docx", ".xlsx", ".epub"])
def test_what_unpacks_to_far_more_is_not_unpacked(suffix, tmp_path):
    path = tmp_path / f"bomb{suffix}"
    path.write_bytes(bomb(64 << 20))
    assert reason_of(path) == "too_large"


def test_an_old_office_file_and_a_locked_one_are_told_apart(tmp_path):
    magic = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    (tmp_path / "old.docx").write_bytes(magic + b"\0" * 600)
    (tmp_path / "locked.docx").write_bytes(magic + "EncryptedPackage".encode("utf-16-le"))
    assert reason_of(tmp_path / "old.docx") == "old_format"
    assert reason_of(tmp_path / "locked.docx") == "needs_a_password"


def test_a_package_is_described_by_its_name_summary_and_text(tmp_path):
    path = tmp_path / "METADATA"
    path.write_text(
        "Metadata-Version: 2.1\nName: lamp\nSummary: Lights a room.\nDescription-Content-Type: text/markdown\n\n"
        "# Lamp\n\nIt was *first* lit in 1879.\n"
    )
    found = read(path)
    assert (found.title, found.text) == ("lamp", "Lights a room.\n\nLamp\n\nIt was first lit in 1879.")


def test_what_has_the_suffix_of_a_manual_and_is_none_is_not_read(tmp_path):
    (tmp_path / "data.1").write_text("1 2 3\n4 5 6\n")
    assert reason_of(tmp_path / "data.1") == "not_read"
