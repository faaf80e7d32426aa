from dataclasses import replace

import numpy as np
import pytest

from kdos.errors import UsageError
from kdos.scaling import Collapse, IntervalEstimate, fit_law, hold_out_largest, predict_collapse

CELLS = [(6144, 1e5), (6144, 2e5), (6144, 4e5), (13_824, 2e5), (24_576, 2e5), (55_296, 2e5)]


def collapses(k50, *, cells=CELLS, noise: float = 0.0) -> list[Collapse]:
    rng = np.random.default_rng(3)
    found = []
    for params, presentations in cells:
        value = k50(params, presentations) * float(np.exp(rng.normal(0, noise)))
        draws = np.log(value) + rng.normal(0, max(noise, 1e-3), 100)
        near = IntervalEstimate(value, value * 0.9, value * 1.1)
        peak = IntervalEstimate(0.7 * value, 0.6 * value, 0.8 * value)
        found.append(Collapse(params, int(presentations), near, peak, None, 0.2, draws, seeds=3))
    return found


def power(params: float, presentations: float) -> float:
    return 1400 * (params / 6144) ** 0.6 * (presentations / 192_000) ** 0.65


def softmin(params: float, presentations: float) -> float:
    room, hold = 0.25 * params, 0.0004 * presentations * params**0.4
    return (room**-2 + hold**-2) ** -0.5


@pytest.mark.parametrize(("form", "truth"), [("power", power), ("softmin", softmin)])
def test_the_form_behind_the_cells_is_found_and_foretells(form: str, truth) -> None:
    law = fit_law(collapses(truth), values=64)

    assert [fit.form for fit in law.fits] == [form]
    assert law.errors[form] < 0.02 < max(law.errors.values())
    (held,) = hold_out_largest(collapses(truth), values=64)
    assert abs(held.error) < 0.12, "three sizes do not tell the forms apart, and their mean errs"
    assert held.inside
    assert law.peak_ratio.value == pytest.approx(0.7)


def test_forms_that_cannot_be_told_apart_are_averaged_and_the_interval_spans_them() -> None:
    seen = collapses(power, noise=0.1)
    law = fit_law(seen, values=64)
    each = [predict_collapse(replace(law, fits=(fit,)), params=2e5, presentations=2e5).k50.value for fit in law.fits]
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


def test_nothing_is_promised_beyond_two_bits_a_parameter() -> None:
    law = fit_law(collapses(power), values=64)
    found = predict_collapse(law, params=6144, presentations=1e9)

    assert found.capped
    assert found.k50.value == found.capacity == pytest.approx(2 * 6144 / 6)
    assert found.budget_factor == pytest.approx(1e9 / 4e5)


def test_one_size_is_no_law() -> None:
    with pytest.raises(UsageError, match="at least 2 sizes"):
        fit_law(collapses(power, cells=CELLS[:3]), values=64)


def test_a_budget_that_was_never_varied_is_not_foretold() -> None:
    law = fit_law(collapses(power, cells=CELLS[3:]), values=64)

    assert predict_collapse(law, params=1e5, presentations=2e5).k50.value > 5000
    with pytest.raises(UsageError, match="Measure one size at half and at twice"):
        predict_collapse(law, params=1e5, presentations=4e5)
