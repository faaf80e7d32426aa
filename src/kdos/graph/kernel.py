"""The walks themselves, compiled; loaded by the first walk, for a compiler takes half a second.

Chance is a counter: each attempt at a path has a stream of its own, splitmix64 (Steele, Lea and
Flood, 2014) started from the key and the numbers of path and attempt. Nothing else shapes a path,
so any number of threads gives the same ones.

A look-up in a large graph waits for memory. The attempts at a path walk side by side, and each look
is one loop over all their candidates, so that many look-ups wait together: 1.5 times as fast as one
attempt after the other. Functions that take arrays inside these loops would lose all of that.
"""

from typing import Any

import numpy as np
from numba import njit, uint64

from kdos.arrays import AnyArray

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
    """A number in [0, 1) of 52 bits, so that ``unit * total < total`` holds after rounding."""
    return (bits >> uint64(12)) * TWO_TO_MINUS_52


@njit(inline="always")
def attempt_stream(key: Any, path: Any, attempt: Any) -> Any:
    """Where the stream of an attempt at a path begins."""
    own = splitmix64(key + GOLDEN_GAMMA * uint64(path + 1))
    return splitmix64(own + GOLDEN_GAMMA * uint64(attempt + 1))


@njit(inline="always")
def uniform_index(bits: Any, low: Any, high: Any) -> Any:
    """A place from `low` to `high`, evenly."""
    return low + np.int64(uniform_float(bits) * (high - low))


@njit(inline="always")
def weighted_index(bits: Any, low: Any, high: Any, cumulative: AnyArray) -> Any:
    """A place from `low` to `high`, as the running sums `cumulative` rise there."""
    ball = uniform_float(bits) * cumulative[high - 1]
    while low < high:
        middle = (low + high) >> 1
        if cumulative[middle] > ball:
            high = middle
        else:
            low = middle + 1
    return low


@njit(inline="always")
def best_attempt(trails: AnyArray, log_value: AnyArray) -> Any:
    """The attempt with the most KPs, and of those the one with the highest mean log value."""
    best, best_held, best_mean = 0, 0, -np.inf
    for attempt in range(trails.shape[0]):
        held, total = 0, 0.0
        while held < trails.shape[1] and trails[attempt, held] != PADDING:
            total += log_value[trails[attempt, held]]
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
    sample_starts, sample_kps = transitions.sample_starts, transitions.sample_kps
    kp_starts, kp_samples, cumulative = (
        transitions.kp_starts,
        transitions.kp_samples,
        transitions.cumulative,
    )
    attempts, width = tries
    n, length = attempts * width, kps.shape[1]
    trails, seen = np.empty((attempts, length), np.int32), np.empty((attempts, length), np.int32)
    state, alive = np.empty(attempts, np.uint64), np.empty(attempts, np.int64)
    own, through, to = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    places, begin, end = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    bits, worth = np.empty(n, np.uint64), np.empty(n, np.float64)
    for row in range(rows[0], rows[1]):
        trails[:] = PADDING
        seen[:] = PADDING
        for a in range(attempts):
            trails[a, 0] = starts[row]
            state[a] = attempt_stream(key, first + row, a)
        for step in range(1, length):
            used = 0
            for a in range(attempts):
                kp = trails[a, step - 1]
                if kp == PADDING or kp_starts[kp] == kp_starts[kp + 1]:
                    continue
                low, high = kp_starts[kp], kp_starts[kp + 1]
                for c in range(width):
                    own[used * width + c] = kp
                    bits[used * width + c] = splitmix64(
                        state[a] + GOLDEN_GAMMA * uint64(width + c + 1)
                    )
                    dice = splitmix64(state[a] + GOLDEN_GAMMA * uint64(c + 1))
                    places[used * width + c] = uniform_index(dice, low, high)
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
            for i in range(used * width):
                found = sample_kps[uniform_index(bits[i], begin[i], end[i] - 1)]
                to[i] = sample_kps[end[i] - 1] if found == own[i] else found
            for i in range(used * width):
                worth[i] = value[to[i]]
            for j in range(used):
                a, total = alive[j], 0.0
                for i in range(j * width, (j + 1) * width):
                    new = True
                    for t in range(step):
                        new &= trails[a, t] != to[i]
                    for t in range(step - 1):
                        new &= seen[a, t] != through[i]
                    if new:
                        total += worth[i]
                    worth[i] = total
                if total > 0.0:
                    state[a] += GOLDEN_GAMMA
                    ball, i = uniform_float(splitmix64(state[a])) * total, j * width
                    while worth[i] <= ball:
                        i += 1
                    trails[a, step], seen[a, step - 1] = to[i], through[i]
        best, means[row] = best_attempt(trails, log_value)
        kps[row] = trails[best]
        samples[row] = seen[best, : length - 1]


@njit(nogil=True, cache=True)
def walk_long_chain(
    transitions: Any,
    target: AnyArray,
    alpha: float,
    key: Any,
    here: int,
    steps: int,
    visits: AnyArray,
) -> Any:
    """Walk on from `here`, counting `visits` (n_kps,); returns where it ends and its moves."""
    sample_starts, sample_kps = transitions.sample_starts, transitions.sample_kps
    kp_starts, kp_samples, cumulative = (
        transitions.kp_starts,
        transitions.kp_samples,
        transitions.cumulative,
    )
    strength, prior = transitions.strength, len(target)
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
        if target[to] > 0:
            ahead = (visits[to] / target[to] + prior) / (visits[here] / target[here] + prior)
            odds = target[to] * strength[here] / (target[here] * strength[to]) * ahead**-alpha
            if uniform_float(splitmix64(state)) < odds:
                here = to
                moves += 1
        visits[here] += 1
    return here, moves
