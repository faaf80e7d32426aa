"""Where a model of one size, shown facts one budget's times, loses hold of them.

Three points name it, all in distinct facts (our design): **K50**, where recall has fallen to half;
the **onset**, where the count of facts recalled stops growing with the facts shown; and the
**peak**, K*, where that count is greatest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm as normal
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
    """A figure with the bounds between which it lies with probability `CONFIDENCE_LEVEL`."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Collapse:
    """The collapse of one cell.

    `k50` and `peak` are in facts, `onset` too, or None where no break shows. `width` is that of
    the fall in log facts. `draws` are log K50 of the bootstrap, shape (n_draws,), centred on the
    estimate. `seeds` are the random seeds behind it.
    """

    params: int
    presentations: int
    k50: IntervalEstimate
    peak: IntervalEstimate
    onset: float | None
    width: float
    draws: Float64Array
    seeds: int


def next_fact_count(cell: ExperimentCell, *, values: int) -> int | None:
    """The number of facts to measure next, or None where the cell shows its whole fall."""
    facts, mean = mean_recall_by_count(cell)
    # Lucky guesses among `values` answers are taken off: 0 is chance, 1 is all.
    share = (mean - 1 / values) / (1 - 1 / values)
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


def recall_curve(log_facts: Float64Array, log_k50: Float64Array, width: Float64Array, *, values: int) -> Float64Array:
    """The recall that a curve gives: chance + (1 - chance) / (1 + exp((log K - log K50) / s))."""
    fall = 0.5 * (1 - np.tanh((log_facts - log_k50) / (2 * width)))
    return 1 / values + (1 - 1 / values) * fall


def _fit_recall_curves(
    cell: ExperimentCell, recall: Float64Array, weights: Float64Array, *, values: int, near: Float64Array | None = None
) -> Float64Array:
    """Log K50 and log width of `b` versions of a cell's runs, shape (b, 2).

    `recall` and `weights` have shape (b, n_runs); `near`, shape (2,), is where to look, if known.
    Runs of one setting differ more than the count of their facts would let them (0.31 and 0.74
    in our pilot), so the fit is robust least squares on recall instead of a binomial one.
    """
    at = np.log(cell.facts)

    def residuals(theta: Float64Array) -> Float64Array:
        width = np.exp(np.clip(theta[:, 1:], np.log(NARROWEST_WIDTH), np.log(WIDEST_WIDTH)))
        curve = recall_curve(at, theta[:, :1], width, values=values)
        return (recall - curve) / OUTLIER_RECALL_ERROR

    # The loss is not convex in log K50: a start far off the fall sees only the flat ends of the
    # curve. So the first fit is looked for from a grid of 24 * 4 starts over all facts measured,
    # the fits of the bootstrap from near the estimate.
    if near is None:
        centres = np.linspace(at.min(), at.max(), 24)
        starts = np.array([(centre, np.log(width)) for centre in centres for width in START_WIDTHS])
    else:
        starts = near + np.array([(-0.2, 0.0), (0.0, 0.0), (0.2, 0.0)])
    return minimise_soft_l1(residuals, weights, starts)


