import bz2
import gzip
import tracemalloc

import pytest

from kdos.errors import InputError
from kdos.seed.wikipedia import clean_wikitext, read_dump_pages

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" xml:lang="de">
<siteinfo><namespaces><namespace key="0" /><namespace key="6">Datei</namespace>
<namespace key="14">Kategorie</namespace></namespaces></siteinfo>
"""
PAGE = """<page><title>{title}</title><ns>{ns}</ns><id>{id}</id>{more}
<revision><id>9{id}</id><contributor><id>77</id></contributor><model>wikitext</model>
<text xml:space="preserve">{text}</text></revision></page>
"""


def dump(*pages):
    known = {"ns": 0, "more": "", "text": "Text."}
    return HEAD + "".join(PAGE.format(**(known | page)) for page in pages) + "</mediawiki>\n"


PAGES = [
    {"id": 1, "title": "Eins", "text": "A &amp; &lt;b&gt;\n\nC ü"},
    {"id": 2, "title": "Zwei", "more": '<redirect title="Eins" />'},
    {"id": 3, "title": "Hilfe:Drei", "ns": 12},
]


def multistream(data):
    middle = len(data) // 2
    return bz2.compress(data[:middle]) + bz2.compress(data[middle:])


@pytest.mark.parametrize(
    ("suffix", "pack"), [("", bytes), (".bz2", bz2.compress), (".gz", gzip.compress), (".bz2", multistream)]
)
def test_pages_come_with_title_namespace_and_text(tmp_path, suffix, pack):
    path = tmp_path / f"dump.xml{suffix}"
    path.write_bytes(pack(dump(*PAGES).encode()))
    found = list(read_dump_pages(path))
    assert [(p.id, p.title, p.namespace, p.redirect) for _, p in found] == [
        ("1", "Eins", "0", False),
        ("2", "Zwei", "0", True),
        ("3", "Hilfe:Drei", "12", False),
    ]
    site, first = found[0]
    assert first.text == "A & <b>\n\nC ü"
    assert site.lang == "de"
    assert site.unlinked_namespaces == {"file", "image", "category", "datei", "kategorie"}


def test_of_several_revisions_the_last_one_counts(tmp_path):
    path = tmp_path / "dump.xml"
    text = dump({"id": 1, "title": "A", "text": "Old"})
    path.write_text(text.replace("</page>", "<revision><text>New</text></revision></page>"))
    assert [page.text for _, page in read_dump_pages(path)] == ["New"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (dump(*PAGES)[:-13], "must be a whole MediaWiki XML dump. Got: no element found"),
        (dump(*PAGES).replace("</title>", "</tilte>", 1), "dump.xml, line 4: must be a whole"),
        ("<html><body/></html>", "line 1: must be a MediaWiki XML dump. Got <html>"),
        ("", "must be a whole MediaWiki XML dump"),
        ("hello", "must be a whole MediaWiki XML dump"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><mediawiki>&a;</mediawiki>', "no document type declaration"),
    ],
)
def test_a_bad_dump_is_one_clear_line(tmp_path, content, message):
    path = tmp_path / "dump.xml"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        list(read_dump_pages(path))
    assert message in str(caught.value)


def test_bytes_that_are_not_utf8_name_their_line(tmp_path):
    path = tmp_path / "dump.xml"
    path.write_bytes(dump(*PAGES).encode().replace("ü".encode(), b"\xff"))
    with pytest.raises(InputError, match=r"dump\.xml, line 8: .*not well-formed"):
        list(read_dump_pages(path))


def test_a_truncated_bz2_is_one_clear_line(tmp_path):
    path = tmp_path / "dump.xml.bz2"
    path.write_bytes(bz2.compress(dump(*PAGES * 400).encode())[:-40])
    with pytest.raises(InputError, match=r"dump\.xml\.bz2: must be a whole, readable file"):
        list(read_dump_pages(path))


def test_memory_does_not_grow_with_the_dump(tmp_path, monkeypatch):
    monkeypatch.setattr("kdos.seed.wikipedia.BLOCK_BYTES", 1 << 14)

    def peak(pages):
        path = tmp_path / "dump.xml.bz2"
        page = {"title": "A", "text": "Word " * 200}
        path.write_bytes(bz2.compress(dump(*({"id": n} | page for n in range(pages))).encode()))
        tracemalloc.start()
        assert sum(1 for _ in read_dump_pages(path)) == pages
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    assert peak(4000) < 1.3 * peak(400)


UNLINKED = frozenset({"file", "image", "category", "datei"})


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("'''Ada''' is ''a'' [[town]] in [[Serbia|the country]].", "Ada is a town in the country."),
        ("{{Infobox|a=[[b]]|c={{d}}}}\nText.", "Text."),
        ('A<ref>x</ref> b<ref name=c /> c<ref name="d">{{cite|e}}</ref>.', "A b c."),
        ("[[File:a.jpg|thumb|A [[b]] c]]Text[[Category:X]][[Datei:y]].", "Text."),
        ("A.\n[[de:Ada]]\n[[zh-min-nan:Ada]]", "A."),
        ("[[:Category:Towns]] and [[2001: A Space Odyssey]]", "Category:Towns and 2001: A Space Odyssey"),
        ("{| class=x\n|-\n| a || b\n|}\nAfter.", "After."),
        ("One\nline.\n\nTwo <!-- no -->lines.", "One line.\n\nTwo lines."),
        ("Lead.\n== History ==\nIt began.\n=== More ===\nIt went on.", "Lead.\n\nIt began.\n\nIt went on."),
        ("A.\n==See also==\n* [[B]]\n===C===\nd\n==Life==\nE.", "A.\n\nE."),
        ("List:\n* one\n* two\n** three\nAfter.", "List:\none\ntwo\nthree\nAfter."),
        ("[http://x.org The site], [http://y.org].", "The site,."),
        ("Tom &amp; Jerry&nbsp;2 &ndash; A<br />B", "Tom & Jerry 2 – A B"),
        ("Area {{convert|5,500|km2|sqmi}}, {{lang|fr|Alger}}.", "Area 5,500 km², Alger."),
        ("{{formatnum:2381741}} people", "2381741 people"),
        ("Algeria ({{lang-ar|x}}; {{IPA|y}}) is ( {{cn}}, big).", "Algeria (x) is (big)."),
        ("__NOTOC__A {{unclosed [[File:x.jpg|thumb|y", "A {{unclosed"),
        ("{{nowrap|1 {{nowrap|2}} [[three|3]]}}", "1 2 3"),
        ("It is <math>x^2</math> here. Z.<gallery>a.jpg</gallery>", "Z."),
        ("<span style='x'>inside</span> <s>gone</s>", "inside"),
    ],
)
def test_wikitext_becomes_prose(wikitext, text):
    assert clean_wikitext(wikitext, unlinked=UNLINKED) == text


def test_what_is_unbalanced_in_one_section_spares_the_next():
    text = clean_wikitext("A.\n==B==\n{| x\n| y <ref>z\n'''q\n==C==\nFine.", unlinked=UNLINKED)
    assert text.startswith("A.")
    assert text.endswith("Fine.")
    assert "{|" not in text
    assert "''" not in text
