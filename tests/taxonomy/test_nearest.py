"""The nearest class: as a slow twin finds it, in any block, in Chinese, and in nothing at all."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.embed import StaticEmbedder, embed_what_is_read
from kdos.taxonomy import ClassFinder, Taxonomy, TaxonomyClass, cut_excerpt, load_shipped
from kdos.taxonomy.nearest import FUNCTION_WORDS, PIECE_CHARS, PIECES

CLASSES = (
    TaxonomyClass("law", "Courts, judges and statutes.\n法院、法官与法律。", ("a contract was broken",)),
    TaxonomyClass("ships", "Harbours and vessels.\n港口与船舶。", ("the ship left the harbour",)),
    TaxonomyClass("food", "", ("bread and butter", "面包和黄油")),
)
TEXTS = [
    ["The judge read the contract aloud in court."],
    ["Seven vessels lay in the harbour.", "Bread was brought to the ships."],
    ["法官在法院"],
    ["黄油面包"],
    ["?!"],
    [""],
    ["Zyx wvu."],
]


def embed(texts):
    """A vector of letters: something that depends on each text alone."""
    return np.array([[text.casefold().count(letter) for letter in "abcdefghij"] for text in texts], np.float32)


def words_of(texts):
    """The words of some texts, spelled out: six letters without a plural's s, and pairs of Chinese ones."""
    found = []
    for text in texts:
        run = ""
        for letter in text.casefold() + " ":
            chinese = "一" <= letter <= "鿿"
            if run and (not letter.isalpha() or chinese != ("一" <= run[0] <= "鿿")):
                if "一" <= run[0] <= "鿿":
                    found += [run[i : i + 2] for i in range(len(run) - 1)]
                elif len(run) > 2 and run not in FUNCTION_WORDS:
                    found.append((run[:-1] if run[-1] == "s" else run)[:6])
                run = ""
            run += letter if letter.isalpha() else ""
    return Counter(found)


def slow_scores(texts, classes):
    counts = [words_of(one.texts) for one in classes]

    def weigh(words):
        held = {w: sum(w in each for each in counts) for w in words}
        return {w: (1 + math.log(n)) * math.log((1 + len(counts)) / held[w]) for w, n in words.items() if held[w]}

    def cosine(one, other):
        dot = sum(value * other.get(word, 0.0) for word, value in one.items())
        norms = math.hypot(*one.values()) * math.hypot(*other.values())
        return dot / norms if norms else 0.0

    def mean(vectors):
        unit = [v / (np.linalg.norm(v) or 1) for v in vectors]
        total = np.mean(unit, axis=0)
        return total / (np.linalg.norm(total) or 1)

    return [
        [cosine(weigh(words_of(text)), weigh(each)) + float(mean(embed(text)) @ mean(embed(one.texts)))
         for one, each in zip(classes, counts, strict=True)]
        for text in texts
    ]  # fmt: skip


def test_scores_are_those_of_a_slow_twin_in_any_block():
    finder = ClassFinder(Taxonomy(CLASSES), embed)
    scores = finder.scores(TEXTS)
    assert scores == pytest.approx(np.array(slow_scores(TEXTS, CLASSES)), abs=1e-6)
    each = np.concatenate([finder.scores([text]) for text in TEXTS])
    assert each.tobytes() == scores.tobytes()


def test_words_find_classes_in_both_languages_and_none_where_no_word_is_known():
    assert ClassFinder(Taxonomy(CLASSES), None).find(TEXTS) == ["law", "ships", "law", "food", "", "", ""]
    assert ClassFinder(Taxonomy(CLASSES), None).find([]) == []


def test_a_subject_counts_for_its_broad_discipline():
    fine = (TaxonomyClass("tax", "Levies on income.", broad="law"),)
    finder = ClassFinder(Taxonomy(CLASSES, fine), None)
    assert finder.names == ["law", "ships", "food", "law"]
    assert finder.find([["income levies"]]) == ["law"]


def test_the_shipped_ones_find_what_anybody_would():
    static = StaticEmbedder()
    found = ClassFinder(load_shipped("broad"), lambda texts: embed_what_is_read(static, texts)).find(
        [
            ["The plaintiff sued the defendant for breach of contract before the court of appeal."],
            ["The integral of a continuous function over a closed interval exists."],
            ["The singer's third album has ten songs, and the film a theme by the same composer."],
            ["皇帝在位期间推行变法，王朝由盛转衰，起义军攻入京城。"],
            ["被告人犯盗窃罪，人民法院依法判处有期徒刑。"],
        ]
    )
    assert found == ["law", "mathematics", "arts, literature and language", "history", "law"]


@given(text=st.text(max_size=9000), title=st.text(max_size=20))
def test_an_excerpt_is_of_the_text_and_all_of_a_short_one(text, title):
    pieces = cut_excerpt(text, title=title)
    assert 1 <= len(pieces) <= PIECES
    head = f"{title}\n" if title else ""
    assert pieces[0] == head + text[:PIECE_CHARS]
    assert all(len(piece) <= PIECE_CHARS and piece in text for piece in pieces[1:])
    assert len(text) <= PIECE_CHARS or text.endswith(pieces[-1].removeprefix(head))
    if len(text) <= PIECES * PIECE_CHARS:
        assert sum(map(len, pieces)) - len(head) >= len(text)


def test_static_says_nothing_of_what_it_cannot_read():
    vectors = embed_what_is_read(StaticEmbedder(), ["法官在法院审理案件", "The judge", "x + y = 2", ""])
    assert vectors.any(axis=1).tolist() == [False, True, True, False]
