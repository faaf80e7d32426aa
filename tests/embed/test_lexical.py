import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kdos.embed.lexical import RANK, LexicalEmbedder, _fit_components, _hash_features, _weigh_tfidf

METALS = ("copper", "iron", "zinc", "tin", "lead", "silver")
WORDS = (*METALS, "melts", "boils", "rusts", "floats", "at", "in", "of", "water", "air", "acid")


def sentences(count: int) -> list[str]:
    chance = np.random.default_rng(0)
    return [" ".join(chance.choice(np.array(WORDS), 8)) for _ in range(count)]


def test_components_keep_nearly_all_that_an_exact_decomposition_keeps() -> None:
    texts = sentences(600)
    embedder = LexicalEmbedder.fit(texts)
    weighted = _weigh_tfidf(_hash_features(texts), embedder.idf).toarray()
    exact = np.linalg.svd(weighted, compute_uv=False)[:RANK]
    kept = weighted @ embedder.components.T
    assert np.linalg.norm(kept) > 0.995 * np.linalg.norm(exact)
    overlap = embedder.components @ embedder.components.T
    np.testing.assert_allclose(overlap, np.eye(RANK), atol=1e-4)


def test_a_vector_depends_on_its_own_text_alone() -> None:
    texts = sentences(50)
    embedder = LexicalEmbedder.fit(texts)
    one_by_one = np.concatenate([embedder.embed([text]) for text in texts])
    np.testing.assert_array_equal(embedder.embed(texts), one_by_one)


@given(st.lists(st.text(max_size=12), min_size=3, max_size=12, unique=True))
def test_vectors_are_finite_whatever_the_texts(texts: list[str]) -> None:
    embedder = LexicalEmbedder.fit(texts)
    assert np.isfinite(embedder.embed(texts)).all()


def test_rows_of_one_direction_have_one_component() -> None:
    weighted = _weigh_tfidf(_hash_features(["tin melts"] * 5), np.ones(2**15, np.float32))
    found = _fit_components(weighted, 3, random_seed=0)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.linalg.norm(weighted @ found.T, axis=1), 1, atol=1e-4)
