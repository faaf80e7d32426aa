import pytest

from kdos.seed.wikitext import clean_wikitext

UNLINKED = frozenset({"file", "image", "category", "datei"})


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("'''Ada''' is ''a'' [[town]] in [[Serbia|the country]].", "Ada is a town in the country."),
        ("{{Infobox|a=[[b]]|c={{d}}}}\nText.", "Text."),
        ('A<ref>x</ref> b<ref name=c /> c<ref name="d">{{cite|e}}</ref>.', "A b c."),
        ("[[File:a.jpg|thumb|A [[b]] c]]Text[[Category:X]][[Datei:y]].", "Text."),
        ("A.\n[[de:Ada]]\n[[zh-min-nan:Ada]]", "A."),
        (
            "[[:Category:Towns]] and [[2001: A Space Odyssey]]",
            "Category:Towns and 2001: A Space Odyssey",
        ),
        ("{| class=x\n|-\n| a || b\n|}\nAfter.", "After."),
        ("One\nline.\n\nTwo <!-- no -->lines.", "One line.\n\nTwo lines."),
        (
            "Lead.\n== History ==\nIt began.\n=== More ===\nIt went on.",
            "Lead.\n\nIt began.\n\nIt went on.",
        ),
        ("A.\n==See also==\n* [[B]]\n===C===\nd\n==Life==\nE.", "A.\n\nE."),
        ("List:\n* one\n* two\n** three\nAfter.", "List:\none\ntwo\nthree\nAfter."),
        ("[http://x.org The site], [http://y.org].", "The site,."),
        ("Tom &amp; Jerry&nbsp;2 &ndash; A<br />B", "Tom & Jerry 2 – A B"),
        ("Area {{convert|5,500|km2|sqmi}}, {{lang|fr|Alger}}.", "Area 5,500 km2, Alger."),
        ("{{formatnum:2381741}} people", "2381741 people"),
        ("Algeria ({{lang-ar|x}}; {{IPA|y}}) is ( {{a}}, big).", "Algeria is (big)."),
        ("__NOTOC__A {{unclosed [[File:x.jpg|thumb|y", "A {{unclosed"),
        ("{{nowrap|1 {{nowrap|2}} [[three|3]]}}", "1 2 3"),
        ("<math>x^2</math><gallery>a.jpg</gallery><code>y</code>Z", "Z"),
        ("<span style='x'>inside</span> <s>gone</s>", "inside gone"),
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
