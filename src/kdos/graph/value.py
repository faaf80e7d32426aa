"""The target of a walk over KPs, and the value function that steers the walk towards it.

LinkSyn's abstract has a knowledge value function that balances KP coverage and popularity; its
formula is not public, and this one is our design. Popularity, coverage, density and a model's loss
all enter the target, so that whatever they are, the end of a walk is known: exposures in proportion
to it.
"""

import numpy as np
import numpy.typing as npt

from kdos.arrays import Float64Array, IntegerArray
from kdos.errors import UsageError

# The exponent of popularity: 1 keeps it, 0 covers all KPs alike (our design).
DEFAULT_BETA = 0.5

# Added to exposures and to their target, so that a KP that was never seen has a finite value.
PSEUDO_EXPOSURES = 0.5


def popularity_target(popularity: npt.ArrayLike, *, beta: float = DEFAULT_BETA) -> Float64Array:
    """The target share of each KP, in proportion to popularity^beta, shape (n_kps,)."""
    return as_target(np.asarray(popularity, np.float64) ** beta)


def density_target(cells: IntegerArray, wanted: npt.ArrayLike) -> Float64Array:
    """The target share of each KP where a target over cells is given, shape (n_kps,).

    Args:
        cells: The cell of each KP, shape (n_kps,).
        wanted: What each cell is to have (quotas, deficits or shares), shape (n_cells,); its KPs
            share it evenly. What cells without a KP are to have goes to the others.
    """
    return as_target(spread_over_kps(cells, wanted))


def loss_target(
    target: Float64Array, loss: npt.ArrayLike, *, strength: float = 1.0
) -> Float64Array:
    """The target tilted towards what a model does not know, shape (n_kps,).

    Each share is multiplied by exp(strength * loss), `loss` in nats, shape (n_kps,).
    """
    nats = strength * np.asarray(loss, np.float64)
    return as_target(target * np.exp(nats - nats.max(initial=-np.inf)))


def as_target(weights: npt.ArrayLike) -> Float64Array:
    """Shares that sum to 1, in proportion to `weights`, shape (n_kps,)."""
    shares = np.asarray(weights, np.float64)
    if not (np.isfinite(shares).all() and (shares >= 0).all() and shares.sum() > 0):
        raise UsageError(
            "target weights must be finite and >= 0, with at least one above 0. "
            f"Got {shares.min(initial=0.0):g} to {shares.max(initial=0.0):g} "
            f"for {len(shares)} KPs."
        )
    return shares / shares.sum()


def spread_over_kps(cells: IntegerArray, amounts: npt.ArrayLike) -> Float64Array:
    """What each cell has, shared evenly among its KPs, shape (n_kps,)."""
    amounts = np.asarray(amounts, np.float64)
    members = np.bincount(cells, minlength=len(amounts))
    return (amounts / np.maximum(members, 1))[cells]


def log_exposure_ratio(
    exposures: Float64Array, target: Float64Array, *, visits: float
) -> Float64Array:
    """How far each KP is ahead of its target, log(x_k / mu_k) in nats, shape (n_kps,).

    A half is added to either side, so that chance counts for little while counts are small.

    Args:
        exposures: x, how often each KP has been seen, shape (n_kps,).
        target: mu, shares, shape (n_kps,).
        visits: How many visits the target is spread over: those made and those under way.
    """
    return np.log((exposures + PSEUDO_EXPOSURES) / (visits * target + PSEUDO_EXPOSURES))


def log_values(ahead: Float64Array, target: Float64Array, *, alpha: float) -> Float64Array:
    """The value of each KP in nats, log V(k) = -alpha * log(x_k / mu_k), shape (n_kps,).

    It is the repellence function of the self-repellent random walk (Doshi, Hu and Eun, 2023), and
    for alpha = 1 the gradient of -KL(mu || x). A KP without a target has no value at all, -inf.
    """
    return np.where(target > 0, -alpha * ahead, -np.inf)


def step_weights(
    log_value: Float64Array, ahead: Float64Array, *, most_ahead: float
) -> Float64Array:
    """What each KP weighs as the next step, in proportion to V, the highest 1, shape (n_kps,).

    One that is more than `most_ahead` times ahead of its target weighs nothing.
    """
    weights = np.exp(log_value - log_value.max())
    return np.where(ahead > np.log(most_ahead), 0.0, weights)
