"""The distribution over cells that is wanted (our design; the paper's target is not public).

``log q_c = log V_c + tau * log rho_c + log w_c - log Z``, with V_c the volume of cell c, rho_c its
density in the reference pool and w_c an optional demand. Everything is in nats.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp

from kdos.arrays import Float64Array, Int64Array
from kdos.density.cells import PSEUDO_COUNT, cell_log_density
from kdos.errors import UsageError

TARGET_EXPONENTS = {"natural": 1.0, "sqrt": 0.5, "uniform": 0.0, "concentrated": 1.5}
"""The exponent tau of each preset. 1.5 is the middle of the range (1, 2) that we have tried."""
HIGHEST_TAU = 8.0
"""`level:` searches tau in [0, 8]; beyond that one cell holds nearly all of the target."""
DEMAND_PREFIX = "demand:"
"""What the name of a target that follows the questions of a file begins with."""
PRIOR_EXPOSURES = 1.0
"""Exposures that everything is taken to have had already (water-filling; our design)."""


def tempered_target(
    log_volumes: Float64Array, counts: Int64Array, tau: float, *, log_demand: Float64Array | None = None
) -> Float64Array:
    """The target log q, shape (n_cells,), for one exponent tau.

    `log_volumes` (nats), `counts` of reference knowledge points and `log_demand`, log w_c, are of
    shape (n_cells,). tau 1 is the reference's own distribution, 0 is uniform over volume.
    """
    # Density, not the count, is what tau bends: a large cell holds much because it is large. Hence
    # the volume twice, once inside rho_c and once for the mass that a density has over the cell.
    log_q = log_volumes + tau * cell_log_density(counts, log_volumes)
    return _normalise_log(log_q if log_demand is None else log_q + log_demand)


def demand_target(counts: Int64Array | Float64Array) -> Float64Array:
    """As dense in each cell as a set of questions is, given its counts: log q, shape (n_cells,).

    A count may be a sum of weights, such as a model's losses.
    """
    # Half a question in all, spread over the cells: a few hundred questions over many cells would
    # drown in half of one for each.
    return _normalise_log(np.log(counts + PSEUDO_COUNT / len(counts)))


def level_target(log_volumes: Float64Array, counts: Int64Array, level: float, *, budget: int) -> Float64Array:
    """The tempered target whose mean log density is `level` for a pool of `budget` points.

    The level rises with tau, so bisection finds it.

    Raises:
        UsageError: No tau in [0, 8] gives this level; the message names the range.
    """

    def reached(tau: float) -> float:
        log_q = tempered_target(log_volumes, counts, tau)
        return mean_log_density(log_q, log_volumes, budget=budget)

    lowest, highest = reached(0.0), reached(HIGHEST_TAU)
    if not lowest <= level <= highest:
        ten = math.log(10)
        raise UsageError(
            f"target level: must be in [{lowest / ten:.2f}, {highest / ten:.2f}] (log10) for "
            f"{budget} knowledge points in this space. Got {level / ten:.2f}."
        )
    tau = _bisect_rising(reached, level, low=0.0, high=HIGHEST_TAU)
    return tempered_target(log_volumes, counts, tau)


def mean_log_density(log_q: Float64Array, log_volumes: Float64Array, *, budget: int) -> float:
    """Mean log density (nats) of `budget` points spread over the cells as the target says."""
    # Of a cell with share q: budget * q points in V_c. Where q underflows to 0 it adds nothing, but
    # 0 * -inf would be no number.
    q = np.exp(log_q)
    held = q > 0
    return float(np.sum(q[held] * (math.log(budget) + log_q[held] - log_volumes[held])))


def waterfill_target(log_volumes: Float64Array, covered: Int64Array, *, budget: int) -> Float64Array:
    """The budget where it adds most: n_c = max(0, lambda * w_c - kappa - e_c), w_c the volume.

    It maximises ``sum w_c log(kappa + e_c + n_c)``: recall grows about with the logarithm of the
    exposures. `covered` is e_c, the exposures that each cell has already.
    """
    # Cells in the order in which rising water reaches their ground: with the first j of them wet,
    # its height is (budget + their grounds) / their weights. The last j for which that lies above
    # the ground of the j-th is the true one.
    weight = np.exp(_normalise_log(log_volumes))
    ground = PRIOR_EXPOSURES + covered
    order = np.argsort(ground / weight, kind="stable")
    water = (budget + np.cumsum(ground[order])) / np.cumsum(weight[order])
    wet = np.searchsorted(-(water - (ground / weight)[order]), 0.0)
    height = water[max(int(wet) - 1, 0)]
    filled = np.maximum(0.0, height * weight - ground)
    return _normalise_log(np.log(filled + PSEUDO_COUNT / len(covered)))


TARGET_NAMES = (*TARGET_EXPONENTS, "waterfill", "level:<log10>", "tau:<number>", "demand:<file>")
"""Every target there is, as help and errors list them."""
TARGET_EXAMPLES = {"level": "level:2.5", "tau": "tau:1.5", "demand": "demand:questions.jsonl"}
"""A target of each kind that has a value after the colon."""
LARGEST_NUMBER = 1e6
"""Of tau and of a level, in either direction: beyond all use, and no product with a log density overflows."""


def check_target(name: str) -> None:
    """Refuse what no source can have as its target; whether a level can be reached, the space alone says.

    Raises:
        UsageError: No such target, or what stands after the colon is no number, or none that can be used.
    """
    kind, _, value = name.partition(":")
    if kind in TARGET_EXAMPLES and ":" in name:
        if kind == "demand" and not value:
            raise UsageError(
                f"`target` must name a file after the colon, as in {TARGET_EXAMPLES[kind]}. Got {name!r}."
            )
        if kind != "demand":
            _parse_number(kind, value)
    elif name not in TARGET_EXPONENTS and name != "waterfill":
        raise _unknown_target(name)


def read_target(
    name: str,
    *,
    log_volumes: Float64Array,
    counts: Int64Array,
    budget: int,
    demand: Int64Array | Float64Array | None = None,
) -> Float64Array:
    """The target that a name stands for.

    Args:
        name: One of `TARGET_NAMES`.
        log_volumes: log V_c, shape (n_cells,), nats.
        counts: Reference knowledge points (of a dataset: rows) in each cell, shape (n_cells,).
        budget: Knowledge points that a run is to hold; rows to choose from a dataset.
        demand: The questions of the file of ``demand:<file>``, counted by cell, shape (n_cells,).

    Raises:
        UsageError: No such target, or a level that cannot be reached.
    """
    kind, _, value = name.partition(":")
    if name in TARGET_EXPONENTS:
        return tempered_target(log_volumes, counts, TARGET_EXPONENTS[name])
    if name == "waterfill":
        return waterfill_target(log_volumes, counts, budget=budget)
    if kind == "demand" and demand is not None:
        return demand_target(demand)
    if kind == "level":
        level = _parse_number(kind, value) * math.log(10)
        return level_target(log_volumes, counts, level, budget=budget)
    if kind == "tau":
        return tempered_target(log_volumes, counts, _parse_number(kind, value))
    raise _unknown_target(name)


def demand_file(name: str) -> str | None:
    """The file of a ``demand:FILE`` target; None for other targets."""
    return name.removeprefix(DEMAND_PREFIX) if name.startswith(DEMAND_PREFIX) else None


def effective_points(log_q: Float64Array, counts: Int64Array) -> float:
    """1 / sum p_i^2 over reference points i when the target draws from them: at most n.

    A small share of n means that the target rests on a few outliers.
    """
    # Kish's effective sample size, with p_i = q_c / n_c for each of a cell's n_c points, which sums
    # to q_c^2 / n_c over the cell. Cells without a point have nothing to draw from.
    held = counts > 0
    q = np.exp(_normalise_log(log_q[held]))
    return float(1.0 / np.sum(q**2 / counts[held]))


def _normalise_log(log_q: Float64Array) -> Float64Array:
    return log_q - float(logsumexp(log_q))


def _bisect_rising(rising: Callable[[float], float], level: float, *, low: float, high: float) -> float:
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < level else (low, middle)
    return (low + high) / 2


def _unknown_target(name: str) -> UsageError:
    return UsageError(f"`target` must be one of {', '.join(TARGET_NAMES)}. Got {name!r}.")


def _parse_number(kind: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST_NUMBER:
        raise UsageError(
            f"`target` must have a number from -1e6 to 1e6 after the colon, as in {TARGET_EXAMPLES[kind]}. "
            f"Got {f'{kind}:{text}'!r}."
        )
    return value
