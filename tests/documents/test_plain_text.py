import textwrap

import pytest

from kdos.documents.blocks import Block
from kdos.documents.lines import join_lines, words_of
from kdos.documents.plain_text import read_plain_text

PROSE = (
    "The bridge at Arles was opened in 1867 and carried carts until the flood of 1910 took its middle arch away. "
    "A self-made engineer, Jean-Paul Marchand, rebuilt it in two years; pre- and post-war plans differ little. "
    "It was closed again in 1944."
)


@pytest.mark.parametrize("width", [40, 60, 72, 79, 100])
def test_lines_that_were_broken_to_fit_are_one(width):
    found = read_plain_text(textwrap.fill(PROSE, width) + "\n\n" + textwrap.fill(PROSE, width))
    assert found == [Block("prose", PROSE)] * 2


def test_lines_that_were_not_broken_stay():
    address = "Town hall, Arles\nOpened: 1867\nClosed: 1944\n"
    assert [block.text for block in read_plain_text(address)] == ["Town hall, Arles", "Opened: 1867", "Closed: 1944"]


def test_long_lines_are_paragraphs():
    text = f"{PROSE}\n{PROSE}\n"
    assert [block.text for block in read_plain_text(text)] == [PROSE, PROSE]


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_every_end_of_line_ends_one(end):
    assert [block.text for block in read_plain_text(f"One is here.{end}{end}Two is there.{end}")] == [
        "One is here.", "Two is there.",
    ]  # fmt: skip


def test_kinds_are_told_apart():
    text = """THE BRIDGE

1.2 Its arches
--------------

Contents ............ 3
Index ............... 9

- one is
  of stone
- two is of wood

    int main() { return f(x[0]); }

name    year   arches
Arles   1867   7
Nîmes   1901   12

It stands."""
    assert [(block.kind, block.text) for block in read_plain_text(text)] == [
        ("heading", "THE BRIDGE"),
        ("heading", "1.2 Its arches"),
        ("list", "- one is of stone"),
        ("list", "- two is of wood"),
        ("code", "    int main() { return f(x[0]); }"),
        ("table", "name | year | arches\nArles | 1867 | 7\nNîmes | 1901 | 12"),
        ("prose", "It stands."),
    ]


def test_a_fence_holds_code_with_blank_lines():
    found = read_plain_text("Before it.\n\n```\na\n\nb\n```\n\nAfter it.")
    assert [(block.kind, block.text) for block in found] == [
        ("prose", "Before it."),
        ("code", "a\nb"),
        ("prose", "After it."),
    ]


@pytest.mark.parametrize(
    ("lines", "whole"),
    [
        (["a well-", "known bridge"], "a well-known bridge"),
        (["Jean-", "Paul"], "Jean-Paul"),
        (["pre-", "and post-war"], "pre- and post-war"),
        (["北京是", "首都"], "北京是首都"),
        (["one", "two"], "one two"),
    ],
)
def test_halves_of_words_meet_as_they_are_written(lines, whole):
    assert join_lines(lines, frozenset()) == whole


def test_a_divided_word_is_whole_where_the_document_shows_that_it_is():
    known = words_of(["the environment of a well-known bridge over there"])
    assert join_lines(["the environ-", "ment"], known) == "the environment"
    assert join_lines(["over-", "there"], known, divides=True) == "over-there"
    assert join_lines(["pro-", "gram"], known, divides=True) == "program"
    assert join_lines(["man\x02agement"], known, divides=True) == "management"


@pytest.mark.parametrize("lines", [["has manip-", "ulation here"], ["has manip\x02ulation here"]])
def test_the_halves_of_a_divided_word_are_no_words_of_the_document(lines):
    assert join_lines(lines, words_of(lines), divides=True) == "has manipulation here"
