"""What a run costs so far, a sample and to come: sums by hand, and how they read."""

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.cost import Cost, describe_costs, format_duration, format_tokens, format_usd, look_at_costs

BEFORE = Cost(calls=100, prompt_tokens=9_000, completion_tokens=1_000, usd=1.0)


def part(samples, spent, *, needed, picks=5, seconds=10.0):
    return {"samples": samples, "spent": asdict(spent), "needed": needed, "picks": picks, "seconds": seconds}


def parts_of(*each):
    first, *more = each
    return [{**first, "spent_before": asdict(BEFORE)}, *more]


def test_without_a_part_or_of_an_older_kdos_nothing_is_said():
    assert look_at_costs([]) is None
    assert look_at_costs([{"samples": 3, "seconds": 1.0}]) is None


def test_before_the_first_sample_it_is_known_what_picks_take():
    spent = Cost(calls=110, prompt_tokens=9_500, completion_tokens=1_100, usd=1.2)
    outlook = look_at_costs(parts_of(part(0, spent, needed=50)))
    assert (outlook.spent, outlook.a_sample) == (spent, None)
    assert outlook.to_come == Cost(100, 5_000, 1_000, pytest.approx(2.0), 100.0)
    said = "10,600 tokens and 1.20 USD spent; about 6,000 tokens, 2.00 USD, 100 seconds to come"
    assert describe_costs(outlook) == said


def test_a_sample_is_the_loops_and_what_is_to_come_is_by_the_picks_after_the_first_part():
    # The first part is dear: while its 5 picks were decided, more were asked for.
    first = part(10, Cost(140, 19_000, 2_000, 2.0), needed=90)
    second = part(40, Cost(200, 45_000, 5_000, 3.0), needed=10, picks=15, seconds=30.0)
    outlook = look_at_costs(parts_of(first, second))
    assert outlook.spent == Cost(200, 45_000, 5_000, 3.0)
    assert outlook.a_sample == Cost(100 / 40, 36_000 / 40, 4_000 / 40, 2.0 / 40, 1.0)
    assert asdict(outlook.to_come) == pytest.approx(asdict(Cost(40, 26_000 * 2 / 3, 2_000, 2 / 3, 20.0)))
    said = "1,000 tokens and 0.050 USD a sample; 50,000 tokens and 3.00 USD spent; "
    said += "about 19,333 tokens, 0.67 USD, 20 seconds to come"
    assert describe_costs(outlook) == said
    assert describe_costs(outlook, spent=False) == said.replace("50,000 tokens and 3.00 USD spent; ", "")


def test_without_prices_no_money_is_named_and_without_tokens_only_time():
    priceless = part(40, Cost(200, 45_000, 5_000), needed=5, seconds=60.0)
    said = describe_costs(look_at_costs([{**priceless, "spent_before": asdict(Cost(100, 9_000, 1_000))}]))
    assert said == "1,000 tokens a sample; 50,000 tokens spent; about 40,000 tokens, 60 seconds to come"
    free = part(40, Cost(200, usd=0.0), needed=5, seconds=60.0)
    assert (
        describe_costs(look_at_costs([{**free, "spent_before": asdict(Cost(usd=0.0))}])) == "about 60 seconds to come"
    )


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(0, 1_000))
def test_at_a_steady_rate_it_adds_up_however_the_parts_are_cut(grown, needed):
    spent, samples, parts = BEFORE, 0, []
    for picks in grown:
        samples += 2 * picks
        spent = Cost(spent.calls + 3 * picks, spent.prompt_tokens + 900 * picks, spent.completion_tokens, 1.0)
        parts.append(part(samples, spent, needed=needed, picks=picks, seconds=0.5 * picks))
    outlook = look_at_costs(parts_of(*parts))
    assert asdict(outlook.a_sample) == pytest.approx(asdict(Cost(1.5, 450, 0, 0.0, 0.25)))
    assert asdict(outlook.to_come) == pytest.approx(asdict(Cost(3 * needed, 900 * needed, 0, 0.0, 0.5 * needed)))


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (0.0, "0.00"),
        (1234.5, "1,234.50"),
        (0.05, "0.050"),
        (0.0123, "0.012"),
        (0.00004567, "0.000046"),
        (1e-12, "0.00000000"),
    ],
)
def test_money_is_shown_in_cents_or_to_two_digits(usd, shown):
    assert format_usd(usd) == shown


def test_tokens_and_times_are_shown_in_the_unit_that_fits():
    assert [format_tokens(n) for n in (0, 999_999, 1_250_000)] == ["0 tokens", "999,999 tokens", "1.2 million tokens"]
    assert [format_duration(s) for s in (0.2, 119.0, 120.0, 3599.0, 5400.0)] == [
        "1 seconds", "119 seconds", "2 minutes", "60 minutes", "1.5 hours",
    ]  # fmt: skip
