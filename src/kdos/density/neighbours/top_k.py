"""Those of many numbers that are large enough, found eight at a time.

Nearly all candidates of a tile are too far away. So a first pass, which compiles to vector instructions, only writes a
flag for each, 0 or 1; a second one looks at eight flags at once and goes into a word only where one of them is set.
"""

import numpy as np
from numba import njit

from kdos.arrays import Float32Array, Int32Array, Int64Array, UInt8Array

# Flags that are looked at together: the bytes of a 64-bit word.
FLAGS_PER_WORD = 8
# Times eight bytes that are 0 or 1, this has them side by side, as bits, in its highest byte.
PACK_MULTIPLIER = np.uint64(0x0102040810204080)
# The place of the lowest bit of a byte.
LOWEST_BIT = np.array([0, *((bits & -bits).bit_length() - 1 for bits in range(1, 256))], np.uint64)
# More than it takes to get from any number to any other, in steps each twice the last, and back by
# halves: numbers that are not finite must not keep a search going.
MAX_THRESHOLD_STEPS = 300
SMALLEST_STEP = np.float32(1e-30)


@njit(nogil=True, cache=True)
def choose_cells(
    scores: Float32Array,
    i: int,
    half_squares: Float32Array,
    listed: Int32Array,
    offsets: Int64Array,
    n_wanted: int,
    n_needed: int,
    guess: Float32Array,
    flags: UInt8Array,
    chosen: Int32Array,
    first: int,
) -> int:
    """Write the `n_wanted` cells whose centroids are nearest to a query into `chosen`, from `first`
    on, or all listed ones where these hold fewer than `n_needed` points; gives the place after.

    Row i of `scores` is the query times each centroid, `half_squares` half of the centroids'
    squares. Rules other than a fixed number (as many as hold 1,900 points, those within a distance)
    are no better: 0.9182 to 0.94524 in rank correlation for as many candidates, a fixed 0.94523.
    """
    # Centroids are ranked as points are, by x·c - |c|²/2; the listed ones all lie near the query.
    n_listed = len(listed)
    for j in range(n_listed):
        scores[i, j] -= half_squares[j]
    least = find_threshold(scores, i, n_listed, n_wanted, n_wanted, guess, np.float32(0))
    for j in range(n_listed):
        flags[j] = scores[i, j] >= least
    last, n_points = first, 0
    words = flags.view(np.uint64)
    for word in range(_clear_padding(flags, n_listed)):
        bits = _pack_flags(words[word])
        while bits:
            cell = listed[FLAGS_PER_WORD * word + np.int64(LOWEST_BIT[bits])]
            bits &= bits - np.uint64(1)
            chosen[last] = cell
            last += 1
            n_points += offsets[cell + 1] - offsets[cell]
    if n_points >= n_needed:
        return last
    chosen[first : first + n_listed] = listed
    return first + n_listed


@njit(nogil=True, cache=True)
def find_threshold(
    values: Float32Array, i: int, n: int, n_wanted: int, most: int, guess: Float32Array, shift: np.float32
) -> np.float32:
    """A number that `n_wanted` to `most` of row i's first n reach; more where too many are equal.

    Minus infinity where n is no more than `n_wanted`. The search begins where the last one ended,
    in `guess`: the number that was found, less its `shift`, and how far it was from the one before.
    That takes 0.3 µs where halving between the minimum and the maximum took 1.4, 0.8 of them for
    these two, which numba does not vectorise.
    """
    # Invariant: at least `n_wanted` reach `low`, fewer reach `high`.
    low, high = np.float32(-np.inf), np.float32(np.inf)
    if n <= n_wanted:
        return low
    middle, step = guess[0] + shift, guess[1]
    for _ in range(MAX_THRESHOLD_STEPS):
        reaching = np.int32(0)
        for j in range(n):
            reaching = np.int32(reaching + np.int32(values[i, j] >= middle))
        if reaching >= n_wanted:
            low = middle
        else:
            high = middle
        if n_wanted <= reaching <= most:
            break
        # Double the step until the number is bracketed, then halve the bracket.
        if high == np.inf:
            middle, step = low + step, step + step
        elif low == -np.inf:
            middle, step = high - step, step + step
        else:
            middle = np.float32(0.5) * low + np.float32(0.5) * high
            if not low < middle < high:
                break
    if low > -np.inf:
        apart = abs(low - shift - guess[0])
        guess[0], guess[1] = low - shift, max(np.float32(0.5) * (guess[1] + apart), SMALLEST_STEP)
    return low


@njit(nogil=True, cache=True)
def merge_into_top_k(
    products: Float32Array,
    width: int,
    tile: int,
    own_place: int,
    asking: Int32Array,
    half: Float32Array,
    guess: Float32Array,
    flags: UInt8Array,
    best: tuple[Float32Array, Int64Array],
    n_best: int,
) -> None:
    """Put the points of a tile among the `n_best` best of the queries that ask for it.

    Row a of `products` belongs to query `asking[a]`; less `half[a]` it is minus half the squared
    distance to each of the tile's `width` points. `best` is what query q has so far, nearest first,
    from q * n_best on: minus half squares, and places. Query 0 is itself at `own_place` in the
    tile, if anywhere. Products are looked at while they are in the nearest cache: sorting in at
    once takes 3.6 to 4.3 µs a query, keeping all for one pass at the end 5 to 7.
    """
    nearness, places = best
    one = np.uint64(1)
    n_words, words = _clear_padding(flags, width), flags.view(np.uint64)
    for at in range(len(asking)):
        first = np.uint64(asking[at]) * np.uint64(n_best)
        last = first + np.uint64(n_best - 1)
        least = nearness[last] + half[at]
        if least == -np.inf:  # still room: a bar that lets about as many in as are wanted
            most = n_best + n_best // 2
            least = find_threshold(products, at, width, n_best + 1, most, guess, half[at])
        # Compared as products, before `half` is taken off each: one operation less for most.
        for j in range(width):
            flags[j] = products[at, j] >= least
        if 0 <= own_place + asking[at] < width:
            flags[own_place + asking[at]] = 0
        for word in range(n_words):
            if words[word] == 0:
                continue
            bits = _pack_flags(words[word])
            while bits:
                j = np.uint64(FLAGS_PER_WORD * word) + LOWEST_BIT[bits]
                bits &= bits - one
                value, place = products[at, j] - half[at], last
                if value <= nearness[last]:
                    continue
                while place > first and nearness[place - one] < value:
                    nearness[place], places[place] = nearness[place - one], places[place - one]
                    place -= one
                nearness[place], places[place] = value, tile + np.int64(j)


@njit(nogil=True, cache=True)
def _clear_padding(flags: UInt8Array, n: int) -> int:
    """Clear what follows n flags in the last of their words; gives how many words there are."""
    n_words = (n + FLAGS_PER_WORD - 1) // FLAGS_PER_WORD
    for j in range(n, n_words * FLAGS_PER_WORD):
        flags[j] = 0
    return n_words


@njit(nogil=True, cache=True)
def _pack_flags(word: np.uint64) -> np.uint64:
    """The eight flags of a word as bits, the first one lowest."""
    return (word * PACK_MULTIPLIER) >> np.uint64(56)
