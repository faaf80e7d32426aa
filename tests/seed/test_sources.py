import bz2
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdos.config import SourceConfig
from kdos.errors import ConfigError, InputError
from kdos.pool import Document, Refusal
from kdos.seed import open_source
from kdos.seed.files import find_document_fields

DUMP = """<mediawiki xml:lang="en"><siteinfo><namespaces><namespace key="0" />
<namespace key="6">File</namespace></namespaces></siteinfo>
<page><title>Ada</title><ns>0</ns><id>5</id><revision><model>wikitext</model>
<text>'''Ada''' is a [[town]].</text></revision></page>
<page><title>ADA</title><ns>0</ns><id>6</id><redirect title="Ada" /><revision>
<text>#REDIRECT [[Ada]]</text></revision></page>
<page><title>Talk:Ada</title><ns>1</ns><id>7</id><revision><text>No.</text></revision></page>
<page><title>Bare</title><ns>0</ns><id>8</id><revision><text>{{x}}</text></revision></page>
<page><title>Data</title><ns>0</ns><id>9</id><revision><model>json</model><text>{}</text></revision>
</page></mediawiki>"""


def rows(path, *items):
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return str(path)


def opened(**settings):
    return list(open_source(SourceConfig(**settings)))


def reasons(found):
    return [item.reason for item in found if isinstance(item, Refusal)]


def test_a_table_gives_a_document_a_row_or_a_refusal(tmp_path):
    path = rows(
        tmp_path / "a.jsonl",
        {"id": 1, "title": "T", "text": "One.", "lang": "fr", "domain": "law"},
        {"id": None, "text": "Two."},
        {"id": 3, "text": " "},
        {"id": 1, "text": "Again."},
    )
    found = opened(kind="text", path=path, licence="CC0")
    assert found[0] == Document(
        id="1", title="T", text="One.", domain="law", source="a.jsonl", licence="CC0", lang="fr"
    )
    assert found[1] == Document(id="a.jsonl:2", title="", text="Two.", source="a.jsonl", licence="CC0", lang="en")
    assert reasons(found) == ["no_text", "duplicate_id"]
    assert [item.detail for item in found[2:]] == ["3", "1"]


def test_fields_are_those_named_and_lang_is_a_code(tmp_path):
    path = rows(tmp_path / "a.jsonl", {"key": "k", "name": "N", "parts": [{"t": "A"}, {"t": "B"}]})
    (found,) = opened(kind="text", path=path, text="parts.t", id="key", title="name", lang="de")
    assert (found.id, found.title, found.text, found.lang) == ("k", "N", "A\n\nB", "de")
    with pytest.raises(InputError, match=r"a\.jsonl, field words: no such field"):
        opened(kind="text", path=path, text="words")
    with pytest.raises(InputError, match=r"There are: key, name, parts\.t\. Set source\.text"):
        opened(kind="text", path=path)


def test_a_folder_of_texts_gives_a_document_a_file(tmp_path):
    (tmp_path / "law").mkdir()
    (tmp_path / "law" / "b.md").write_text("# B\n\nText é")
    (tmp_path / "a.txt").write_text("\ufeffText A")
    (tmp_path / "c.TXT.gz").write_bytes(gzip.compress(b"Text C"))
    (tmp_path / "empty.txt").write_text("")
    found = opened(kind="text", path=str(tmp_path), lang="fr")
    documents = [item for item in found if isinstance(item, Document)]
    assert [(d.id, d.title, d.text, d.domain) for d in documents] == [
        ("a.txt", "a", "Text A", ""),
        ("c.TXT.gz", "c", "Text C", ""),
        ("law/b.md", "B", "B\n\nText é", "law"),
    ]
    assert reasons(found) == ["no_text"]
    assert opened(kind="text", path=str(tmp_path / "a.txt"))[0].text == "Text A"


def test_a_folder_with_tables_is_read_as_tables(tmp_path):
    rows(tmp_path / "b.jsonl", {"text": "B"})
    rows(tmp_path / "a.jsonl", {"text": "A"})
    (tmp_path / "README.md").write_text("About")
    assert [d.id for d in opened(kind="text", path=str(tmp_path))] == ["a.jsonl:1", "b.jsonl:1"]


def test_the_limit_counts_documents(tmp_path):
    path = rows(tmp_path / "a.jsonl", {"text": ""}, {"text": "A"}, {"text": "B"})
    found = opened(kind="text", path=path, limit=1)
    assert [type(item) for item in found] == [Refusal, Document]


def test_a_dump_gives_its_articles_and_counts_the_rest(tmp_path):
    path = tmp_path / "wiki.xml.bz2"
    path.write_bytes(bz2.compress(DUMP.encode()))
    found = opened(kind="wikipedia", path=str(path))
    assert found[0] == Document(
        id="5", title="Ada", text="Ada is a town.", source="wiki.xml.bz2", licence="CC BY-SA 4.0", lang="en"
    )
    assert reasons(found) == ["redirect", "not_an_article", "no_text", "not_wikitext"]


def test_the_parquet_layout_of_wikipedia(tmp_path):
    page = {"id": "12", "url": "https://x", "title": "A", "text": "Text."}
    pq.write_table(pa.Table.from_pylist([page]), tmp_path / "train-0.parquet")
    for path in (tmp_path, tmp_path / "train-0.parquet"):
        (found,) = opened(kind="wikipedia", path=str(path), lang="simple")
        assert (found.id, found.title, found.text, found.lang) == ("12", "A", "Text.", "simple")
        assert found.licence == "CC BY-SA 4.0"


def test_a_hub_data_set_from_a_folder(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list([{"text": "A", "id": 4}, {"text": "", "id": 5}]).save_to_disk(tmp_path / "set")
    found = opened(kind="hf", path=str(tmp_path / "set"))
    assert (found[0].id, found[0].text) == ("4", "A")
    assert reasons(found) == ["no_text"]


@pytest.mark.parametrize("kind", ["text", "wikipedia"])
def test_a_source_that_is_not_there(tmp_path, kind):
    with pytest.raises(InputError, match=r"nothing: no such file or directory"):
        opened(kind=kind, path=str(tmp_path / "nothing"))
    with pytest.raises(InputError, match=r"the directory must hold a file of a kind we read"):
        opened(kind=kind, path=str(tmp_path))


def test_an_empty_corpus_is_an_error(tmp_path):
    path = rows(tmp_path / "a.jsonl", {"text": ""}, {"text": None})
    with pytest.raises(InputError, match=r"a\.jsonl: must hold at least one document\. Got none"):
        opened(kind="text", path=path)


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"source\.kind must be one of .*text.*Got 'pdf'"):
        opened(kind="pdf")


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (
            {"title": "Oslo", "paragraphs": [{"context": "Oslo lies on a fjord.", "qas": [{"question": "Where?"}]}]},
            "paragraphs.context",
        ),
        (
            {"id": "1", "paragraphs": [{"text": "Oslo lies on a fjord.", "qas": [{"question": "Where?"}]}]},
            "paragraphs.text",
        ),
        ({"question": "Where?", "context": "Oslo lies on a fjord."}, "context"),
        ({"question": "Where does Oslo lie?"}, "question"),
    ],
)
def test_articles_are_read_for_what_they_say(tmp_path, row, field):
    path = tmp_path / "articles.jsonl"
    path.write_text(json.dumps(row) + "\n")
    settings = SourceConfig("text", path=str(path))
    assert find_document_fields(settings)["text"] == field
    (document,) = open_source(settings)
    assert ("fjord" in document.text) == (field != "question")
