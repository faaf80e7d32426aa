"""Least squares that outliers cannot bend, for a whole bootstrap at once."""

from collections.abc import Callable

import numpy as np

from kdos.arrays import Float64Array

MAX_STEPS = 60
"""Levenberg–Marquardt steps at most; the fits here have two or three parameters and take ten."""
LOSS_TOLERANCE = 1e-7
"""Gain of loss, relative, below which a step changes nothing."""
DIFFERENCE_STEP = 1e-5
"""Step of the difference quotients."""
Residuals = Callable[[Float64Array], Float64Array]


def soft_l1_loss(residuals: Float64Array, weights: Float64Array) -> Float64Array:
    """The loss of each problem, shape (b,): squares near zero, straight lines from 1 on."""
    return (weights * 2 * (np.sqrt(1 + residuals**2) - 1)).sum(axis=1)


def minimise_soft_l1(
    residuals: Residuals, weights: Float64Array, starts: Float64Array
) -> Float64Array:
    """The parameters with the least soft-L1 loss of `b` problems, shape (b, p).

    Args:
        residuals: Parameters, shape (b, p), to residuals, shape (b, n), in units of the scale
            from which on a residual counts as an outlier.
        weights: How often each measurement counts, shape (b, n).
        starts: Where to look from, shape (s, p); every problem begins at its best one.
    """
    theta = _best_start(residuals, weights, starts)
    damping = np.full(len(theta), 1e-2)
    loss = soft_l1_loss(residuals(theta), weights)
    for _ in range(MAX_STEPS):
        step = _damped_step(residuals, weights, theta, damping)
        tried = soft_l1_loss(residuals(theta + step), weights)
        better = tried < loss
        settled = (loss - tried <= LOSS_TOLERANCE * loss).all()
        theta = np.where(better[:, None], theta + step, theta)
        loss = np.where(better, tried, loss)
        damping = np.clip(np.where(better, damping / 4, damping * 4), 1e-9, 1e9)
        if settled and (better | (damping > 1e3)).all():
            break
    return theta


def _best_start(residuals: Residuals, weights: Float64Array, starts: Float64Array) -> Float64Array:
    """The start with the least loss for each problem, shape (b, p)."""
    problems = len(weights)
    losses = [
        soft_l1_loss(residuals(np.broadcast_to(start, (problems, len(start)))), weights)
        for start in starts
    ]
    return starts[np.argmin(losses, axis=0)]


def _damped_step(
    residuals: Residuals, weights: Float64Array, theta: Float64Array, damping: Float64Array
) -> Float64Array:
    """One damped Gauss–Newton step of every problem, shape (b, p)."""
    at = residuals(theta)
    slopes = np.stack(
        [
            (residuals(theta + nudge) - at) / DIFFERENCE_STEP
            for nudge in DIFFERENCE_STEP * np.eye(theta.shape[1])
        ],
        axis=2,
    )
    pull = weights / np.sqrt(1 + at**2)
    gradient = np.einsum("bnp,bn->bp", slopes, pull * at)
    curvature = np.einsum("bnp,bn,bnq->bpq", slopes, pull, slopes)
    scale = damping[:, None] * (np.einsum("bpp->bp", curvature) + 1e-9)
    damped = curvature + scale[:, :, None] * np.eye(theta.shape[1])
    return -np.linalg.solve(damped, gradient[:, :, None])[:, :, 0]
