import json
import os

import pytest

from kdos.config import SourceConfig
from kdos.errors import InputError
from kdos.pool import Document, Refusal
from kdos.seed import cut_passages, open_source

LETTER = "Die Universität Köln wurde im Jahr 1388 gegründet. Sie gehört zu den größten Hochschulen."


def opened(path, **settings):
    return list(open_source(SourceConfig("files", path=path, **settings)))


def ids(found):
    return [item.id for item in found if isinstance(item, Document)]


def reasons(found):
    return {item.detail.partition(":")[0]: item.reason for item in found if isinstance(item, Refusal)}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "law").mkdir()
    (tmp_path / "law" / "b.md").write_text("# Bridges\n\nOne was opened in 1867.\n\n## Tolls\n\nTwo francs a cart.\n")
    (tmp_path / "a.txt").write_bytes(LETTER.encode("latin-1"))
    (tmp_path / "rows.csv").write_text("text,id\nThe first row.,r1\nThe second row.,r2\n")
    (tmp_path / "settings.json").write_text('{"port": 80}')
    (tmp_path / "broken.jsonl").write_text('{"text": "A sound row."}\n{"text": \n')
    (tmp_path / "data.txt").write_bytes(b"\0\1\2\3" * 40)
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    return tmp_path


def test_a_folder_of_all_kinds_is_read_and_what_gives_nothing_is_counted(folder, capsys):
    found = opened(str(folder))
    assert ids(found) == ["a.txt", "law/b.md", "r1", "r2"]
    assert reasons(found) == {
        "data.txt": "binary", "empty.txt": "no_text", "photo.png": "kind_not_read", "settings.json": "no_text_field",
        f"{folder}/broken.jsonl, line 2": "damaged",
    }  # fmt: skip
    assert len(found) == 4 + 5
    said = capsys.readouterr().err
    assert "holds 3 .txt, 1 .csv, 1 .json, 1 .jsonl, 1 .md; not read: 1 .png" in said
    assert "files that are not UTF-8: 1 cp1252" in said or "1 iso8859-1" in said
    assert next(item.text for item in found if isinstance(item, Document)) == LETTER


def test_kind_text_reads_the_same(folder):
    assert opened(str(folder)) == list(open_source(SourceConfig("text", path=str(folder))))


def test_passages_say_their_heading(folder):
    (document,) = (item for item in opened(str(folder / "law")) if isinstance(item, Document))
    assert document.title == "Bridges"
    (passage,) = cut_passages(document)
    assert (passage.heading, passage.page, passage.text) == ("Bridges", 0, document.text)
    assert [one.heading for one in cut_passages(document, size=40)] == ["Bridges", "Bridges > Tolls"]


def test_files_patterns_and_folders_may_be_given_together(folder):
    found = opened([str(folder / "**" / "*.md"), str(folder / "a.txt")])
    assert ids(found) == ["law/b.md", "a.txt"]
    with pytest.raises(InputError, match="no such file or directory"):
        opened([str(folder / "a.txt"), str(folder / "*.pdf")])


def test_tables_alone_stay_one_data_set_and_their_card_is_no_document(tmp_path):
    (tmp_path / "README.md").write_text("---\nconfigs: []\n---\n# A data set\n")
    (tmp_path / "one.jsonl").write_text(json.dumps({"text": "A row."}) + "\n")
    assert ids(opened(str(tmp_path))) == ["one.jsonl:1"]
    (tmp_path / "two.jsonl").write_text('{"text": \n')
    with pytest.raises(InputError, match=r"two\.jsonl"):
        opened(str(tmp_path))


def test_a_folder_without_a_text_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"the directory must hold a file of a kind we read: tables .* Got none"):
        opened(str(tmp_path))
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match=r"Got 1 \.png"):
        opened(str(tmp_path))
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 nothing")
    with pytest.raises(InputError, match=r"must hold at least one document\. Got none: 1 damaged, 1 kind_not_read"):
        opened(str(tmp_path))


def test_code_is_in_the_document_and_in_no_passage(tmp_path):
    (tmp_path / "a.md").write_text("Before the code stands this.\n\n```\nx = 1\n```\n\nBehind it stands that.\n")
    (document,) = opened(str(tmp_path))
    assert "x = 1" in document.text
    assert [passage.text for passage in cut_passages(document)] == [
        "Before the code stands this.",
        "Behind it stands that.",
    ]


def test_what_is_no_file_is_not_waited_for(tmp_path):
    (tmp_path / "a.txt").write_text("It was opened in 1867.")
    (tmp_path / "gone.pdf").symlink_to(tmp_path / "nowhere")
    (tmp_path / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.txt")
    os.mkfifo(tmp_path / "pipe.csv")
    found = opened(str(tmp_path))
    assert ids(found) == ["a.txt"]
    assert reasons(found) == {"gone.pdf": "not_a_file", "pipe.csv": "not_a_file", "pipe.txt": "not_a_file"}


@pytest.mark.parametrize("tables", [True, False])
def test_a_name_that_is_no_utf8_is_escaped_in_ids_and_titles(tmp_path, tables):
    try:
        (tmp_path / os.fsdecode(b"b\xff.csv")).write_text("text\nA row with words.\n")
        if not tables:
            (tmp_path / os.fsdecode(b"c\xfe.txt")).write_text("The tower is 330 metres tall.")
    except OSError:
        pytest.skip("this system has no such names")
    found = opened(str(tmp_path))
    assert ids(found) == ["b\\udcff.csv:2", *([] if tables else ["c\\udcfe.txt"])]
    assert all("\\udc" in item.source + item.title for item in found)
    assert all((item.id + item.source + item.title).encode() for item in found)
