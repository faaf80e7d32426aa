"""The configuration: what is refused, and by which line."""

import pytest

from kdos.config import read_config
from kdos.errors import ConfigError


@pytest.mark.parametrize(
    ("shares", "says"),
    [
        ({"law": 1.5}, "`disciplines.law` must be a share"),
        ({"law": "half"}, "`disciplines.law` must be a share"),
        ({"law": 0.7, "art": 0.6}, "must sum to 1 at most"),
    ],
)
def test_disciplines_are_shares(shares, says):
    with pytest.raises(ConfigError, match=says):
        read_config({"source": {"kind": "pydocs"}, "disciplines": shares})
