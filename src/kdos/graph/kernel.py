"""The walks themselves, compiled.

Chance is a counter: each attempt at a path has a stream of its own, splitmix64 (Steele, Lea and
Flood, 2014) started from the key and the numbers of path and attempt. Nothing else shapes a path,
so any number of threads gives the same ones.
"""

from typing import Any

import numpy as np
from numba import njit, uint64

from kdos.arrays import AnyArray

# Trap: Numba's index on disk pickles the class of an argument by its dotted name. Whoever renames or moves
# `Transitions` must rename the compiled functions below too, or an old index that lies in `__pycache__` fails to load.

# The constants of splitmix64: 2^64 over the golden ratio, and the two multipliers of its output.
GOLDEN_GAMMA = uint64(0x9E3779B97F4A7C15)
FIRST_FACTOR = uint64(0xBF58476D1CE4E5B9)
SECOND_FACTOR = uint64(0x94D049BB133111EB)
TWO_TO_MINUS_52 = 1.0 / (1 << 52)
PADDING = -1


@njit(inline="always")
def splitmix64(x: Any) -> Any:
    """64 bits that depend on every bit of `x`: splitmix64's output."""
    x = (x ^ (x >> uint64(30))) * FIRST_FACTOR
    x = (x ^ (x >> uint64(27))) * SECOND_FACTOR
    return x ^ (x >> uint64(31))


@njit(inline="always")
def uniform_float(bits: Any) -> Any:
    """A number in [0, 1) from the upper 52 of 64 random bits."""
    # One bit less than a double holds: with 53, `uniform * total` can round up to `total`, and a
    # search along running sums would then step past its last entry.
    return (bits >> uint64(12)) * TWO_TO_MINUS_52


@njit(inline="always")
def attempt_stream(key: Any, path: Any, attempt: Any) -> Any:
    """The state that the stream of an attempt at a path begins with."""
    own = splitmix64(key + GOLDEN_GAMMA * uint64(path + 1))
    return splitmix64(own + GOLDEN_GAMMA * uint64(attempt + 1))


@njit(inline="always")
def uniform_index(bits: Any, low: Any, high: Any) -> Any:
    """An index in [low, high), each as likely."""
    return low + np.int64(uniform_float(bits) * (high - low))


@njit(inline="always")
def weighted_index(bits: Any, low: Any, high: Any, cumulative: AnyArray) -> Any:
    """An index in [low, high), as likely as the running sums `cumulative` rise there."""
    # Inverse of the distribution function by binary search: the first index whose running sum
    # exceeds the point drawn. An entry of weight 0 does not raise the sum and is never drawn.
    point = uniform_float(bits) * cumulative[high - 1]
    while low < high:
        middle = (low + high) >> 1
        if cumulative[middle] > point:
            high = middle
        else:
            low = middle + 1
    return low


@njit(inline="always")
def best_attempt(paths: AnyArray, log_value: AnyArray) -> Any:
    """The attempt with the most KPs, and of those the one with the highest mean log value."""
    best, best_held, best_mean = 0, 0, -np.inf
    for attempt in range(paths.shape[0]):
        held, total = 0, 0.0
        while held < paths.shape[1] and paths[attempt, held] != PADDING:
            total += log_value[paths[attempt, held]]
            held += 1
        if held > best_held or (held == best_held and total / held > best_mean):
            best, best_held, best_mean = attempt, held, total / held
    return best, best_mean


