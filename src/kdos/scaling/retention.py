"""What a model keeps of the facts that it knew while it is taught others (our design).

The seed paper calls the loss of them by over-infusion the collapse. **Retention** is the share of the base facts
recalled after the infusion over that before it. Base facts are shown again in a share of the presentations (replay);
the share that keeps `KEPT` of them is looked up between the shares measured and never beyond. It is then related to
the count of facts infused and to the model's size:

    log odds of the share = c + a·log(K/K50) + b·log N

with K50 of a model from scratch at the same budget.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import expit, logit

from kdos.arrays import Float64Array, Int64Array
from kdos.scaling.collapse import BOOTSTRAP_DRAWS, CONFIDENCE_LEVEL, interval_quantile, minimise_soft_l1
from kdos.scaling.law import REFERENCE_PARAMS, extrapolation_factor

KEPT = 0.95
"""The retention that is asked for."""
# How far a cell's log odds may be off the relation before it counts as an outlier: a factor of 1.35.
OUTLIER_LOG_ODDS = 0.3
# Retention is interpolated in log odds, which rise evenly with those of the share; all and nothing are none.
CLIPPED = (0.01, 0.995)
RELATION_PARAMETERS = 3
# A base that was not held before says nothing of what is lost: least share of it recalled.
LEAST_RECALL_BEFORE = 0.8


@dataclass(frozen=True, slots=True)
class RetentionRuns:
    """The runs of one arm, one model size, one budget and one base; row i of every array is one run.

    `facts` are infused, `share` of the presentations, in [0, 1), show the `base` facts, of which the shares `before`
    and `after`, in [0, 1], are recalled; shapes (n_runs,).
    """

    arm: str
    params: int
    presentations: int
    base: int
    facts: Int64Array
    share: Float64Array
    before: Float64Array
    after: Float64Array
    random_seed: Int64Array

    @property
    def was_held(self) -> bool:
        """Whether there was a base to lose."""
        return bool(self.before.min() > 0 and self.before.mean() >= LEAST_RECALL_BEFORE)


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where retention passes `KEPT` along what was varied from `least` to `most`.

    `value` is None where it lies beyond these: below (`beyond` is "below") or above ("above"). `low` and `high` hold
    it in 90 % of cases; None says that they lie beyond what was measured, or that one random seed gives no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    beyond: str | None
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class NeededShare:
    """The replay share that keeps `KEPT` of the base while `facts` are infused; `load` is K/K50, if K50 is known."""

    params: int
    presentations: int
    base: int
    facts: int
    load: float | None
    seeds: int
    share: Crossing


@dataclass(frozen=True, slots=True)
class LossOnset:
    """The count of facts infused from which on less than `KEPT` of the base is kept at a replay share."""

    params: int
    presentations: int
    base: int
    share: float
    seeds: int
    facts: Crossing


@dataclass(frozen=True, slots=True)
class ShareRelation:
    """The log odds of the needed share: `parameters` (c, a, b) and their `covariance`, shape (3, 3).

    `residual` is the root mean square error in log odds at sizes left out, and `freedom` the degrees of freedom of
    the interval. `sizes`, `loads` (K/K50) and `bases` (base facts over K50) are the ranges measured.
    """

    parameters: tuple[float, float, float]
    covariance: tuple[tuple[float, ...], ...]
    residual: float
    freedom: int
    sizes: tuple[int, int]
    loads: tuple[float, float]
    bases: tuple[float, float]


@dataclass(frozen=True, slots=True)
class HeldOutShare:
    """A needed share that the relation of smaller sizes foretells: the two, and whether they agree within 90 %."""

    params: int
    facts: int
    measured: Crossing
    predicted: float
    low: float
    high: float
    inside: bool


@dataclass(frozen=True, slots=True)
class Retention:
    """What one arm keeps.

    `relation` is None where the measurements do not carry one, and `reason` says why. `one_share_error` is what
    one share for all would miss at sizes left out, in log odds. `held_out` are the cells of the largest size as the
    others foretell them, with their `held_out_error` in log odds; None where that is not testable.
    """

    needed: list[NeededShare]
    onsets: list[LossOnset]
    relation: ShareRelation | None
    reason: str | None
    one_share_error: float | None
    held_out: list[HeldOutShare]
    held_out_error: float | None


def measure_retention(
    runs: Sequence[RetentionRuns],
    *,
    k50: Mapping[tuple[int, int], float],
    rng: np.random.Generator,
    draws: int = BOOTSTRAP_DRAWS,
) -> Retention:
    """What one arm keeps; `k50`, in facts, by parameters and presentations, where it was measured."""
    needed: list[NeededShare] = []
    onsets: list[LossOnset] = []
    drawn: list[Float64Array] = []
    for one in runs:
        kept, weights = _resample_seeds(one, rng, draws)
        seeds = len(np.unique(one.random_seed))
        place = (one.params, one.presentations, one.base)
        for facts in np.unique(one.facts):
            at, means = _mean_by_level(logit(one.share), kept, weights, rows=one.facts == facts)
            drawn.append(find_crossings(at, means))
            share = _read_crossing(expit(drawn[-1]), one.share[one.share > 0], seeds=seeds)
            load = facts / k50[place[:2]] if place[:2] in k50 else None
            needed.append(NeededShare(*place, int(facts), load, seeds, share))
        for share in np.unique(one.share):
            # From many facts to few, so that retention rises as it does with the share.
            at, means = _mean_by_level(-np.log(one.facts), kept, weights, rows=one.share == share)
            found = _read_crossing(np.exp(-find_crossings(at, means)), one.facts, seeds=seeds)
            onsets.append(LossOnset(*place, float(share), seeds, found))
    return _relate_shares(needed, onsets, np.stack(drawn, axis=1))


def find_crossings(at: Float64Array, kept: Float64Array) -> Float64Array:
    """Where each of `b` curves, made monotone, first reaches `KEPT`; shape (b,).

    `kept` is retention at the levels `at`, ascending, shapes (b, n_levels) and (n_levels,). -inf where the first level
    reaches it, or all that is known is that it lies below the first finite one; inf where none does.
    """
    rising = fit_isotonic(kept)
    reached = rising >= KEPT
    after = reached.argmax(axis=1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(kept))
    low, high = (logit(np.clip(rising[rows, level], *CLIPPED)) for level in (before, after))
    bounded = reached.any(axis=1) & (after > 0) & np.isfinite(at[before])
    part = np.divide(logit(KEPT) - low, high - low, out=np.zeros(len(kept)), where=bounded)
    finite = np.where(np.isfinite(at), at, 0)
    found = finite[before] + part * (finite[after] - finite[before])
    return np.where(bounded, found, np.where(reached.any(axis=1), -np.inf, np.inf))


def fit_isotonic(values: Float64Array) -> Float64Array:
    """The rising curves nearest to `values` by least squares (SciPy's), shapes (b, n)."""
    return np.stack([isotonic_regression(row).x for row in values])


def _resample_seeds(runs: RetentionRuns, rng: np.random.Generator, draws: int) -> tuple[Float64Array, Float64Array]:
    """Retention and weight of each run, shapes (1 + draws, n_runs); row 0 is as measured.

    Seeds are drawn with replacement, each with all its runs, which share a base and a model; then the base facts of
    each run.
    """
    seeds, seed = np.unique(runs.random_seed, return_inverse=True)
    chosen = rng.multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)), size=draws)
    drawn = rng.binomial(runs.base, runs.after, size=(draws, len(seed))) / runs.base
    kept = np.concatenate([runs.after[None], drawn]) / runs.before
    return kept, np.concatenate([np.ones((1, len(seed))), chosen[:, seed].astype(np.float64)])


