"""Where a model of one size, shown facts one budget's times, loses hold of them.

Three points name it, all in distinct facts (our design): **K50**, where recall has fallen to half;
the **onset**, where the count of facts recalled stops growing with the facts shown; and the
**peak**, K*, where that count is greatest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student

from kdos.arrays import Float64Array, Int64Array

# Recall (chance taken off) that counts as holding the facts.
HELD_RECALL = 0.85
# Recall (chance taken off) that counts as having lost them.
LOST_RECALL = 0.35
# Recall that a run may be off its curve before it counts as an outlier (from our pilot).
OUTLIER_RECALL_ERROR = 0.05
# Widths that a fit starts from; the pilot's curves are 0.16 to 0.32 wide.
START_WIDTHS = (0.1, 0.2, 0.4, 0.8)
NARROWEST_WIDTH, WIDEST_WIDTH = 0.02, 2.0
# Recall above guessing that a fit of the floor starts from, and the most it may come to.
START_FLOORS = (0.0, 0.2, 0.5)
HIGHEST_FLOOR = 0.9
# How far above guessing a floor must lie to be one. Our lab knows nothing beforehand, and the tails of its curves and
# the pilot's, fitted with a floor, come to 0.02 to 0.05.
LEAST_FLOOR = 0.1
# The floor is seen where at least so many counts of facts have lost all but this share of what was taught, the largest
# being so many times K50. Cells of the pilot that end at 1.7 and 2.0 K50 gave a floor of 0.16 that is not there.
FLAT_COUNTS, FLAT_RECALL, FLAT_FACTOR = 2, 0.1, 2.25
# How much lower the Bayesian information criterion of a break must be: "strong" evidence on the
# scale of Kass and Raftery (1995).
LEAST_BIC_GAIN = 6.0
BOOTSTRAP_DRAWS = 500
CONFIDENCE_LEVEL = 0.90


@dataclass(frozen=True, slots=True)
class ExperimentCell:
    """The runs of one model size at one budget; row i of every array is one run.

    `params` are the non-embedding parameters, `presentations` the times that any fact was shown,
    `facts` the distinct facts, `recall` the share of them recalled in [0, 1]; shapes (n_runs,).
    """

    params: int
    presentations: int
    facts: Int64Array
    recall: Float64Array
    random_seed: Int64Array


@dataclass(frozen=True, slots=True)
class IntervalEstimate:
    """A figure with the bounds between which it lies with probability `CONFIDENCE_LEVEL`.

    `low` and `high` are None where nothing says how far the figure may be off.
    """

    value: float
    low: float | None
    high: float | None

    @property
    def highest(self) -> float:
        """The upper bound; the figure itself where there is none."""
        return self.value if self.high is None else self.high


@dataclass(frozen=True, slots=True)
class Collapse:
    """The collapse of one cell.

    `k50` and `peak` are in facts, `onset` too, or None where no break shows. `width` is that of the fall in log facts,
    `floor` the recall in [0, 1] of what was not taught: guessed, or known before. `draws` are log K50 of the
    bootstrap, shape (n_draws,), centred on the estimate. `seeds` are the random seeds behind it; from one alone there
    are no intervals.
    """

    params: int
    presentations: int
    k50: IntervalEstimate
    peak: IntervalEstimate
    onset: float | None
    width: float
    floor: float
    draws: Float64Array
    seeds: int


def shown_runs(cell: ExperimentCell) -> ExperimentCell | None:
    """The runs of a cell that show each fact at least once, None without one: the others cannot have taught them."""
    shown = cell.facts <= cell.presentations
    if not shown.any():
        return None
    return replace(cell, facts=cell.facts[shown], recall=cell.recall[shown], random_seed=cell.random_seed[shown])


def next_fact_count(cell: ExperimentCell, *, values: int, floor: float | None = None) -> int | None:
    """The number of facts to measure next, or None where the cell shows its whole fall.

    `floor` is the recall in [0, 1] before any fact was taught, if it was measured.
    """
    facts, mean = mean_recall_by_count(cell)
    share = _taught_share(mean, find_floor(cell, values=values, measured=floor))
    if not (share >= HELD_RECALL).any():
        return max(1, int(facts[0] // 2))
    if not (share <= LOST_RECALL).any():
        return int(facts[-1] * 2)
    if len(facts) < 3:
        return round(float(np.sqrt(float(facts[0] * facts[-1]))))
    return None


def mean_recall_by_count(cell: ExperimentCell) -> tuple[Int64Array, Float64Array]:
    """The counts of facts measured, ascending, and the mean recall at each."""
    facts, at = np.unique(cell.facts, return_inverse=True)
    return facts, np.bincount(at, cell.recall) / np.bincount(at)


def find_floor(cell: ExperimentCell, *, values: int, measured: float | None = None) -> float:
    """The recall in [0, 1] of facts that were not taught: guessed among `values`, or known before.

    One that was `measured` is taken. Else it is where the recall stays at many facts, if that is clearly above
    guessing and the curve is seen to lie flat there.
    """
    guessed = 1 / values
    if measured is not None:
        return max(measured, guessed)
    whole = np.ones((1, len(cell.facts)))
    log_k50, log_width, floor = _fit_recall_curves(cell, cell.recall[None], whole, values=values, floor=None)[0]
    counts = np.log(np.unique(cell.facts)) - log_k50
    flat = (counts >= np.exp(log_width) * np.log(1 / FLAT_RECALL - 1)).sum() >= FLAT_COUNTS
    seen = flat and counts[-1] >= np.log(FLAT_FACTOR)
    return float(floor) if seen and floor - guessed >= LEAST_FLOOR else guessed


def _taught_share(recall: Float64Array, floor: float) -> Float64Array:
    """The share of the facts that are recalled because they were taught: 0 at the floor, 1 for all."""
    return (recall - floor) / (1 - floor)


def recall_curve(
    log_facts: Float64Array, log_k50: Float64Array, width: Float64Array, *, floor: float | Float64Array
) -> Float64Array:
    """The recall that a curve gives: floor + (1 - floor) / (1 + exp((log K - log K50) / s))."""
    fall = 0.5 * (1 - np.tanh((log_facts - log_k50) / (2 * width)))
    return floor + (1 - floor) * fall


def _fit_recall_curves(
    cell: ExperimentCell,
    recall: Float64Array,
    weights: Float64Array,
    *,
    values: int,
    floor: float | None,
    near: Float64Array | None = None,
) -> Float64Array:
    """Log K50, log width and floor of `b` versions of a cell's runs, shape (b, 3).

    `recall` and `weights` have shape (b, n_runs); a `floor` of None is fitted; `near`, shape (3,), is where to look,
    if known. Runs of one setting differ more than the count of their facts would let them (0.31 and 0.74
    in our pilot), so the fit is robust least squares on recall instead of a binomial one.
    """
    at = np.log(cell.facts)

    def floors(theta: Float64Array) -> Float64Array:
        # Both signs are one floor: a bound that the fit can bounce off, where a clipped one would hold it fast.
        above = np.minimum(np.abs(theta[:, 2:]), HIGHEST_FLOOR)
        return 1 / values + (1 - 1 / values) * above if floor is None else np.full_like(theta[:, :1], floor)

    def residuals(theta: Float64Array) -> Float64Array:
        width = np.exp(np.clip(theta[:, 1:2], np.log(NARROWEST_WIDTH), np.log(WIDEST_WIDTH)))
        return (recall - recall_curve(at, theta[:, :1], width, floor=floors(theta))) / OUTLIER_RECALL_ERROR

    # The loss is not convex in log K50: a start far off the fall sees only the flat ends of the
    # curve. So the first fit is looked for from a grid over all facts measured (24 K50 and 4 widths), the fits of the
    # bootstrap from near the estimate.
    levels = START_FLOORS if floor is None else (0.0,)
    if near is None:
        centres = np.linspace(at.min(), at.max(), 24)
        starts = np.array([(mid, np.log(width), low) for mid in centres for width in START_WIDTHS for low in levels])
    else:
        above = _taught_share(near[2:], 1 / values)
        starts = np.concatenate([near[:2], above]) + np.array([(-0.2, 0, 0), (0, 0, 0), (0.2, 0, 0)])
    if floor is not None:
        starts = starts[:, :2]
    theta = minimise_soft_l1(residuals, weights, starts)
    return np.concatenate([theta[:, :2], floors(theta)], axis=1)


def find_collapses(
    cells: Sequence[ExperimentCell],
    *,
    values: int,
    rng: np.random.Generator,
    draws: int = BOOTSTRAP_DRAWS,
    floor: float | None = None,
) -> list[Collapse]:
    """The collapse of each cell; every one must show its whole fall (see `next_fact_count`).

    Intervals are of Student's t with the spread of a two-level bootstrap. Cells have few seeds,
    each, so their spreads in log facts are pooled, and so are their degrees of freedom: with one
    cell's own the intervals were far wider than they need be; pooled, they hold the truth in 92 %.
    Where every cell has a single seed there are none: what it differs from another by was not measured.
    """
    found = [_bootstrap_cell(cell, values=values, rng=rng, draws=draws, measured=floor) for cell in cells]
    repeated = [one for one in found if one.seeds > 1] or found
    spread = np.sqrt(np.mean([one.spread**2 for one in repeated], axis=0))
    freedom = sum(one.seeds - 1 for one in found)
    reach = spread * interval_quantile(freedom) if freedom else [None, None]
    return [
        Collapse(
            cell.params,
            cell.presentations,
            # Recall at fewer than one exposure of each fact is none of what was taught.
            k50=interval_around(one.curve[0], reach[0], most=cell.presentations),
            peak=interval_around(one.peak, reach[1], most=cell.presentations),
            onset=_find_onset(cell, one.curve[2], values=values),
            width=float(np.exp(one.curve[1])),
            floor=float(one.curve[2]),
            draws=one.curve[0] + one.noise * spread[0],
            seeds=one.seeds,
        )
        for cell, one in zip(cells, found, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Bootstrap:
    """A cell's estimates in log facts; `spread` holds the standard errors of K50 and peak.

    `curve` are log K50, log width and floor; `noise`, shape (n_draws,), are the draws of log K50 in standard errors.
    """

    curve: Float64Array
    peak: float
    spread: Float64Array
    noise: Float64Array
    seeds: int


def _bootstrap_cell(
    cell: ExperimentCell, *, values: int, rng: np.random.Generator, draws: int, measured: float | None
) -> _Bootstrap:
    # A spread over n seeds drawn with replacement is that of variance (n - 1)/n: `few` undoes it.
    level = find_floor(cell, values=values, measured=measured)
    floor = level if measured is not None or level <= 1 / values else None
    whole = np.ones((1, len(cell.facts)))
    curve = _fit_recall_curves(cell, cell.recall[None], whole, values=values, floor=floor)[0]
    recall, weights, seeds = _resample_runs(cell, rng, draws)
    fits = _fit_recall_curves(cell, recall, weights, values=values, floor=floor, near=curve)
    drawn, peaks = fits[:, 0], _log_peaks(fits)
    few = np.sqrt(seeds / max(seeds - 1, 1))
    return _Bootstrap(
        curve,
        peak=float(_log_peaks(curve[None])[0]),
        spread=few * np.array([drawn.std(), peaks.std()]),
        noise=(drawn - drawn.mean()) / max(float(drawn.std()), 1e-12),
        seeds=seeds,
    )


def _log_peaks(curves: Float64Array) -> Float64Array:
    """Log K* of curves, shape (b, 3), of facts recalled because they were taught; never above log K50.

    K / (1 + (K/K50)^(1/s)) is greatest at K50 * (s / (1 - s))^s. Of the curve and not of the counts measured: one run
    that recalls all of many facts moved a parabola through the greatest counts to 1.7 times K50.
    """
    width = np.minimum(np.exp(curves[:, 1]), 0.5)
    return curves[:, 0] + width * np.log(width / (1 - width))


def fit_reduced_curve(cells: Sequence[ExperimentCell], collapses: Sequence[Collapse]) -> tuple[float, float]:
    """R² and root mean square error of one curve in K/K50 through the runs of all cells, each above its floor."""
    pairs = list(zip(cells, collapses, strict=True))
    recall = np.concatenate([_taught_share(cell.recall, found.floor) for cell, found in pairs])
    at = np.log(np.concatenate([cell.facts / found.k50.value for cell, found in pairs]))

    def residuals(theta: Float64Array) -> Float64Array:
        return recall - recall_curve(at, np.zeros((1, 1)), np.exp(theta), floor=0.0)

    starts = np.log(START_WIDTHS)[:, None]
    theta = minimise_soft_l1(residuals, np.ones((1, len(at))), starts)
    off = float((residuals(theta) ** 2).mean())
    return 1 - off / float(recall.var()), float(np.sqrt(off))


def _resample_runs(
    cell: ExperimentCell, rng: np.random.Generator, draws: int
) -> tuple[Float64Array, Float64Array, int]:
    """Recall and weight of each run in each draw, shapes (draws, n_runs), and the seeds there are.

    First seeds are drawn with replacement, each with all its runs; then the facts of each run.
    """
    # Whole seeds, for a shift that belongs to a seed is not seen when runs are drawn one by one:
    # intervals asked to hold the truth in 90 % of cases then held it in 58 to 89 % (LOG.md). A seed
    # drawn twice counts as a weight of 2, so all draws keep one shape.
    seeds, seed = np.unique(cell.random_seed, return_inverse=True)
    chosen = rng.multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)), size=draws)
    size = (draws, len(cell.facts))
    recall = rng.binomial(cell.facts, cell.recall, size=size) / cell.facts
    return recall, chosen[:, seed].astype(np.float64), len(seeds)


def _find_onset(cell: ExperimentCell, floor: float, *, values: int) -> float | None:
    """The facts at which the count recalled stops growing with the facts; None without a break.

    A line of slope 1 in (log facts, log facts recalled) that bends once, against one that does
    not, by the Bayesian information criterion.
    """
    facts, mean = mean_recall_by_count(cell)
    x, y = np.log(facts), np.log(facts * np.maximum(_taught_share(mean, floor), 1 / values))
    straight = ((y - x - (y - x).mean()) ** 2).sum()
    # y - x = c before the bend and c + d (x - bend) after it; BIC = n log(RSS/n) + p log n, and the
    # bent line has two parameters more (d and where it bends).
    bends = np.linspace(x[0], x[-1], 200)[1:-1]
    # Least squares of each bend in one go: centred, only the change of slope is left to fit.
    after = np.maximum(x - bends[:, None], 0)
    after -= after.mean(axis=1, keepdims=True)
    drop = y - x - (y - x).mean()
    change = (after @ drop) / np.maximum((after**2).sum(axis=1), 1e-12)
    losses = ((drop - change[:, None] * after) ** 2).sum(axis=1)
    best = int(np.argmin(losses))
    gain = len(x) * np.log(max(straight, 1e-12) / max(losses[best], 1e-12)) - 2 * np.log(len(x))
    return float(np.exp(bends[best])) if gain >= LEAST_BIC_GAIN and 1 + change[best] <= 0 else None


def interval_quantile(freedom: int) -> float:
    """Half the width of an interval in standard errors, of Student's t; infinite without degrees of freedom."""
    return float(student.ppf((1 + CONFIDENCE_LEVEL) / 2, freedom)) if freedom else np.inf


