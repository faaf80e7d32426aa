"""The parts of a decoder's step that are no matrix products, compiled; see `ManualDecoder`.

Each is one pass over what is still in the cache. Row i of every array is one place in one fact, all
numbers are in single precision, and every result is written into an array that the caller owns.
"""

from typing import Any

import numpy as np
from numba import njit

from kdos.arrays import AnyArray

# What torch's norm adds to the mean square.
NORM_EPSILON = np.float32(np.finfo(np.float32).eps)
# What AdamW adds to the root of the second moment.
ADAM_EPSILON = np.float32(1e-8)
# Trap: one constant of double precision in a loop and all of it is computed in double precision.
ZERO, ONE_HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
BITS_A_NAT = np.float32(1.44269504)
NATS_A_BIT = np.float32(0.69314718)
# Below it, the exponential is no normal number any more.
LEAST_EXPONENT = np.float32(-87)
# The exponential within half a bit of 1 (Cephes, expf).
EXP_C2, EXP_C3, EXP_C4, EXP_C5, EXP_C6, EXP_C7 = (
    np.float32(value)
    for value in (5.0000001201e-1, 1.6666665459e-1, 4.1665795894e-2, 8.3334519073e-3, 1.3981999507e-3, 1.9875691500e-4)
)
# The error function within 1.5e-7 (Abramowitz and Stegun, 7.1.26): with t = 1/(1 + p x),
# erf(x) = 1 - (a1 t + a2 t² + ... + a5 t⁵) exp(-x²).
ERF_P = np.float32(0.3275911)
ERF_A1, ERF_A2, ERF_A3, ERF_A4, ERF_A5 = (
    np.float32(value) for value in (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
)
SQRT_HALF = np.float32(0.5**0.5)
NORMAL_PEAK = np.float32((2 * np.pi) ** -0.5)

# `fastmath` lets sums run in the order that vector units like. `error_model="numpy"` makes a division by zero
# infinite: Python's error is an exit from the loop, and a loop with one is not vectorised.
jit_single_precision = njit(nogil=True, cache=True, fastmath=True, error_model="numpy")


@njit(inline="always")
def fast_exponential(x: Any) -> Any:
    """Of a number not above 0; made of steps that a vector unit has."""
    # exp(x) = 2^power * exp(rest): the power goes straight into the bits of a float's exponent, the
    # rest, at most half of log 2 either way, into a polynomial. `int32` cuts towards zero, which
    # for x <= 0 and a half taken off rounds to the nearest.
    x = max(x, LEAST_EXPONENT)
    power = np.int32(x * BITS_A_NAT - ONE_HALF)
    x = x - np.float32(power) * NATS_A_BIT
    rest = ((((EXP_C7 * x + EXP_C6) * x + EXP_C5) * x + EXP_C4) * x + EXP_C3) * x + EXP_C2
    scale = np.int32((power + np.int32(127)) << np.int32(23)).view(np.float32)
    return (rest * x * x + x + ONE) * scale


@jit_single_precision
def gelu_and_gradient(x: AnyArray, slope: AnyArray) -> None:
    """Of each number, in its place, and its slope there."""
    # gelu(x) = x Phi(x), and its slope Phi(x) + x phi(x); both need exp(-x²/2), so one pass makes
    # both: 1.3 ns a number where torch takes 1.4 and then 3.4 (LOG.md).
    at, by = x.reshape(-1), slope.reshape(-1)
    for i in range(len(at)):
        bell = fast_exponential(-ONE_HALF * at[i] * at[i])
        t = ONE / (ONE + ERF_P * SQRT_HALF * abs(at[i]))
        tail = ONE_HALF * bell * t * ((((ERF_A5 * t + ERF_A4) * t + ERF_A3) * t + ERF_A2) * t + ERF_A1)
        below = ONE - tail if at[i] > ZERO else tail
        by[i] = below + at[i] * NORMAL_PEAK * bell
        at[i] *= below


@jit_single_precision
def rms_norm(x: AnyArray, to: AnyArray, scale: AnyArray) -> None:
    """Each row over the root of its mean square, and what it was multiplied by."""
    for row in range(len(x)):
        total = ZERO
        for i in range(x.shape[1]):
            total += x[row, i] * x[row, i]
        scale[row] = ONE / np.sqrt(total / np.float32(x.shape[1]) + NORM_EPSILON)
        for i in range(x.shape[1]):
            to[row, i] = x[row, i] * scale[row]


@jit_single_precision
def add_rms_norm_backward(to: AnyArray, slope: AnyArray, y: AnyArray, scale: AnyArray) -> None:
    """Add to the slopes at a norm's input what `slope` at its output `y` makes of them."""
    # y = x s with s = 1/rms(x), so dL/dx = s (dL/dy - y mean(dL/dy * y)): the part along y cancels.
    for row in range(len(y)):
        along = ZERO
        for i in range(y.shape[1]):
            along += slope[row, i] * y[row, i]
        along /= np.float32(y.shape[1])
        for i in range(y.shape[1]):
            to[row, i] += scale[row] * (slope[row, i] - along * y[row, i])


@jit_single_precision
def softmax_in_place(scores: AnyArray) -> None:
    """Of a vector, in its place."""
    top = scores[0]
    for i in range(1, len(scores)):
        top = max(top, scores[i])
    total = ZERO
    for i in range(len(scores)):
        scores[i] = fast_exponential(scores[i] - top)
        total += scores[i]
    for i in range(len(scores)):
        scores[i] /= total


@jit_single_precision
def dot_product(a: AnyArray, b: AnyArray) -> Any:
    """The scalar product of two vectors."""
    total = ZERO
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@jit_single_precision
def add_scaled(to: AnyArray, factor: Any, what: AnyArray) -> None:
    """Add so many times a vector to another."""
    for i in range(len(to)):
        to[i] += factor * what[i]


@jit_single_precision
def causal_attention(qkv: AnyArray, to: AnyArray, weights: AnyArray) -> None:
    """What each place takes from those up to it, and the weights it takes it with.

    `qkv` has shape (rows, 3·width), `to` (rows, width) and `weights` (n_facts, length, length).
    """
    facts, length, width = *weights.shape[:2], to.shape[1]
    parts, taken = qkv.reshape(facts, length, 3, width), to.reshape(facts, length, width)
    scale = ONE / np.sqrt(np.float32(width))
    to[:] = ZERO
    for fact in range(facts):
        for here in range(length):
            for at in range(here + 1):
                weights[fact, here, at] = scale * dot_product(parts[fact, here, 0], parts[fact, at, 1])
            softmax_in_place(weights[fact, here, : here + 1])
            for at in range(here + 1):
                add_scaled(taken[fact, here], weights[fact, here, at], parts[fact, at, 2])


@jit_single_precision
def causal_attention_backward(slope: AnyArray, qkv: AnyArray, weights: AnyArray, to: AnyArray) -> None:
    """The slopes at `qkv` from those at what was taken."""
    # For out = sum_j w_j v_j with w = softmax(q·k_j / sqrt(width)), and g = dL/dout:
    #   dv_j += w_j g;  ds_j = w_j (g·v_j - sum_i w_i g·v_i)  (the softmax);
    #   dq += ds_j k_j / sqrt(width);  dk_j += ds_j q / sqrt(width).
    # `pulls` holds g·v_j and `mean` their mean under w. Nothing is stored but w of the way forward.
    facts, length, width = *weights.shape[:2], slope.shape[1]
    parts, by = qkv.reshape(facts, length, 3, width), slope.reshape(facts, length, width)
    back = to.reshape(facts, length, 3, width)
    pulls = np.empty(length, np.float32)
    scale = ONE / np.sqrt(np.float32(width))
    to[:] = ZERO
    for fact in range(facts):
        for here in range(length):
            mean = ZERO
            for at in range(here + 1):
                pulls[at] = dot_product(by[fact, here], parts[fact, at, 2])
                mean += weights[fact, here, at] * pulls[at]
                add_scaled(back[fact, at, 2], weights[fact, here, at], by[fact, here])
            for at in range(here + 1):
                pull = scale * weights[fact, here, at] * (pulls[at] - mean)
                add_scaled(back[fact, here, 0], pull, parts[fact, at, 1])
                add_scaled(back[fact, at, 1], pull, parts[fact, here, 0])


@jit_single_precision
def last_place_attention(query: AnyArray, kv: AnyArray, to: AnyArray, weights: AnyArray) -> None:
    """What the last places, shape (n_facts, width), take from all, and the weights.

    `kv` has shape (rows, 2·width) and `weights` (n_facts, length).
    """
    facts, length, width = *weights.shape, query.shape[1]
    parts = kv.reshape(facts, length, 2, width)
    scale = ONE / np.sqrt(np.float32(width))
    to[:] = ZERO
    for fact in range(facts):
        for at in range(length):
            weights[fact, at] = scale * dot_product(query[fact], parts[fact, at, 0])
        softmax_in_place(weights[fact])
        for at in range(length):
            add_scaled(to[fact], weights[fact, at], parts[fact, at, 1])


@jit_single_precision
def last_place_attention_backward(
    slope: AnyArray, query: AnyArray, kv: AnyArray, weights: AnyArray, to_query: AnyArray, to: AnyArray
) -> None:
    """The slopes at `query` and `kv` from those at what was taken."""
    facts, length, width = *weights.shape, query.shape[1]
    parts, back = kv.reshape(facts, length, 2, width), to.reshape(facts, length, 2, width)
    pulls = np.empty(length, np.float32)
    scale = ONE / np.sqrt(np.float32(width))
    for fact in range(facts):
        mean = ZERO
        for at in range(length):
            pulls[at] = dot_product(slope[fact], parts[fact, at, 1])
            mean += weights[fact, at] * pulls[at]
        to_query[fact] = ZERO
        for at in range(length):
            pull = scale * weights[fact, at] * (pulls[at] - mean)
            add_scaled(to_query[fact], pull, parts[fact, at, 0])
            for i in range(width):
                back[fact, at, 0, i] = pull * query[fact, i]
                back[fact, at, 1, i] = weights[fact, at] * slope[fact, i]


@jit_single_precision
def cross_entropy_backward(scores: AnyArray, texts: AnyArray) -> None:
    """From the scores of all tokens, in their place, to the slopes of the mean surprise at them.

    What is expected stands last in each of the texts, shape (n_facts, length + 1).
    """
    # d/dlogits of -log softmax(logits)[answer] is softmax(logits) - onehot(answer).
    share = ONE / np.float32(len(texts))
    for row in range(len(scores)):
        softmax_in_place(scores[row])
        scores[row, texts[row, -1]] -= ONE
        for i in range(scores.shape[1]):
            scores[row, i] *= share


@jit_single_precision
def embed_tokens(texts: AnyArray, token: AnyArray, place: AnyArray, to: AnyArray) -> None:
    """The embeddings of all tokens but the last, shape (rows, width)."""
    length, width = place.shape
    for fact in range(len(texts)):
        for at in range(length):
            for i in range(width):
                to[fact * length + at, i] = token[texts[fact, at], i] + place[at, i]


@jit_single_precision
def add_embedding_backward(slope: AnyArray, texts: AnyArray, to_token: AnyArray, to_place: AnyArray) -> None:
    """Add to the slopes at the embeddings those at what they made."""
    length, width = to_place.shape
    for fact in range(len(texts)):
        for at in range(length):
            for i in range(width):
                to_token[texts[fact, at], i] += slope[fact * length + at, i]
                to_place[at, i] += slope[fact * length + at, i]


@jit_single_precision
def adamw_update(
    weights: AnyArray,
    slopes: AnyArray,
    first: AnyArray,
    second: AnyArray,
    rate: float,
    betas: tuple[float, float],
    step: int,
) -> None:
    """AdamW without decay on vectors, in their place; the slopes are emptied."""
    # Bias corrections (Kingma and Ba, 2015) are the same for all weights, so they are folded into
    # the rate and into the root before the loop, in double precision.
    keep, keep2 = np.float32(betas[0]), np.float32(betas[1])
    take, take2 = np.float32(1 - betas[0]), np.float32(1 - betas[1])
    size = np.float32(rate / (1 - betas[0] ** step))
    root = np.float32(1 / np.sqrt(1 - betas[1] ** step))
    for i in range(len(weights)):
        first[i] = keep * first[i] + take * slopes[i]
        second[i] = keep2 * second[i] + take2 * slopes[i] * slopes[i]
        weights[i] -= size * first[i] / (np.sqrt(second[i]) * root + ADAM_EPSILON)
        slopes[i] = ZERO
