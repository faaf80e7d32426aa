import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.pool import Document
from kdos.seed import cut_passages


def document(text):
    return Document(id="d", title="T", text=text, domain="x", lang="zh")


texts = st.text(st.sampled_from('ab.。!？”" \n\t\u3000é字')) | st.text()


@given(text=texts, size=st.integers(1, 60))
def test_passages_cover_every_word_once_in_order_within_the_size(text, size):
    passages = list(cut_passages(document(text), size=size))
    covered = [place for p in passages for place in range(p.start, p.end)]
    assert covered == sorted(set(covered))
    assert {at for at, char in enumerate(text) if not char.isspace()} <= set(covered)
    for passage in passages:
        assert passage.text == text[passage.start : passage.end] == passage.text.strip()
        assert 0 < len(passage.text) <= size
        assert passage.id == f"d#{passage.start}"
        assert (passage.document, passage.title, passage.domain, passage.lang) == ("d", "T", "x", "zh")


@given(words=st.lists(st.text("abc", min_size=1, max_size=9), min_size=1), size=st.integers(9, 40))
def test_no_word_is_cut_that_fits(words, size):
    passages = list(cut_passages(document(" ".join(words)), size=size))
    assert [word for passage in passages for word in passage.text.split()] == words


def test_whole_paragraphs_are_packed_together():
    text = "One one.\n\nTwo two.\n \nThree is longer than that."
    assert [p.text for p in cut_passages(document(text), size=26)] == [
        "One one.\n\nTwo two.",
        "Three is longer than that.",
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('He said "Go." Then she went. Home', ['He said "Go."', "Then she went.", "Home"]),
        ("他说：“走。”她走了。回家去吧", ["他说：“走。”", "她走了。", "回家去吧"]),
        ("First item\nSecond item\nThird", ["First item", "Second item", "Third"]),
    ],
)
def test_a_long_paragraph_is_cut_between_sentences(text, parts):
    assert [p.text for p in cut_passages(document(text), size=max(map(len, parts)))] == parts


def test_nothing_gives_nothing():
    assert list(cut_passages(document(" \n\n "))) == []


@pytest.mark.parametrize("text", ["\n" * 300_000, "a" * 300_000, " ." * 150_000, "a\n \n" * 75_000])
def test_odd_texts_take_no_longer_than_others(text):
    assert sum(len(p.text) for p in cut_passages(document(text + "z"))) > 0
