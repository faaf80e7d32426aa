"""Near-duplicates: the compiled search against every pair, and planted edits."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.errors import UsageError
from kdos.pool.duplicates import GRAM_LENGTH, find_near_duplicates, find_similar_pairs

TEMPLATES = (
    "who is the {} of the {} {} in {}",
    "in which year did the {} {} open in {}",
    "which {} player scored the most points for {} against {}",
    "how many {} does the {} museum in {} hold",
    "which river flows through {} and {} before {}",
)


def words(count: int, rng: np.random.Generator) -> np.ndarray:
    letters = np.array(list("abdefghiklmnoprstuvw"))
    return np.array(["".join(rng.choice(letters, rng.integers(4, 9))) for _ in range(count)])


def planted(n: int, *, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Templated questions, then a tenth more with one word changed, and which they came from."""
    rng = np.random.default_rng(seed)
    known = words(3000, rng)
    texts = [TEMPLATES[rng.integers(len(TEMPLATES))].format(*known[rng.integers(0, 3000, 4)]) for _ in range(n)]
    source = rng.integers(0, n, n // 10)
    for row in source:
        parts = texts[row].split()
        parts[rng.integers(len(parts))] = str(known[rng.integers(3000)])
        texts.append(" ".join(parts))
    return texts, source


def jaccard(left: str, right: str) -> float:
    """The slow twin, for texts that are folded already."""
    a, b = ({text[i : i + GRAM_LENGTH] for i in range(max(1, len(text) - GRAM_LENGTH + 1))} for text in (left, right))
    return len(a & b) / len(a | b)


def test_planted_edits_are_found_and_originals_stay() -> None:
    texts, source = planted(4000)
    found = find_near_duplicates(texts)
    gone = found.copy_of != np.arange(len(texts))
    similar = np.array([jaccard(texts[4000 + i], texts[row]) >= 0.7 for i, row in enumerate(source)])
    assert similar.sum() > 200
    assert gone[4000:][similar].mean() >= 0.98
    assert gone[:4000].mean() <= 0.0005


def test_what_is_removed_is_similar_to_a_row_that_is_kept() -> None:
    texts, _ = planted(2000, seed=3)
    found = find_near_duplicates(texts)
    for row in np.flatnonzero(found.copy_of != np.arange(len(texts))):
        kept = found.copy_of[row]
        assert kept < row
        assert found.copy_of[kept] == kept
        assert jaccard(texts[row], texts[kept]) == pytest.approx(found.similarity[row], abs=1e-6)


def test_nearly_every_similar_pair_is_met() -> None:
    texts, _ = planted(300, seed=5)
    found = find_near_duplicates(texts)
    missed = sum(
        jaccard(texts[i], texts[j]) >= 0.7
        for i in found.kept_rows
        for j in found.kept_rows
        if j < i and abs(len(texts[i]) - len(texts[j])) < 15
    )
    assert missed <= 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Who wrote the Book of Job?", "who wrote the book of job"),
        ("Ｗho wrote Job", "Who wrote Job"),
        ("What is “E=mc²”?", "what is e=mc2"),
        ("北京是中国的首都吗？", "北京是中国的首都吗"),
        ("où est-ce", "OÙ est ce"),
    ],
)
def test_case_width_and_punctuation_do_not_count(left: str, right: str) -> None:
    assert find_near_duplicates([left, "something else entirely", right]).copy_of.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Who won the Margaret Oakley Dayhoff Award in 2011?", "Who won the Margaret Oakley Dayhoff Award in 2004?"),
        (
            "Who performed the 50th Birthday Celebration Volume 3",
            "Who performed the 50th Birthday Celebration Volume 31",
        ),
        (
            "What lies between kilometres 1 and 12 of the old road",
            "What lies between kilometres 11 and 2 of the old road",
        ),
    ],
)
def test_other_numbers_make_another_question(left: str, right: str) -> None:
    assert find_near_duplicates([left, right], similar=0.5).copy_of.tolist() == [0, 1]
    assert find_near_duplicates([left, left.upper()]).copy_of.tolist() == [0, 0]


@pytest.mark.parametrize("similar", [0.0, 1.5, float("nan")])
def test_a_similarity_is_a_share(similar: float) -> None:
    with pytest.raises(UsageError, match="must be in"):
        find_near_duplicates(["a"], similar=similar)


def test_texts_that_say_nothing_repeat_nothing() -> None:
    assert find_near_duplicates(["", "", "?!", "?!", "a", "a"]).copy_of.tolist() == [0, 1, 2, 3, 4, 4]


def test_no_texts_give_no_duplicates() -> None:
    assert find_near_duplicates([]).copy_of.tolist() == []


@settings(deadline=None, max_examples=30)
@given(texts=st.lists(st.text(max_size=12), max_size=25))
def test_any_text_is_read_and_copies_fall_together(texts: list[str]) -> None:
    clean = [text.encode("utf-8", "ignore").decode() for text in texts]
    twice = find_near_duplicates(clean + clean).copy_of
    says = find_near_duplicates([f"{text} x" for text in clean] * 2)
    assert len(twice) == 2 * len(clean)
    assert (says.copy_of[len(clean) :] < len(clean)).all()


def test_an_arrow_column_is_read_without_a_copy_of_its_texts() -> None:
    column = pa.array(["x", "who wrote it", "Who wrote it?"], pa.large_string()).slice(1)
    found = find_near_duplicates(column)
    assert found.copy_of.tolist() == [0, 0]
    assert found.kept_rows.tolist() == [0]


def test_the_same_texts_give_the_same_answer() -> None:
    texts, _ = planted(1000)
    once, again = find_near_duplicates(texts), find_near_duplicates(texts)
    np.testing.assert_array_equal(once.copy_of, again.copy_of)


def test_wordings_that_share_most_of_their_grams_are_found_in_small_data() -> None:
    words = "who was the engineer that designed the old swing bridge across the river near the market of Ousel".split()
    chain = [" ".join([f"{word}s" for word in words[:n]] + words[n:]) for n in range(len(words) + 1)]
    later, earlier = find_similar_pairs(chain)
    assert {(n + 1, n) for n in range(len(words))} <= set(zip(later.tolist(), earlier.tolist(), strict=True))