def find_collapses(
    cells: Sequence[ExperimentCell], *, values: int, rng: np.random.Generator, draws: int = BOOTSTRAP_DRAWS
) -> list[Collapse]:
    """The collapse of each cell; every one must show its whole fall (see `next_fact_count`).

    Intervals are of Student's t with the spread of a two-level bootstrap. Cells have few seeds,
    each, so their spreads in log facts are pooled, and so are their degrees of freedom: with one
    cell's own the intervals were far wider than they need be; pooled, they hold the truth in 92 %.
    """
    found = [_bootstrap_cell(cell, values=values, rng=rng, draws=draws) for cell in cells]
    spread = np.sqrt(np.mean([one.spread**2 for one in found], axis=0))
    reach = spread * interval_quantile(sum(one.seeds - 1 for one in found))
    return [
        Collapse(
            cell.params,
            cell.presentations,
            k50=interval_around(one.curve[0], reach[0]),
            peak=interval_around(one.peak, reach[1]),
            onset=_find_onset(cell),
            width=float(np.exp(one.curve[1])),
            draws=one.curve[0] + one.noise * spread[0],
            seeds=one.seeds,
        )
        for cell, one in zip(cells, found, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Bootstrap:
    """A cell's estimates in log facts; `spread` holds the standard errors of K50 and peak.

    `noise`, shape (n_draws,), are the draws of log K50 in standard errors.
    """

    curve: Float64Array
    peak: float
    spread: Float64Array
    noise: Float64Array
    seeds: int


def _bootstrap_cell(cell: ExperimentCell, *, values: int, rng: np.random.Generator, draws: int) -> _Bootstrap:
    # A spread over n seeds drawn with replacement is that of variance (n - 1)/n: `few` undoes it.
    whole = np.ones((1, len(cell.facts)))
    curve = _fit_recall_curves(cell, cell.recall[None], whole, values=values)[0]
    recall, weights, seeds = _resample_runs(cell, rng, draws)
    drawn = _fit_recall_curves(cell, recall, weights, values=values, near=curve)[:, 0]
    peaks = np.log(_peak_fact_counts(cell, recall, weights))
    few = np.sqrt(seeds / max(seeds - 1, 1))
    return _Bootstrap(
        curve,
        peak=float(np.log(_peak_fact_counts(cell, cell.recall[None], whole)[0])),
        spread=few * np.array([drawn.std(), peaks.std()]),
        noise=(drawn - drawn.mean()) / max(float(drawn.std()), 1e-12),
        seeds=seeds,
    )


def fit_reduced_curve(
    cells: Sequence[ExperimentCell], collapses: Sequence[Collapse], *, values: int
) -> tuple[float, float]:
    """R² and root mean square error of one curve in K/K50 through the runs of all cells."""
    shares = [cell.facts / found.k50.value for cell, found in zip(cells, collapses, strict=True)]
    recall = np.concatenate([cell.recall for cell in cells])
    at = np.log(np.concatenate(shares))

    def residuals(theta: Float64Array) -> Float64Array:
        return recall - recall_curve(at, np.zeros((1, 1)), np.exp(theta), values=values)

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


def _peak_fact_counts(cell: ExperimentCell, recall: Float64Array, weights: Float64Array) -> Float64Array:
    """The facts at which most are recalled, of `b` versions of the runs, shape (b,).

    The vertex of the parabola in log facts through the greatest count and its two neighbours; at
    an end of the grid, that end.
    """
    facts, at = np.unique(cell.facts, return_inverse=True)
    among = np.eye(len(facts))[at]
    total = weights @ among
    mean = np.divide((recall * weights) @ among, total, out=np.zeros_like(total), where=total > 0)
    held = mean * facts
    # Newton's form of the parabola through three uneven points: slopes of the two chords, and
    # their difference quotient for the bend. A bend that is not negative has no peak inside; the
    # tiny one put in its place sends the vertex to an end, where the clip holds it.
    top = np.clip(held.argmax(axis=1), 1, len(facts) - 2)
    rows = np.arange(len(held))
    x = [np.log(facts[top + step]) for step in (-1, 0, 1)]
    y = [held[rows, top + step] for step in (-1, 0, 1)]
    rise, drop = (y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1])
    bend = (drop - rise) / (x[2] - x[0])
    vertex = (x[0] + x[1]) / 2 - rise / (2 * np.minimum(bend, -1e-12))
    return np.exp(np.clip(vertex, x[0], x[2]))


def _find_onset(cell: ExperimentCell) -> float | None:
    """The facts at which the count recalled stops growing with the facts; None without a break.

    A line of slope 1 in (log facts, log facts recalled) that bends once, against one that does
    not, by the Bayesian information criterion.
    """
    facts, mean = mean_recall_by_count(cell)
    x, y = np.log(facts), np.log(facts * np.maximum(mean, 1e-6))
    straight = ((y - x - (y - x).mean()) ** 2).sum()
    # y - x = c before the bend and c + d (x - bend) after it; BIC = n log(RSS/n) + p log n, and the
    # bent line has two parameters more (d and where it bends).
    bends = np.linspace(x[0], x[-1], 200)[1:-1]
    fits = [_fit_bent_line(x, y, bend) for bend in bends]
    best = int(np.argmin([loss for loss, _ in fits]))
    loss, slope = fits[best]
    gain = len(x) * np.log(max(straight, 1e-12) / max(loss, 1e-12)) - 2 * np.log(len(x))
    return float(np.exp(bends[best])) if gain >= LEAST_BIC_GAIN and slope <= 0 else None


def _fit_bent_line(x: Float64Array, y: Float64Array, bend: float) -> tuple[float, float]:
    after = np.maximum(x - bend, 0)
    design = np.stack([np.ones_like(x), after], axis=1)
    level, change = np.linalg.lstsq(design, y - x, rcond=None)[0]
    return float(((y - x - design @ (level, change)) ** 2).sum()), 1 + float(change)


def interval_quantile(freedom: int) -> float:
    """Half the width of an interval in standard errors; the normal one where nothing is known."""
    upper = (1 + CONFIDENCE_LEVEL) / 2
    return float(student.ppf(upper, freedom) if freedom else normal.ppf(upper))


def interval_around(log_value: float, reach: float) -> IntervalEstimate:
    """The interval of a figure whose logarithm is known within ± `reach`."""
    low, value, high = np.exp([log_value - reach, log_value, log_value + reach])
    return IntervalEstimate(float(value), float(low), float(high))


# The robust fit. SciPy's `least_squares(loss="soft_l1")` gives the same to 1e-5 but fits one
# problem at a time: 1.6 to 2.0 s for the 500 bootstrap draws of a cell of the standard experiment
# where all at once take 0.13 to 0.17 s, 12 times as long.
#
# Levenberg–Marquardt steps at most; the fits here have two or three parameters and take ten.
MAX_STEPS = 60
# Gain of loss, relative, below which a step changes nothing.
LOSS_TOLERANCE = 1e-7
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
        # All problems go on until the last is done: each must have taken a step that gained
        # nothing, or be damped so hard that no step will.
        if settled and (better | (damping > 1e3)).all():
            break
    return theta


def _best_start(residuals: Residuals, weights: Float64Array, starts: Float64Array) -> Float64Array:
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
