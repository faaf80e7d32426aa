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

GOLDEN = uint64(0x9E3779B97F4A7C15)
FIRST_FACTOR = uint64(0xBF58476D1CE4E5B9)
SECOND_FACTOR = uint64(0x94D049BB133111EB)
UNIT = 1.0 / (1 << 52)
NONE = -1


@njit(inline="always")
def mixed(x: Any) -> Any:
    """64 bits that depend on every bit of `x`: splitmix64's output."""
    x = (x ^ (x >> uint64(30))) * FIRST_FACTOR
    x = (x ^ (x >> uint64(27))) * SECOND_FACTOR
    return x ^ (x >> uint64(31))


@njit(inline="always")
def unit(bits: Any) -> Any:
    """A number in [0, 1) of 52 bits, so that ``unit * total < total`` holds after rounding."""
    return (bits >> uint64(12)) * UNIT


@njit(inline="always")
def stream(key: Any, path: Any, attempt: Any) -> Any:
    """Where the stream of an attempt at a path begins."""
    own = mixed(key + GOLDEN * uint64(path + 1))
    return mixed(own + GOLDEN * uint64(attempt + 1))


@njit(inline="always")
def even_place(bits: Any, low: Any, high: Any) -> Any:
    """A place from `low` to `high`, evenly."""
    return low + np.int64(unit(bits) * (high - low))


@njit(inline="always")
def weighted_place(bits: Any, low: Any, high: Any, cumulative: AnyArray) -> Any:
    """A place from `low` to `high`, as the running sums `cumulative` rise there."""
    ball = unit(bits) * cumulative[high - 1]
    while low < high:
        middle = (low + high) >> 1
        if cumulative[middle] > ball:
            high = middle
        else:
            low = middle + 1
    return low


@njit(inline="always")
def best_of(trails: AnyArray, log_value: AnyArray) -> Any:
    """The attempt with the most KPs, and of those the one with the highest mean log value."""
    best, best_held, best_mean = 0, 0, -np.inf
    for attempt in range(trails.shape[0]):
        held, total = 0, 0.0
        while held < trails.shape[1] and trails[attempt, held] != NONE:
            total += log_value[trails[attempt, held]]
            held += 1
        if held > best_held or (held == best_held and total / held > best_mean):
            best, best_held, best_mean = attempt, held, total / held
    return best, best_mean


@njit(nogil=True, cache=True)
def walk_paths(
    routes: Any,
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
    sample_starts, sample_kps = routes.sample_starts, routes.sample_kps
    kp_starts, kp_samples, cumulative = routes.kp_starts, routes.kp_samples, routes.cumulative
    attempts, width = tries
    n, length = attempts * width, kps.shape[1]
    trails, seen = np.empty((attempts, length), np.int32), np.empty((attempts, length), np.int32)
    state, alive = np.empty(attempts, np.uint64), np.empty(attempts, np.int64)
    own, through, to = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    places, begin, end = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    bits, worth = np.empty(n, np.uint64), np.empty(n, np.float64)
    for row in range(rows[0], rows[1]):
        trails[:] = NONE
        seen[:] = NONE
        for a in range(attempts):
            trails[a, 0] = starts[row]
            state[a] = stream(key, first + row, a)
        for step in range(1, length):
            used = 0
            for a in range(attempts):
                kp = trails[a, step - 1]
                if kp == NONE or kp_starts[kp] == kp_starts[kp + 1]:
                    continue
                low, high = kp_starts[kp], kp_starts[kp + 1]
                for c in range(width):
                    own[used * width + c] = kp
                    bits[used * width + c] = mixed(state[a] + GOLDEN * uint64(width + c + 1))
                    dice = mixed(state[a] + GOLDEN * uint64(c + 1))
                    places[used * width + c] = even_place(dice, low, high)
                if len(cumulative) > 0:
                    for c in range(width):
                        dice = mixed(state[a] + GOLDEN * uint64(c + 1))
                        places[used * width + c] = weighted_place(dice, low, high, cumulative)
                state[a] += GOLDEN * uint64(2 * width)
                alive[used] = a
                used += 1
            for i in range(used * width):
                through[i] = kp_samples[places[i]]
            for i in range(used * width):
                begin[i], end[i] = sample_starts[through[i]], sample_starts[through[i] + 1]
            for i in range(used * width):
                found = sample_kps[even_place(bits[i], begin[i], end[i] - 1)]
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
                    state[a] += GOLDEN
                    ball, i = unit(mixed(state[a])) * total, j * width
                    while worth[i] <= ball:
                        i += 1
                    trails[a, step], seen[a, step - 1] = to[i], through[i]
        best, means[row] = best_of(trails, log_value)
        kps[row] = trails[best]
        samples[row] = seen[best, : length - 1]


@njit(nogil=True, cache=True)
def walk_chain(
    routes: Any, target: AnyArray, alpha: float, key: Any, here: int, steps: int, visits: AnyArray
) -> Any:
    """Walk on from `here`, counting `visits` (n_kps,); returns where it ends and its moves."""
    sample_starts, sample_kps = routes.sample_starts, routes.sample_kps
    kp_starts, kp_samples, cumulative = routes.kp_starts, routes.kp_samples, routes.cumulative
    strength, prior = routes.strength, len(target)
    state, moves = stream(key, 0, 0), 0
    for _ in range(steps):
        state += GOLDEN
        low, high = kp_starts[here], kp_starts[here + 1]
        place = even_place(mixed(state), low, high)
        if len(cumulative) > 0:
            place = weighted_place(mixed(state), low, high, cumulative)
        begin, end = sample_starts[kp_samples[place]], sample_starts[kp_samples[place] + 1]
        state += GOLDEN
        found = sample_kps[even_place(mixed(state), begin, end - 1)]
        to = sample_kps[end - 1] if found == here else found
        state += GOLDEN
        if target[to] > 0:
            ahead = (visits[to] / target[to] + prior) / (visits[here] / target[here] + prior)
            odds = target[to] * strength[here] / (target[here] * strength[to]) * ahead**-alpha
            if unit(mixed(state)) < odds:
                here = to
                moves += 1
        visits[here] += 1
    return here, moves
