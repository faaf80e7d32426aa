"""A few episodes of the soak, the same ones each time; `make soak` runs others for as long as one likes."""

from pathlib import Path

import pytest
from soak import EPISODES, Soak


@pytest.mark.parametrize(("kind", "random_seed"), [(kind, seed) for seed, kind in enumerate(EPISODES)])
def test_nothing_is_violated(tmp_path: Path, kind: str, random_seed: int) -> None:
    soak = Soak(tmp_path / "soak")
    soak.run_episode(random_seed, kind)
    assert soak.violations == []
    assert soak.counts["commands"] > 1