def _mean_by_level(
    levels: Float64Array, kept: Float64Array, weights: Float64Array, *, rows: np.ndarray
) -> tuple[Float64Array, Float64Array]:
    """The levels of some runs, ascending, and the mean retention at each, shapes (n,) and (b, n)."""
    at, place = np.unique(levels[rows], return_inverse=True)
    among = np.eye(len(at))[place]
    total = weights[:, rows] @ among
    sums = (weights * kept)[:, rows] @ among
    # Seeds that were drawn need not have measured every level; the mean of all stands in there.
    plain = (kept[:, rows] @ among) / among.sum(axis=0)
    means: Float64Array = np.where(total > 0, sums / np.maximum(total, 1.0), plain)
    return at, means


def _read_crossing(draws: Float64Array, levels: Float64Array | Int64Array, *, seeds: int) -> Crossing:
    """A crossing from its estimate, `draws[0]`, and the draws after it."""
    least, most = float(levels.min()), float(levels.max())
    tail = (1 - CONFIDENCE_LEVEL) / 2
    low, high = np.quantile(draws[1:], [tail, 1 - tail], method="inverted_cdf") if seeds > 1 else (np.inf, np.inf)
    value, low, high = (float(one) if least <= one <= most else None for one in (draws[0], low, high))
    beyond = None if value is not None else "below" if draws[0] < least else "above"
    return Crossing(value, low, high, beyond, least, most)


