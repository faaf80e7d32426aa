from dataclasses import replace

import numpy as np
import pytest

from kdos.errors import UsageError
from kdos.scaling import (
    Collapse,
    IntervalEstimate,
    capacity_bits,
    cells_above_capacity,
    fit_law,
    hold_out_largest,
    predict_collapse,
)

CELLS = [(6144, 1e5), (6144, 2e5), (6144, 4e5), (13_824, 2e5), (24_576, 2e5), (55_296, 2e5)]


def collapses(k50, *, cells=CELLS, noise: float = 0.0, seeds: int = 3) -> list[Collapse]:
    rng = np.random.default_rng(3)
    found = []
    for params, presentations in cells:
        value = k50(params, presentations) * float(np.exp(rng.normal(0, noise)))
        draws = np.log(value) + rng.normal(0, max(noise, 1e-3), 100)
        near = IntervalEstimate(value, value * 0.9, value * 1.1)
        peak = IntervalEstimate(0.7 * value, 0.6 * value, 0.8 * value)
        found.append(Collapse(params, int(presentations), near, peak, None, 0.2, 1 / 64, draws, seeds=seeds))
    return found


def power(params: float, presentations: float) -> float:
    return 1400 * (params / 6144) ** 0.6 * (presentations / 192_000) ** 0.65


def softmin(params: float, presentations: float) -> float:
    room, hold = 0.25 * params, 0.0004 * presentations * params**0.4
    return (room**-2 + hold**-2) ** -0.5


@pytest.mark.parametrize(("form", "truth"), [("power", power), ("softmin", softmin)])
def test_the_form_behind_the_cells_is_found_and_foretells(form: str, truth) -> None:
    law = fit_law(collapses(truth), values=64)

    assert [fit.form for fit in law.fits if fit.averaged] == [form]
    assert law.errors[form] < 0.02 < max(law.errors.values())
    (held,) = hold_out_largest(collapses(truth), values=64)
    assert abs(held.error) < 0.12, "three sizes do not tell the forms apart, and their mean errs"
    assert held.inside
    assert law.peak_ratio.value == pytest.approx(0.7)


def test_forms_that_cannot_be_told_apart_are_averaged_and_the_interval_spans_them() -> None:
    seen = collapses(power, noise=0.1)
    law = fit_law(seen, values=64)
    alone = [replace(law, fits=tuple(replace(one, averaged=one is fit) for one in law.fits)) for fit in law.fits]
    each = [predict_collapse(one, params=2e5, presentations=2e5).k50.value for one in alone]
    both = predict_collapse(law, params=2e5, presentations=2e5).k50

    assert len(each) == 2
    assert both.value == pytest.approx(np.sqrt(np.prod(each)))
    assert both.low < min(each) < max(each) < both.high


def test_noise_widens_the_interval_and_so_does_distance() -> None:
    clean, noisy = (fit_law(collapses(power, noise=noise), values=64) for noise in (0, 0.1))
    near, far = (predict_collapse(noisy, params=size, presentations=2e5) for size in (3e4, 3e6))

    def width(one) -> float:
        return np.log(one.k50.high / one.k50.low)

    assert width(predict_collapse(clean, params=3e4, presentations=2e5)) < width(near) < width(far)
    assert near.size_factor == 1
    assert far.size_factor == pytest.approx(3e6 / 55_296)


def test_nothing_is_promised_beyond_the_bits_that_parameters_hold() -> None:
    law = fit_law(collapses(power, cells=[(10 * params, shown) for params, shown in CELLS]), values=64)
    found = predict_collapse(law, params=61_440, presentations=1e9)

    assert found.capped
    # At K50 half of the facts are recalled, of 6 bits each; 1e9 presentations show each more than 1,000 times.
    assert found.k50.value == found.capacity == pytest.approx(2 * 2 * 61_440 / 6)
    assert found.k50.low is not None
    assert found.k50.low < found.k50.value / 3 < found.k50.high == found.k50.value, "a cap is not a point"
    assert found.budget_factor == pytest.approx(1e9 / 4e5)
    twice = predict_collapse(replace(law, bits_per_fact=12), params=61_440, presentations=1e9)
    assert twice.capacity == pytest.approx(found.capacity / 2)


def test_the_bits_that_parameters_hold_grow_with_the_exposures() -> None:
    assert [capacity_bits(one) for one in (1, 100, 1000, 1e6)] == pytest.approx([1, 1, 2, 2])
    assert capacity_bits(10**2.5) == pytest.approx(1.5)
    law = fit_law(collapses(power, cells=[(10 * params, shown) for params, shown in CELLS]), values=64)
    few = predict_collapse(law, params=61_440, presentations=1e6)
    assert few.capacity == pytest.approx(2 * capacity_bits(1e6 / few.capacity) * 61_440 / 6)


def test_cells_above_the_known_bits_are_named_and_nothing_is_capped_below_them() -> None:
    def crowded(params: float, presentations: float) -> float:
        return 5 * power(params, presentations)

    seen = collapses(crowded, noise=0.03)
    law = fit_law(seen, values=64)
    (held,) = hold_out_largest(seen, values=64)

    assert len(cells_above_capacity(seen, law)) == 6
    assert law.measured_bits > 2
    (uncapped,) = hold_out_largest(seen, values=64, bits_per_fact=1e-3)
    assert held.predicted == uncapped.predicted
    assert predict_collapse(law, params=6144, presentations=1e9).capacity == pytest.approx(
        2 * law.measured_bits * 6144 / 6
    )
    assert not cells_above_capacity(seen, fit_law(seen, values=64, bits_per_fact=0.5))