def interval_around(log_value: float, reach: float | None, *, most: float = np.inf) -> IntervalEstimate:
    """The interval of a figure whose logarithm is known within ± `reach`; no bounds where that is None.

    Nothing in it is above `most`.
    """
    bounds = None if reach is None else (log_value - reach, log_value + reach)
    return interval_between(log_value, bounds, most=most)


def interval_between(log_value: float, bounds: tuple[float, float] | None, *, most: float) -> IntervalEstimate:
    """The interval of logarithms, cut at `most`.

    A figure that is cut keeps its distance from the lower bound: the interval must not shrink to a point because a
    guard, which is not known to the last digit, lies below it.
    """
    value = min(float(np.exp(log_value)), most)
    if bounds is None:
        return IntervalEstimate(value, None, None)
    low, high = bounds
    return IntervalEstimate(value, value * float(np.exp(low - log_value)), min(float(np.exp(high)), most))


# The robust fit. SciPy's `least_squares(loss="soft_l1")` gives the same to 1e-5 but fits one
# problem at a time: 1.6 to 2.0 s for the 500 bootstrap draws of a cell of the standard experiment
# where all at once take 0.13 to 0.17 s, 12 times as long.
#
# Levenberg–Marquardt steps at most; the fits here have two or three parameters and take ten.
MAX_STEPS = 60
# Gain of loss, relative, below which a step changes nothing.
LOSS_TOLERANCE = 1e-7
# Step in every parameter below which a fit stays where it is.
SMALLEST_STEP = 1e-4
# Step of the difference quotients.
DIFFERENCE_STEP = 1e-5
Residuals = Callable[[Float64Array], Float64Array]