def _relate_shares(needed: list[NeededShare], onsets: list[LossOnset], drawn: Float64Array) -> Retention:
    """Relate needed shares, whose log odds were `drawn`, shape (1 + draws, n_cells), to facts and to size."""
    sizes = sorted({one.params for one in needed})
    reason = _lacking_for_relation(needed, sizes)
    if reason:
        return Retention(needed, onsets, None, f"not testable: {reason}", None, [], None)
    low, high = _log_odds_bounds(needed, drawn)
    relation = _fit_relation(needed, low, high)
    one_share = _left_out_error(needed, low, high, terms=1)
    others = [place for place, one in enumerate(needed) if one.params < sizes[-1]]
    smaller = _fit_relation([needed[place] for place in others], low[:, others], high[:, others])
    held = [_hold_out(smaller, one) for one in needed if one.params == sizes[-1]]
    misses = [logit(one.predicted) - logit(one.measured.value) for one in held if one.measured.value is not None]
    error = float(np.sqrt(np.mean(np.square(misses)))) if misses else None
    carried = relation.residual < one_share
    reason = None if carried else "one share for all foretells the sizes left out as well as a relation does"
    return Retention(needed, onsets, relation if carried else None, reason, one_share, held, error)


def _lacking_for_relation(needed: Sequence[NeededShare], sizes: Sequence[int]) -> str | None:
    """Why no relation can be tested; None where one can."""
    if any(one.load is None for one in needed):
        return "K50 was not measured from scratch at every size and budget"
    if any(one.seeds < 2 for one in needed):
        return "2 random seeds are needed at every size"
    if len(sizes) < 3:
        return f"3 sizes are needed, and there are {len(sizes)}"
    smaller = [one for one in needed if one.params < sizes[-1] and one.share.value is not None]
    if len(smaller) <= RELATION_PARAMETERS or len({one.load for one in smaller}) < 2:
        return f"{len(smaller)} needed shares lie between those measured, without the largest size"
    return None


