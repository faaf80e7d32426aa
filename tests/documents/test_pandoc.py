import tracemalloc

from kdos.documents.blocks import Block
from kdos.documents.pandoc import read_with_pandoc


def blocks(text, form="html"):
    return read_with_pandoc(text.encode(), form)[1]


def said(text, form="html"):
    return [block.text for block in blocks(text, form)]


def test_powers_and_indices_keep_what_they_mean():
    assert said("<p>10<sup>6</sup> m<sup>2</sup> of H<sub>2</sub>O, the 5<sup>th</sup>, 10<sub>2</sub></p>") == [
        "10^6 m² of H2O, the 5th, 10_2"
    ]


def test_what_stands_on_every_page_is_left_out():
    page = """<body><nav><a href="/">Home</a></nav><div class="sphinxsidebar"><p>Side</p></div>
    <div role="navigation"><p>More</p></div><div id="footer"><p>Foot</p></div>
    <ul><li><a href="#a">One</a></li><li><a href="#b">Two</a><ul><li><a href="#c">Three</a></li></ul></li>
    <li><a href="#d">Four</a></li></ul><p><a href="/p">Prev</a> | <a href="/u">Up</a> | <a href="/n">Next</a></p>
    <h1>Title<a class="headerlink" href="#t">¶</a></h1><p>Body with <a href="#x">a link</a>.</p></body>"""
    assert said(page) == ["Title", "Body with a link."]


def test_a_list_of_links_with_words_is_kept():
    items = ("<a href='a'>One</a> is first.", "<a href='b'>Two</a> is next.", "<a href='c'>X</a> ends.")
    assert said(f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>") == [
        "One is first.",
        "Two is next.",
        "X ends.",
    ]


def test_notes_follow_the_paragraph_that_they_belong_to():
    assert said("A fact.[^1] More.\n\nNext.\n\n[^1]: The note.\n", "markdown") == [
        "A fact. More.",
        "The note.",
        "Next.",
    ]


def test_tables_are_lines_of_cells_after_their_caption():
    page = (
        "<table><caption>Towns</caption><tr><th>Name</th><th>Year</th></tr><tr><td>Ada</td><td>1890</td></tr></table>"
    )
    assert blocks(page) == [Block("prose", "Towns"), Block("table", "Name | Year\nAda | 1890")]


def test_code_and_headings_are_told_apart():
    found = blocks("# One\n\nText.\n\n    x = 1\n\n## Two\n\n```sh\nls\n```\n", "markdown")
    assert [(block.kind, block.level) for block in found] == [
        ("heading", 1), ("prose", 0), ("code", 0), ("heading", 2), ("code", 0),
    ]  # fmt: skip


def test_a_term_stands_above_what_it_means():
    assert said(".TH A 1\n.SH OPTIONS\n.TP\n.B \\-v\nExplain.\n", "man") == ["OPTIONS", "-v\nExplain."]


def test_lines_of_a_table_of_contents_are_no_text():
    assert said("<p>1 Introduction . . . . . . . . 3</p><p>It ends.</p>") == ["It ends."]


def test_nesting_without_end_is_refused_or_read():
    from kdos.documents import UnreadableError

    try:
        found = said("<blockquote>" * 5000 + "deep" + "</blockquote>" * 5000)
    except UnreadableError as error:
        assert error.reason in {"nested_too_deep", "takes_too_much_memory", "damaged"}
    else:
        assert "deep" in " ".join(found)


def test_a_list_a_heading_and_a_quote_of_markdown_may_follow_a_paragraph_at_once():
    found = blocks("Needs:\n- one\n- two\n\nText\n## Next\nMore\n> quoted\n", "markdown")
    assert [(block.kind, block.text) for block in found] == [
        ("prose", "Needs:"), ("list", "one"), ("list", "two"), ("prose", "Text"), ("heading", "Next"),
        ("prose", "More"), ("prose", "quoted"),
    ]  # fmt: skip


def test_a_table_that_stands_in_another_file_costs_no_other_text():
    text = "Before.\n\n.. csv-table:: Rows\n   :file: /etc/passwd\n\nAfter 12.\n"
    assert [line for line in said(text, "rst") if line not in ("Rows", "")] == ["Before.", "After 12."]


def test_a_word_is_held_once_however_often_it_stands():
    text = "one two three. " * 20_000
    tracemalloc.start()
    try:
        assert len(said(text, "markdown")[0]) == len(text) - 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60 * len(text)
