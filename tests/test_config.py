"""The configuration: what is refused, and by which line."""

import math

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


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 10**400])
def test_numbers_that_nothing_can_hold_are_refused(value: float) -> None:
    with pytest.raises(ConfigError, match=r"`budget\.usd` must be a finite number. Got "):
        read_config({"source": {"kind": "pydocs"}, "budget": {"usd": value}})
    if isinstance(value, int):
        with pytest.raises(ConfigError, match=r"`random_seed` must be a whole number of at most 63 bits\. Got 1000"):
            read_config({"source": {"kind": "pydocs"}, "random_seed": value})
