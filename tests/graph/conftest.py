"""Graphs for the tests: arbitrary small ones, and one large enough for laws."""

import numpy as np
import pytest

from kdos.graph import Incidence, build_incidence


@pytest.fixture(scope="session")
def topical() -> Incidence:
    """2,000 KPs in 20 topics, 20,000 samples of 3 to 5, popularity by Zipf's law."""
    rng = np.random.default_rng(7)
    sizes = rng.integers(3, 6, 20_000)
    rank = np.minimum(rng.zipf(1.6, sizes.sum()), 100) - 1
    topic = np.repeat(rng.integers(0, 20, 20_000), sizes)
    astray = rng.random(sizes.sum()) < 0.15
    topic[astray] = rng.integers(0, 20, astray.sum())
    return build_incidence(topic * 100 + rank, sizes, n_kps=2000)