@njit(nogil=True, cache=True)
def walk_many_paths(
    transitions: Any,
    value: AnyArray,
    log_value: AnyArray,
    starts: AnyArray,
    key: Any,
    rows: Any,
    first: int,
    tries: Any,
    kps: AnyArray,
    samples: AnyArray,
    means: AnyArray,
) -> None:
    """Walk the paths of `rows` (low, high); row 0 is path number `first`.

    `tries` are attempts at a path and candidates for a step. Fills a row each of `kps`
    (n_paths, length), `samples` (n_paths, length - 1) and `means` (n_paths,).
    """
    # A look-up in a large graph waits for memory. So the attempts at a path advance side by side, and each kind of
    # look-up is one loop over the candidates of all attempts: the processor then waits for many of them at once, 1.5
    # times as fast as one attempt after the other. Functions that take arrays inside these loops would lose all of
    # that; the weighted draw, which is one, has a loop of its own.
    sample_starts, sample_kps, kp_starts, kp_samples, cumulative, _ = transitions
    attempts, width = tries
    n, length = attempts * width, kps.shape[1]
    # Attempt a's KPs and the samples between them.
    path, link = np.empty((attempts, length), np.int32), np.empty((attempts, length), np.int32)
    state, alive = np.empty(attempts, np.uint64), np.empty(attempts, np.int64)
    # Candidate i: from KP `here` through sample `through` to KP `to`.
    here, through, to = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    places, begin, end = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    bits, worth = np.empty(n, np.uint64), np.empty(n, np.float64)
    for row in range(rows[0], rows[1]):
        path[:] = PADDING
        link[:] = PADDING
        for a in range(attempts):
            path[a, 0] = starts[row]
            state[a] = attempt_stream(key, first + row, a)
        for step in range(1, length):
            used = 0
            for a in range(attempts):
                kp = path[a, step - 1]
                if kp == PADDING or kp_starts[kp] == kp_starts[kp + 1]:
                    continue
                low, high = kp_starts[kp], kp_starts[kp + 1]
                for c in range(width):
                    i = used * width + c
                    here[i] = kp
                    # Each candidate takes two numbers of the stream: `width` for the samples come
                    # first, then `width` for the KPs. Order is part of the result.
                    bits[i] = splitmix64(state[a] + GOLDEN_GAMMA * uint64(width + c + 1))
                    dice = splitmix64(state[a] + GOLDEN_GAMMA * uint64(c + 1))
                    places[i] = uniform_index(dice, low, high)
                if len(cumulative) > 0:
                    for c in range(width):
                        dice = splitmix64(state[a] + GOLDEN_GAMMA * uint64(c + 1))
                        places[used * width + c] = weighted_index(dice, low, high, cumulative)
                state[a] += GOLDEN_GAMMA * uint64(2 * width)
                alive[used] = a
                used += 1
            for i in range(used * width):
                through[i] = kp_samples[places[i]]
            for i in range(used * width):
                begin[i], end[i] = sample_starts[through[i]], sample_starts[through[i] + 1]
            # One of the d - 1 other KPs of a sample of d, evenly and without a second draw: draw
            # among the first d - 1, and where that is the KP we stand on take the last instead.
            for i in range(used * width):
                found = sample_kps[uniform_index(bits[i], begin[i], end[i] - 1)]
                to[i] = sample_kps[end[i] - 1] if found == here[i] else found
            for i in range(used * width):
                worth[i] = value[to[i]]
            # Keep one candidate in proportion to its value; what is on the path already has none.
            # `worth` becomes its own running sum on the way.
            for j in range(used):
                a, total = alive[j], 0.0
                for i in range(j * width, (j + 1) * width):
                    new = True
                    for t in range(step):
                        new &= path[a, t] != to[i]
                    for t in range(step - 1):
                        new &= link[a, t] != through[i]
                    if new:
                        total += worth[i]
                    worth[i] = total
                if total > 0.0:
                    state[a] += GOLDEN_GAMMA
                    point, i = uniform_float(splitmix64(state[a])) * total, j * width
                    while worth[i] <= point:
                        i += 1
                    path[a, step], link[a, step - 1] = to[i], through[i]
        best, means[row] = best_attempt(path, log_value)
        kps[row] = path[best]
        samples[row] = link[best, : length - 1]


@njit(nogil=True, cache=True)
def walk_long_chain(
    transitions: Any, target: AnyArray, alpha: float, key: Any, here: int, steps: int, visits: AnyArray
) -> Any:
    """Walk on from `here`, counting `visits` (n_kps,); returns where it ends and its moves."""
    sample_starts, sample_kps, kp_starts, kp_samples, cumulative, strength = transitions
    prior = len(target)
    state, moves = attempt_stream(key, 0, 0), 0
    for _ in range(steps):
        state += GOLDEN_GAMMA
        low, high = kp_starts[here], kp_starts[here + 1]
        place = uniform_index(splitmix64(state), low, high)
        if len(cumulative) > 0:
            place = weighted_index(splitmix64(state), low, high, cumulative)
        begin, end = sample_starts[kp_samples[place]], sample_starts[kp_samples[place] + 1]
        state += GOLDEN_GAMMA
        found = sample_kps[uniform_index(splitmix64(state), begin, end - 1)]
        to = sample_kps[end - 1] if found == here else found
        state += GOLDEN_GAMMA
        # Metropolis-Hastings: accept j from i with min(1, pi_j q_ji / (pi_i q_ij)). The proposal q
        # is reversible with law `strength`, so q_ji / q_ij = strength_i / strength_j; and pi is the
        # history-driven target mu (x / mu)^-alpha with `prior` visits spread as mu added to x.
        if target[to] > 0:
            ahead = (visits[to] / target[to] + prior) / (visits[here] / target[here] + prior)
            odds = target[to] * strength[here] / (target[here] * strength[to]) * ahead**-alpha
            if uniform_float(splitmix64(state)) < odds:
                here = to
                moves += 1
        visits[here] += 1
    return here, moves