def test_no_more_facts_than_presentations() -> None:
    law = fit_law(collapses(power), values=64)
    found = predict_collapse(law, params=1e12, presentations=1e5).k50

    assert found.value == found.high == 1e5
    assert found.low is not None
    assert found.low < 1e5


def test_far_beyond_the_measurements_all_forms_are_spanned() -> None:
    law = fit_law(collapses(power), values=64)
    assert [fit.form for fit in law.fits if not fit.averaged] == ["softmin"]
    alone = [replace(law, fits=tuple(replace(one, averaged=one is fit) for one in law.fits)) for fit in law.fits]

    def predictions(params: float) -> list[IntervalEstimate]:
        return [predict_collapse(one, params=params, presentations=2e5).k50 for one in (law, *alone)]

    near, *forms = predictions(3e5)
    assert near.low is not None
    assert near.low > min(one.value for one in forms), "within ten times a form that missed counts for nothing"
    far, *forms = predictions(6e5)
    assert far.low is not None
    assert far.low <= min(one.value for one in forms)
    assert far.highest >= max(one.value for one in forms)
    assert far.highest >= 9.9 * far.low, "an order of magnitude at least"
    assert predict_collapse(law, params=6e5, presentations=2e5).is_order_of_magnitude


def test_one_random_seed_gives_no_interval() -> None:
    law = fit_law(collapses(power, seeds=1), values=64)
    (held,) = hold_out_largest(collapses(power, seeds=1), values=64)

    assert law.freedom == 0
    assert (law.peak_ratio.low, law.peak_ratio.high) == (None, None)
    assert (held.predicted.low, held.predicted.high, held.inside) == (None, None, None)
    assert held.error == pytest.approx(0, abs=0.12)


def test_one_size_is_no_law_and_two_cannot_be_tested() -> None:
    with pytest.raises(UsageError, match=r"at least 2 sizes.*Got 6,144 parameters. Measure 12,288 and 24,576"):
        fit_law(collapses(power, cells=CELLS[:3]), values=64)
    law = fit_law(collapses(power, cells=CELLS[:4]), values=64)
    assert law.residual is None
    assert law.errors == {}
    with pytest.raises(UsageError, match=r"at least 3 sizes. Got 2: 6,144, 13,824 parameters. Measure 27,648"):
        hold_out_largest(collapses(power, cells=CELLS[:4]), values=64)


def test_exponents_are_not_negative_and_a_law_that_falls_is_refused() -> None:
    def falling(params: float, presentations: float) -> float:
        return power(params, presentations) * (params / 6144) ** -0.9

    with pytest.raises(UsageError, match=r"must not fall as parameters grow. It falls here, with an exponent of -0.3"):
        fit_law(collapses(falling, noise=0.02), values=64)

    def level(params: float, presentations: float) -> float:
        return 2000.0 * (presentations / 2e5) ** 0.5

    for fit in fit_law(collapses(level, noise=0.05), values=64).fits:
        assert (fit.draws[:, -1] >= 0).all()
        assert (fit.parameters[1:] >= 0).all()


def test_size_and_budget_that_grow_together_are_refused() -> None:
    cells = [(6144, 1e5), (13_824, 2.25e5), (24_576, 4e5), (55_296, 9e5)]
    with pytest.raises(UsageError, match="one size at two budgets"):
        fit_law(collapses(power, cells=cells), values=64)


def test_cells_that_capacity_alone_limits_say_nothing_of_larger_models() -> None:
    def by_capacity(params: float, presentations: float) -> float:
        return min(0.25 * params, 0.043 * presentations)

    seen = collapses(by_capacity, noise=0.03)
    with pytest.raises(UsageError, match=r"Capacity limits all.*Measure 24,576 parameters at half"):
        hold_out_largest(seen, values=64)
    law = fit_law(seen[:-1], values=64)
    assert predict_collapse(law, params=13_824, presentations=2e5).k50.value == pytest.approx(3456, rel=0.2)
    with pytest.raises(UsageError, match="Capacity limits all"):
        fit = fit_law(collapses(by_capacity, cells=[CELLS[1], *CELLS[3:5]], noise=0.01), values=64)
        predict_collapse(fit, params=55_296, presentations=2e5)


def test_a_missing_middle_size_does_not_bring_the_prediction_outside() -> None:
    for truth in (power, softmin):
        (held,) = hold_out_largest(collapses(truth, cells=[*CELLS[:3], *CELLS[4:]]), values=64)
        assert held.inside


def test_a_budget_that_was_never_varied_is_not_foretold() -> None:
    law = fit_law(collapses(power, cells=CELLS[3:]), values=64)

    for near in (2e5, 200_000.0001, 1.96e5):
        assert predict_collapse(law, params=1e5, presentations=near).k50.value > 5000
    assert law.fits[0].parameters[2] == 0
    with pytest.raises(UsageError, match="Measure one size at half and at twice"):
        predict_collapse(law, params=1e5, presentations=4e5)