def _log_odds_bounds(needed: Sequence[NeededShare], drawn: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Between what the log odds of each needed share lie: both the same where it was found."""
    least, most = (logit([getattr(one.share, name) for one in needed]) for name in ("least", "most"))
    low = np.where(drawn == np.inf, most, drawn)
    high = np.where(drawn == -np.inf, least, drawn)
    return low, high


def _fit_relation(needed: Sequence[NeededShare], low: Float64Array, high: Float64Array) -> ShareRelation:
    theta = _fit_log_odds(_relation_terms(needed), low, high)
    loads = [one.load for one in needed if one.load is not None]
    bases = [load * one.base / one.facts for load, one in zip(loads, needed, strict=True)]
    sizes = [one.params for one in needed]
    return ShareRelation(
        (float(theta[0, 0]), float(theta[0, 1]), float(theta[0, 2])),
        tuple(tuple(map(float, row)) for row in np.cov(theta[1:].T)),
        residual=_left_out_error(needed, low, high, terms=RELATION_PARAMETERS),
        freedom=sum(seeds - 1 for seeds in {one.params: one.seeds for one in needed}.values()),
        sizes=(min(sizes), max(sizes)),
        loads=(min(loads), max(loads)),
        bases=(min(bases), max(bases)),
    )


def _relation_terms(needed: Sequence[NeededShare]) -> Float64Array:
    """What the parameters of the relation stand before, shape (n_cells, 3)."""
    loads = np.log([one.load or np.nan for one in needed])
    sizes = np.log([one.params / REFERENCE_PARAMS for one in needed])
    return np.stack([np.ones(len(needed)), loads, sizes], axis=1)


def _fit_log_odds(terms: Float64Array, low: Float64Array, high: Float64Array) -> Float64Array:
    """The parameters, shape (b, p), of `b` versions of the bounds, shape (b, n_cells).

    A prediction within its cell's bounds is no error: that a share is more than 0.4 is known, not what it is.
    """

    def residuals(theta: Float64Array) -> Float64Array:
        found = theta @ terms.T
        return (found - np.clip(found, low, high)) / OUTLIER_LOG_ODDS

    starts = np.array([(level, 1.0, 0.0) for level in (-4.0, -2.0, 0.0)])[:, : terms.shape[1]]
    return minimise_soft_l1(residuals, np.ones(low.shape), starts)


def _left_out_error(needed: Sequence[NeededShare], low: Float64Array, high: Float64Array, *, terms: int) -> float:
    """The root mean square error in log odds of each size foretold by the others, with the first terms alone.

    With two sizes one alone would have to foretell the other, and what size does is not seen in one: there the error
    of the fit itself stands in.
    """
    design = _relation_terms(needed)[:, :terms]
    params = np.array([one.params for one in needed])
    sizes = np.unique(params)
    squares = np.zeros(len(needed))
    for size in sizes:
        out = params == size if len(sizes) > 2 else np.full(len(needed), fill_value=True)
        seen = ~out if len(sizes) > 2 else out
        theta = _fit_log_odds(design[seen], low[:1, seen], high[:1, seen])
        found = (theta @ design[out].T)[0]
        squares[out] = (found - np.clip(found, low[0, out], high[0, out])) ** 2
    freedom = len(needed) if len(sizes) > 2 else max(1, len(needed) - terms)
    return float(np.sqrt(squares.sum() / freedom))


@dataclass(frozen=True, slots=True)
class ReplayShare:
    """A replay share that a relation foretells, with the bounds that hold it in 90 % of cases.

    `size_factor` and `load_factor` say by how much size and K/K50 lie beyond what was measured, 1 within.
    """

    value: float
    low: float
    high: float
    size_factor: float
    load_factor: float


def predict_replay_share(relation: ShareRelation, *, params: float, load: float) -> ReplayShare:
    """The share that keeps `KEPT` of the base, for a model of `params` parameters taught `load` times its K50.

    Beyond the sizes measured it does not go below that of the nearest one: that ever larger models need ever less
    replay was not seen, and too little costs what a model knew. `low` follows the relation.
    """
    nearest = float(np.clip(params, *relation.sizes))
    found = np.array([_predict_log_odds(relation, size, load) for size in (params, nearest)])
    low, value, high = expit(found.T)
    return ReplayShare(
        float(value.max()),
        float(low.min()),
        float(high.max()),
        size_factor=extrapolation_factor(params, relation.sizes),
        load_factor=extrapolation_factor(load, relation.loads),
    )


def _predict_log_odds(relation: ShareRelation, params: float, load: float) -> tuple[float, float, float]:
    """The log odds of a share between the bounds of its interval."""
    at = np.array([1.0, np.log(load), np.log(params / REFERENCE_PARAMS)])
    log_odds = float(at @ np.array(relation.parameters))
    fitted = float(np.sqrt(max(0.0, at @ np.array(relation.covariance) @ at)))
    reach = max(fitted, relation.residual) * interval_quantile(relation.freedom)
    return log_odds - reach, log_odds, log_odds + reach


def _hold_out(relation: ShareRelation, cell: NeededShare) -> HeldOutShare:
    at = cell.share
    low, value, high = map(float, expit(_predict_log_odds(relation, cell.params, cell.load or np.nan)))
    # Where the share measured is only known to lie beyond those tried, so must a part of the interval.
    agrees = {
        None: at.value is not None and low <= at.value <= high,
        "above": high >= at.most,
        "below": low <= at.least,
    }
    return HeldOutShare(cell.params, cell.facts, at, value, low, high, agrees[at.beyond])