def _soft_l1_loss(residuals: Float64Array, weights: Float64Array) -> Float64Array:
    """The loss of each problem, shape (b,): squares near zero, straight lines from 1 on."""
    return (weights * 2 * (np.sqrt(1 + residuals**2) - 1)).sum(axis=1)


def minimise_soft_l1(residuals: Residuals, weights: Float64Array, starts: Float64Array) -> Float64Array:
    """The parameters with the least soft-L1 loss of `b` problems, shape (b, p).

    Args:
        residuals: Parameters, shape (b, p), to residuals, shape (b, n), in units of the scale
            from which on a residual counts as an outlier.
        weights: How often each measurement counts, shape (b, n).
        starts: Where to look from, shape (s, p); every problem begins at its best one.
    """
    theta = _best_start(residuals, weights, starts)
    damping = np.full(len(theta), 1e-2)
    loss = _soft_l1_loss(residuals(theta), weights)
    for _ in range(MAX_STEPS):
        step = _damped_step(residuals, weights, theta, damping)
        tried = _soft_l1_loss(residuals(theta + step), weights)
        better = tried < loss
        settled = (loss - tried <= LOSS_TOLERANCE * loss).all()
        theta = np.where(better[:, None], theta + step, theta)
        loss = np.where(better, tried, loss)
        damping = np.clip(np.where(better, damping / 4, damping * 4), 1e-9, 1e9)
        # All problems go on until the last is done: each must have taken a step that gained nothing, or be where no
        # step leads anywhere.
        if settled and (better | (np.abs(step).max(axis=1) < SMALLEST_STEP) | (damping > 1e3)).all():
            break
    return theta


