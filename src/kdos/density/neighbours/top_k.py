"""Those of many numbers that are large enough, found eight at a time."""

import numpy as np
from numba import njit

from kdos.arrays import Float32Array, Int32Array, Int64Array, UInt8Array

WORD = 8
"""Candidates that are passed over together where none is near enough."""
GATHER = np.uint64(0x0102040810204080)
"""Times eight bytes that are 0 or 1, this has them side by side, as bits, in its highest byte."""
FIRST = np.array([0, *((bits & -bits).bit_length() - 1 for bits in range(1, 256))], np.uint64)
"""The place of the lowest bit of a byte."""
TRIES = 300
"""More than it takes to get from any number to any other, in steps each twice the last, and back by
halves: numbers that are not finite must not keep a search going."""
LEAST_STEP = np.float32(1e-30)


@njit(nogil=True, cache=True)
def choose(
    nearness: Float32Array,
    i: int,
    half_there: Float32Array,
    listed: Int32Array,
    offsets: Int64Array,
    cells: int,
    needed: int,
    guess: Float32Array,
    flags: UInt8Array,
    chosen: Int32Array,
    first: int,
) -> int:
    """Write down, from place `first` on, the cells whose centroids are nearest to a query, or all
    where these hold too few points; gives the place after them."""
    n_near = len(listed)
    for j in range(n_near):
        nearness[i, j] -= half_there[j]
    least = reached_by(nearness, i, n_near, cells, cells, guess, np.float32(0))
    for j in range(n_near):
        flags[j] = nearness[i, j] >= least
    last, held = first, 0
    words = flags.view(np.uint64)
    for word in range(filled_up(flags, n_near)):
        bits = bits_of(words[word])
        while bits:
            cell = listed[WORD * word + np.int64(FIRST[bits])]
            bits &= bits - np.uint64(1)
            chosen[last] = cell
            last += 1
            held += offsets[cell + 1] - offsets[cell]
    if held >= needed:
        return last
    chosen[first : first + n_near] = listed
    return first + n_near


@njit(nogil=True, cache=True)
def reached_by(
    values: Float32Array,
    i: int,
    n: int,
    wanted: int,
    most: int,
    guess: Float32Array,
    less: np.float32,
) -> np.float32:
    """A number that `wanted` to `most` of row i's first n reach; more where too many are the same.

    Minus infinity where n is no more than `wanted`. It is looked for from `guess` on: the number
    that was found last, without what it was `less`, and how far it is from one to the next.
    """
    low, high = np.float32(-np.inf), np.float32(np.inf)
    if n <= wanted:
        return low
    middle, step = guess[0] + less, guess[1]
    for _ in range(TRIES):
        reaching = np.int32(0)
        for j in range(n):
            reaching = np.int32(reaching + np.int32(values[i, j] >= middle))
        if reaching >= wanted:
            low = middle
        else:
            high = middle
        if wanted <= reaching <= most:
            break
        if high == np.inf:
            middle, step = low + step, step + step
        elif low == -np.inf:
            middle, step = high - step, step + step
        else:
            middle = np.float32(0.5) * low + np.float32(0.5) * high
            if not low < middle < high:
                break
    if low > -np.inf:
        apart = abs(low - less - guess[0])
        guess[0], guess[1] = low - less, max(np.float32(0.5) * (guess[1] + apart), LEAST_STEP)
    return low


@njit(nogil=True, cache=True)
def sift(
    found: Float32Array,
    taken: int,
    tile: int,
    own: int,
    those: Int32Array,
    half: Float32Array,
    guess: Float32Array,
    flags: UInt8Array,
    best: tuple[Float32Array, Int64Array],
    wanted: int,
) -> None:
    """Put the candidates of a tile among the best, nearest first, of the queries that ask for it.

    `found`, less `half`, is minus half the squared distance, the larger, the nearer, to as many
    points as are `taken`. `own` is where in the tile query 0 is itself. Unsigned places save a look
    at their sign.
    """
    nearness, chosen = best
    one = np.uint64(1)
    n_words, words = filled_up(flags, taken), flags.view(np.uint64)
    for at in range(len(those)):
        first = np.uint64(those[at]) * np.uint64(wanted)
        last = first + np.uint64(wanted - 1)
        least = nearness[last] + half[at]
        if least == -np.inf:
            most = wanted + wanted // 2
            least = reached_by(found, at, taken, wanted + 1, most, guess, half[at])
        for j in range(taken):
            flags[j] = found[at, j] >= least
        if 0 <= own + those[at] < taken:
            flags[own + those[at]] = 0
        for word in range(n_words):
            if words[word] == 0:
                continue
            bits = bits_of(words[word])
            while bits:
                j = np.uint64(WORD * word) + FIRST[bits]
                bits &= bits - one
                value, place = found[at, j] - half[at], last
                if value <= nearness[last]:
                    continue
                while place > first and nearness[place - one] < value:
                    nearness[place], chosen[place] = nearness[place - one], chosen[place - one]
                    place -= one
                nearness[place], chosen[place] = value, tile + np.int64(j)


@njit(nogil=True, cache=True)
def filled_up(flags: UInt8Array, n: int) -> int:
    """Clear what follows n flags in the last of their words; gives how many words there are."""
    n_words = (n + WORD - 1) // WORD
    for j in range(n, n_words * WORD):
        flags[j] = 0
    return n_words


@njit(nogil=True, cache=True)
def bits_of(word: np.uint64) -> np.uint64:
    """The eight flags of a word as bits, the first one lowest."""
    return (word * GATHER) >> np.uint64(56)
