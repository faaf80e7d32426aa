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


@pytest.mark.parametrize(
    ("target", "example"),
    [
        ("tau:inf", "tau:1.5"),
        ("tau:x", "tau:1.5"),
        ("tau:", "tau:1.5"),
        ("tau:1e308", "tau:1.5"),
        ("level:nan", "level:2.5"),
        ("level:-inf", "level:2.5"),
        ("demand:", "demand:questions.jsonl"),
        ("naturl", "natural"),
        ("tau", "tau:<number>"),
        ("", "natural"),
    ],
)
def test_a_target_that_no_source_can_have_is_refused_as_it_is_read(target: str, example: str) -> None:
    with pytest.raises(ConfigError, match="`target` must") as refused:
        read_config({"source": {"kind": "pydocs"}, "target": target})
    assert example in str(refused.value)
    assert repr(target) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("target", ["sqrt", "waterfill", "tau:-0.5", "level:2.5", "demand:a:b.jsonl"])
def test_every_kind_of_target_is_read(target: str) -> None:
    assert read_config({"source": {"kind": "pydocs"}, "target": target}).target == target
