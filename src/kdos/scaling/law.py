"""The law: from collapses of small models to that of a large one (our design).

The seed paper's own formula is not public beyond its abstract. Two forms are fitted, both in N,
the non-embedding parameters, and M, the presentations of any fact:

- ``power``: log K50 = c + a·log N + b·log M, parameters (c, a, b);
- ``softmin``: K50⁻² = (κ·N)⁻² + (e·M·N^g)⁻², a limit by capacity and one by exposure, parameters
  (log κ, log e, g).

Beyond what was measured they part, and which of them is nearer cannot be told from a few sizes. So they are averaged
unless one is plainly worse at sizes left out, and a prediction's interval takes the truth to lie anywhere between
them, evenly. Nothing is promised beyond `CAPACITY_BITS` bits a parameter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import Float64Array
from kdos.errors import UsageError
from kdos.scaling.collapse import Collapse, IntervalEstimate, interval_around, interval_quantile, minimise_soft_l1

# Bits a parameter that language models hold at most, at 1,000 exposures (arXiv 2404.05405).
CAPACITY_BITS = 2.0
# The parameters and presentations that the forms count in, so that their constants are tame.
REFERENCE_PARAMS, REFERENCE_PRESENTATIONS = 1e4, 1e5
# How far a cell's log K50 may be off the law before it counts as an outlier.
OUTLIER_LOG_ERROR = 0.1
FORM_PARAMETERS = 3
# How many times larger an error at sizes left out tells that a form is the wrong one. It is lenient
# because in each of three experiments the form that was nearer there was the worse one beyond.
REJECTED_ERROR_RATIO = 3.0
# The standard deviation of what lies evenly between 0 and 1.
UNIFORM_DEVIATION = 12**-0.5
LawForm = Callable[[Float64Array, Float64Array, Float64Array], Float64Array]


@dataclass(frozen=True, slots=True)
class FittedForm:
    """One form fitted: its `parameters`, shape (p,), and their `draws`, shape (n_draws, p)."""

    form: str
    parameters: Float64Array
    draws: Float64Array


@dataclass(frozen=True, slots=True)
class Law:
    """A fitted law: the mean of its `fits` in log K50.

    `spread` is the standard error of a cell's log K50 and `residual` the law's error at sizes left out, 0 where none
    could be; `freedom` are the degrees of freedom of the measurements, `values` how many answers a fact's answer is
    one of. `peak_ratio` is K*/K50. `sizes` and `budgets` are the ranges measured, each lowest first. `errors` are the
    leave-one-size-out errors of every form that could be tried.
    """

    fits: tuple[FittedForm, ...]
    spread: float
    residual: float
    freedom: int
    values: int
    peak_ratio: IntervalEstimate
    sizes: tuple[int, int]
    budgets: tuple[int, int]
    errors: dict[str, float]


@dataclass(frozen=True, slots=True)
class Prediction:
    """K50 of one size at one budget, in facts.

    `size_factor` and `budget_factor` say by how much N and M lie beyond what was measured, 1
    within. `capacity` is the count of facts that fill `CAPACITY_BITS` bits a parameter; where the
    law passes it, `capped` is true and the figure is the capacity.
    """

    k50: IntervalEstimate
    size_factor: float
    budget_factor: float
    capacity: float
    capped: bool


def _power_law(theta: Float64Array, size: Float64Array, budget: Float64Array) -> Float64Array:
    return theta[:, :1] + theta[:, 1:2] * size + theta[:, 2:] * budget


def _soft_minimum(theta: Float64Array, size: Float64Array, budget: Float64Array) -> Float64Array:
    # K50⁻² = capacity⁻² + exposure⁻² in logarithms, without overflow.
    room = theta[:, :1] + size
    exposure = theta[:, 1:2] + theta[:, 2:] * size + budget
    return -0.5 * np.logaddexp(-2 * room, -2 * exposure)


# Log K50, shape (b, n), from parameters, shape (b, 3), log N and log M over their references.
LAW_FORMS: dict[str, LawForm] = {"power": _power_law, "softmin": _soft_minimum}
START_PARAMETERS = {
    "power": np.array([(7.0, 0.6, 0.6)]),
    "softmin": np.array([(room, hold, 0.5) for room in (7.0, 8.0, 9.0) for hold in (5.0, 7.0)]),
}


def fit_law(collapses: Sequence[Collapse], *, values: int) -> Law:
    """The law behind the collapses of several cells.

    A form whose leave-one-size-out error is `REJECTED_ERROR_RATIO` times another's is left out.
    With no more cells than parameters, the power law stands alone.

    Raises:
        UsageError: All cells are of one size.
    """
    sizes = sorted({one.params for one in collapses})
    if len(sizes) < 2:
        raise UsageError(
            f"A law needs cells of at least 2 sizes, and 3 to be tested. Got {sizes}. "
            "Measure a model of twice that size, and one of half."
        )
    errors = {form: left_out_error([form], collapses) for form in LAW_FORMS}
    forms = [form for form in LAW_FORMS if errors[form] <= REJECTED_ERROR_RATIO * min(errors.values())]
    if len(collapses) <= FORM_PARAMETERS:
        forms = ["power"]
    residual = left_out_error(forms, collapses)
    drawn = np.stack([one.draws for one in collapses], axis=1)
    estimated = _estimated_log_k50(collapses)
    estimates = {form: _fit_form(form, collapses, estimated)[0] for form in forms}
    draws = {form: _fit_form(form, collapses, drawn) for form in forms}
    return Law(
        tuple(FittedForm(form, estimates[form], draws[form]) for form in forms),
        spread=float(np.sqrt(drawn.var(axis=0).mean())),
        residual=residual if np.isfinite(residual) else 0.0,
        freedom=sum(one.seeds - 1 for one in collapses),
        values=values,
        peak_ratio=_mean_peak_ratio(collapses),
        sizes=_lowest_and_highest(sizes),
        budgets=_lowest_and_highest([one.presentations for one in collapses]),
        errors={form: error for form, error in errors.items() if np.isfinite(error)},
    )


def left_out_error(forms: Sequence[str], collapses: Sequence[Collapse]) -> float:
    """The root mean square error in log K50 of each size predicted by the others.

    Only budgets that the others were measured at are judged. Infinite where fewer than two sizes
    would be left to fit on.
    """
    misses: list[Float64Array] = []
    for size in sorted({one.params for one in collapses}):
        kept = [one for one in collapses if one.params != size]
        if len({one.params for one in kept}) < 2:
            return np.inf
        # A form must not be judged at budgets that the rest has not seen: the wrong form won so.
        low, high = _lowest_and_highest([one.presentations for one in kept])
        out = [one for one in collapses if one.params == size and low <= one.presentations <= high]
        log_k50 = _estimated_log_k50(kept)
        found = [_form_log_k50(form, _fit_form(form, kept, log_k50), out) for form in forms]
        misses.append((np.mean(found, axis=0) - _estimated_log_k50(out))[0])
    every = np.concatenate(misses)
    return float(np.sqrt(np.mean(every**2))) if len(every) else np.inf


def predict_collapse(law: Law, *, params: float, presentations: float) -> Prediction:
    """K50 of a model of `params` parameters at a budget of `presentations`, with its interval.

    Raises:
        UsageError: The law was fitted at one budget and is asked for another.
    """
    if law.budgets[0] == law.budgets[1] != presentations:
        raise UsageError(
            f"The law was measured at {law.budgets[0]:,} presentations only and cannot say what "
            f"{presentations:,.0f} do. Measure one size at half and at twice that budget."
        )
    size, budget = np.log([[params / REFERENCE_PARAMS], [presentations / REFERENCE_PRESENTATIONS]])
    # Row 0 of each form is its estimate, the others are its draws.
    theta = {fit.form: np.concatenate([fit.parameters[None], fit.draws]) for fit in law.fits}
    by_form = np.stack([LAW_FORMS[form](rows, size, budget)[:, 0] for form, rows in theta.items()])
    log_k50 = by_form.mean(axis=0)
    # Three errors in log K50: of the fit and of a cell's own measurement; of the law at sizes left
    # out (the larger of the two counts, for the second holds the first); and of the form. Where the
    # truth lies evenly between the two forms, its standard deviation is their distance / sqrt(12):
    # half the distance, tried before, gave intervals of 90 % that held 92 to 97.5 % (LOG.md).
    drawn = float(np.hypot(log_k50[1:].std(), law.spread))
    between = float(np.ptp(by_form[:, 0])) * UNIFORM_DEVIATION
    spread = float(np.hypot(max(drawn, law.residual), between))
    capacity = float(CAPACITY_BITS * params / np.log2(law.values))
    found = interval_around(float(log_k50[0]), spread * interval_quantile(law.freedom))
    return Prediction(
        IntervalEstimate(*(min(bound, capacity) for bound in (found.value, found.low, found.high))),
        size_factor=_extrapolation_factor(params, law.sizes),
        budget_factor=_extrapolation_factor(presentations, law.budgets),
        capacity=capacity,
        capped=found.value > capacity,
    )


@dataclass(frozen=True, slots=True)
class HeldOutCell:
    """A cell that the law did not see: what it foretold, and what was measured, in facts.

    `error` is the relative miss of the prediction, `inside` whether its interval holds the figure.
    """

    params: int
    presentations: int
    measured: float
    predicted: IntervalEstimate
    error: float
    inside: bool


def hold_out_largest(collapses: Sequence[Collapse], *, values: int) -> list[HeldOutCell]:
    """The cells of the largest size as the law of the others foretells them."""
    largest = max(one.params for one in collapses)
    kept = [one for one in collapses if one.params < largest]
    law = fit_law(kept, values=values)
    found: list[HeldOutCell] = []
    for one in (one for one in collapses if one.params == largest):
        k50 = predict_collapse(law, params=one.params, presentations=one.presentations).k50
        measured = one.k50.value
        error, inside = k50.value / measured - 1, k50.low <= measured <= k50.high
        found.append(HeldOutCell(one.params, one.presentations, measured, k50, error, inside))
    return found


def _mean_peak_ratio(collapses: Sequence[Collapse]) -> IntervalEstimate:
    """K*/K50, the geometric mean over cells, and the interval of that mean."""
    logs = np.log([one.peak.value / one.k50.value for one in collapses])
    cells = len(logs)
    error = logs.std(ddof=1) / np.sqrt(cells) if cells > 1 else 0.0
    return interval_around(float(logs.mean()), error * interval_quantile(cells - 1))


def _fit_form(form: str, cells: Sequence[Collapse], log_k50: Float64Array) -> Float64Array:
    """The parameters of `b` versions of the cells' log K50, shape (b, n_cells)."""
    weights = np.broadcast_to([float(one.seeds) for one in cells], log_k50.shape)

    def residuals(theta: Float64Array) -> Float64Array:
        return (_form_log_k50(form, theta, cells) - log_k50) / OUTLIER_LOG_ERROR

    return minimise_soft_l1(residuals, weights, START_PARAMETERS[form])


def _form_log_k50(form: str, theta: Float64Array, cells: Sequence[Collapse]) -> Float64Array:
    size = np.log([one.params / REFERENCE_PARAMS for one in cells])
    budget = np.log([one.presentations / REFERENCE_PRESENTATIONS for one in cells])
    return LAW_FORMS[form](theta, size, budget)


def _estimated_log_k50(cells: Sequence[Collapse]) -> Float64Array:
    return np.log([[one.k50.value for one in cells]])


def _lowest_and_highest(values: Sequence[int]) -> tuple[int, int]:
    return min(values), max(values)


def _extrapolation_factor(value: float, measured: tuple[int, int]) -> float:
    return max(1.0, value / measured[1], measured[0] / value)