def _best_start(residuals: Residuals, weights: Float64Array, starts: Float64Array) -> Float64Array:
    if len(weights) == 1:
        losses = _soft_l1_loss(residuals(starts), weights)
        return starts[[np.argmin(losses)]]
    shape = len(weights), starts.shape[1]
    losses = [_soft_l1_loss(residuals(np.broadcast_to(at, shape)), weights) for at in starts]
    return starts[np.argmin(losses, axis=0)]


def _damped_step(
    residuals: Residuals, weights: Float64Array, theta: Float64Array, damping: Float64Array
) -> Float64Array:
    # (JᵀWJ + damping * diag(JᵀWJ)) step = -JᵀWr for every problem at once, J by difference
    # quotients. Soft L1 enters as a reweighting: the slope of 2(sqrt(1 + r²) - 1) is
    # 2r/sqrt(1 + r²), that of a squared residual weighted by 1/sqrt(1 + r²).
    at = residuals(theta)
    nudges = DIFFERENCE_STEP * np.eye(theta.shape[1])
    risen = np.stack([residuals(theta + nudge) for nudge in nudges], axis=2)
    slopes = (risen - at[:, :, None]) / DIFFERENCE_STEP
    pull = weights / np.sqrt(1 + at**2)
    gradient = np.einsum("bnp,bn->bp", slopes, pull * at)
    curvature = np.einsum("bnp,bn,bnq->bpq", slopes, pull, slopes)
    scale = damping[:, None] * (np.einsum("bpp->bp", curvature) + 1e-9)
    damped = curvature + scale[:, :, None] * np.eye(theta.shape[1])
    return -np.linalg.solve(damped, gradient[:, :, None])[:, :, 0]
