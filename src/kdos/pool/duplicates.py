"""Near-duplicates of short texts: banded MinHash over rare character 4-grams, each pair verified.

Templated questions share most of their 4-grams, so signatures are made of the rare ones only, and a candidate pair
counts only when the Jaccard similarity of *all* its 4-grams says so and both texts hold the same numbers (our design;
MinHash after Broder 1997). A year or a volume number is one word of many, yet it makes another question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from kdos.arrays import Float32Array, Int64Array, UInt8Array, UInt32Array, UInt64Array
from kdos.errors import UsageError
from kdos.threads import run_in_spans

# Jaccard similarity of 4-grams from which two texts are near-duplicates. Of 35,087 questions of public benchmarks 593
# are called so at 0.7, many of which ask the same of another entity; at 0.9 five pairs are left.
NEAR_DUPLICATE_JACCARD = 0.7
GRAM_LENGTH = 4
# Two texts are compared when all hashes of any one band agree. With Jaccard similarity J of what is hashed that
# happens with probability 1 - (1 - J^3)^24: 0.99996 at 0.7, 0.48 at 0.3. 32 bands found 98.5 % of the edits in 21.8 s
# of processor time where 24 found 98.9 %, looking further back, in 19.3 (10^6 questions from ten templates).
BANDS, HASHES_PER_BAND = 24, 3
# 4-grams in more than this share of the texts take no part in the signatures: questions from one
# template share most of theirs, and would all be candidates of one another.
RARE_SHARE = 0.02
# Counters that 4-grams are counted in; a collision makes a rare 4-gram look common, no more.
SKETCH_COUNTERS = 2**22
# Texts, evenly spread, that tell how common a 4-gram is.
COUNTED_TEXTS = 131_072
# Earlier texts of the same band that a text is compared with at most. 64 found 97.9 % of the edits
# in 18.4 s, 256 98.9 % in 19.3 (the same questions).
COMPARED_PER_BAND = 256

# Verified pairs: the later row, the earlier row, their similarity.
_Pairs: TypeAlias = tuple[Int64Array, Int64Array, Float32Array]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """`copy_of`, shape (n,), is the earlier row that each row repeats, or the row itself.

    `similarity`, shape (n,), is the Jaccard similarity to that row, 1 for a row that is kept. A row
    that another repeats is always kept itself.
    """

    copy_of: Int64Array
    similarity: Float32Array

    @property
    def kept_rows(self) -> Int64Array:
        """The rows that repeat no earlier one, ascending."""
        return np.flatnonzero(self.copy_of == np.arange(len(self.copy_of)))


def find_near_duplicates(
    texts: "Sequence[str] | pa.Array[pa.LargeStringScalar]",
    *,
    similar: float = NEAR_DUPLICATE_JACCARD,
    random_seed: int = 0,
) -> Duplicates:
    """Which texts repeat an earlier one nearly word for word; the first of them stays.

    Case, width and punctuation do not count. Texts with different numbers are different, and a text
    without a letter or digit repeats nothing. `similar` is a share in (0, 1].
    """
    pairs = _compare_texts(texts, similar, random_seed)
    copy_of = np.arange(len(texts))
    similarity = np.ones(len(texts), np.float32)
    _keep_first_of_each(*pairs, copy_of, similarity)
    return Duplicates(copy_of, similarity)


def find_similar_pairs(
    texts: Sequence[str], *, similar: float = NEAR_DUPLICATE_JACCARD, random_seed: int = 0
) -> tuple[Int64Array, Int64Array]:
    """Every pair of near-duplicates that is found, whichever of them would stay: the later rows, the earlier rows.

    Of more than `COMPARED_PER_BAND` texts alike, each is paired with some of them.
    """
    return _compare_texts(texts, similar, random_seed)[:2]


def _compare_texts(
    texts: "Sequence[str] | pa.Array[pa.LargeStringScalar]", similar: float, random_seed: int
) -> _Pairs:
    if not 0 < similar <= 1:
        raise UsageError(f"`similar` must be in (0, 1]. Got {similar}. Give 0.7 or more.")
    data, offsets = _fold_texts(texts)
    grams, bounds = _build_gram_sets(data, offsets)
    keys = _compute_band_keys(grams, bounds, random_seed)
    return _find_similar_pairs(keys, _compute_number_keys(data, offsets), grams, bounds, similar)


def _fold_texts(texts: "Sequence[str] | pa.Array[pa.LargeStringScalar]") -> tuple[UInt8Array, Int64Array]:
    """The texts in NFKC and lower case: their UTF-8, one after the other, and where each begins."""
    column = pa.array(texts, pa.large_string()) if not isinstance(texts, pa.Array) else texts
    plain = pc.call_function("utf8_normalize", [column.cast(pa.large_string())], pc.Utf8NormalizeOptions("NFKC"))
    column = pc.utf8_lower(plain)
    _, offsets, data = column.buffers()
    span = slice(column.offset, column.offset + len(column) + 1)
    begins = np.frombuffer(offsets, np.int64)[span] if offsets else np.zeros(1, np.int64)
    return np.frombuffer(data or b"", np.uint8), begins


def _build_gram_sets(data: UInt8Array, offsets: Int64Array) -> tuple[UInt32Array, Int64Array]:
    """The set of hashed 4-grams of each text, sorted; set i is `grams[bounds[i]:bounds[i + 1]]`."""
    room = np.concatenate([[0], np.cumsum(np.diff(offsets) + 2)])
    # As many places as a text can have letters at most; the gaps are closed when sizes are known.
    grams = np.empty(room[-1], np.uint32)
    sizes = np.zeros(len(offsets) - 1, np.int64)
    run_in_spans(lambda start, end: _fill_gram_sets(start, end, data, offsets, room, grams, sizes), np.diff(room))
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    _close_gaps(grams, room, sizes)
    return grams[: bounds[-1]], bounds


def _compute_band_keys(grams: UInt32Array, bounds: Int64Array, random_seed: int) -> UInt64Array:
    """One key a band for each text, shape (n, BANDS): equal where all hashes of the band are."""
    n = len(bounds) - 1
    step = max(1, n // COUNTED_TEXTS)
    common = np.zeros(SKETCH_COUNTERS, np.uint32)
    _count_grams(grams, bounds, step, common)
    most = max(COMPARED_PER_BAND, int(RARE_SHARE * (n // step)))
    # Each hash is h(x) = a x + b mod 2^32 with a odd, a permutation of the 4-grams' own hashes. The
    # least h over a set stands for it: two sets agree in it with probability J (Broder 1997).
    rng = np.random.Generator(np.random.Philox(random_seed))
    n_hashes = BANDS * HASHES_PER_BAND
    odd = rng.integers(0, 2**31, n_hashes).astype(np.uint32) * np.uint32(2) + np.uint32(1)
    shift = rng.integers(0, 2**32, n_hashes).astype(np.uint32)
    keys = np.empty((n, BANDS), np.uint64)
    run_in_spans(
        lambda start, end: _fill_band_keys(start, end, grams, bounds, common, most, odd, shift, keys),
        np.diff(bounds) + 1,
    )
    return keys


def _compute_number_keys(data: UInt8Array, offsets: Int64Array) -> UInt64Array:
    """A key for each text, shape (n,), equal where the same numbers stand in the same order."""
    keys = np.empty(len(offsets) - 1, np.uint64)
    run_in_spans(lambda start, end: _fill_number_keys(start, end, data, offsets, keys), np.diff(offsets) + 1)
    return keys


def _find_similar_pairs(
    keys: UInt64Array, numbers: UInt64Array, grams: UInt32Array, bounds: Int64Array, similar: float
) -> _Pairs:
    found: list[_Pairs] = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0, np.float32))] * BANDS

    def work(start: int, end: int) -> None:
        for band in range(start, end):
            column = np.ascontiguousarray(keys[:, band])
            order = np.argsort(column, kind="stable")
            found[band] = _similar_pairs_of_band(order, column, keys, numbers, band, grams, bounds, similar)

    run_in_spans(work, np.ones(BANDS))
    later, earlier, share = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((earlier, later))
    return later[order], earlier[order], share[order]


@njit(nogil=True, cache=True)
def _fill_gram_sets(
    start: int,
    end: int,
    data: UInt8Array,
    offsets: Int64Array,
    room: Int64Array,
    grams: UInt32Array,
    sizes: Int64Array,
) -> None:
    longest = 1
    for text in range(start, end):
        longest = max(longest, offsets[text + 1] - offsets[text] + 2)
    letters = np.empty(longest, np.uint32)
    for text in range(start, end):
        count = _decode_letters(data, offsets[text], offsets[text + 1], letters)
        if count == 0:
            continue
        held = max(1, count - GRAM_LENGTH + 1)
        window = grams[room[text] : room[text] + held]
        for gram in range(held):
            # From the offset of FNV-1a on; its multiplier is 2^32 over the golden ratio.
            state = np.uint32(2166136261)
            for letter in range(gram, min(gram + GRAM_LENGTH, count)):
                state = np.uint32((state ^ letters[letter]) * np.uint32(0x9E3779B1))
                state = np.uint32(state ^ (state >> np.uint32(15)))
            window[gram] = state
        # Sorted and without repeats, so that two sets are compared in one pass over both.
        window.sort()
        distinct = 1
        for gram in range(1, held):
            if window[gram] != window[gram - 1]:
                window[distinct] = window[gram]
                distinct += 1
        sizes[text] = distinct


@njit(nogil=True, cache=True)
def _fill_number_keys(start: int, end: int, data: UInt8Array, offsets: Int64Array, keys: UInt64Array) -> None:
    for text in range(start, end):
        state = np.uint64(0)
        inside = False
        for at in range(offsets[text], offsets[text + 1]):
            digit = 48 <= data[at] <= 57
            if digit or inside:  # the byte after a number ends it, whatever it is
                mark = np.uint64(data[at]) if digit else np.uint64(1)
                state = (state ^ mark) * np.uint64(0x9E3779B97F4A7C15)
                state ^= state >> np.uint64(32)
            inside = digit
        if inside:
            state = (state ^ np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
            state ^= state >> np.uint64(32)
        keys[text] = state


@njit(nogil=True, cache=True)
def _decode_letters(data: UInt8Array, start: int, end: int, letters: UInt32Array) -> int:
    """Decode UTF-8 into code points; runs of punctuation and white space become one space."""
    count = 0
    at = start
    while at < end:
        lead = np.uint32(data[at])
        size = 1 + (lead >= 0xC0) + (lead >= 0xE0) + (lead >= 0xF0)
        point = lead if size == 1 else lead & np.uint32(0x7F >> size)
        for tail in range(at + 1, min(at + size, end)):
            point = (point << np.uint32(6)) | (np.uint32(data[tail]) & np.uint32(0x3F))
        at += size
        mark = 0x2000 <= point <= 0x206F or 0x3000 <= point <= 0x303F
        if (point >= 128 and not mark) or 48 <= point <= 57 or 97 <= point <= 122:
            letters[count] = point
            count += 1
        elif count > 0 and letters[count - 1] != 32:
            letters[count] = 32
            count += 1
    if count > 0 and letters[count - 1] == 32:
        count -= 1
    return count


@njit(nogil=True, cache=True)
def _close_gaps(grams: UInt32Array, room: Int64Array, sizes: Int64Array) -> None:
    """Move the sets together so that each begins where the last one ends."""
    filled = 0
    for text in range(len(sizes)):
        for gram in range(sizes[text]):
            grams[filled + gram] = grams[room[text] + gram]
        filled += sizes[text]


@njit(nogil=True, cache=True)
def _count_grams(grams: UInt32Array, bounds: Int64Array, step: int, common: UInt32Array) -> None:
    for text in range(0, len(bounds) - 1, step):
        for gram in range(bounds[text], bounds[text + 1]):
            common[grams[gram] & np.uint32(SKETCH_COUNTERS - 1)] += np.uint32(1)


@njit(nogil=True, cache=True)
def _fill_band_keys(
    start: int,
    end: int,
    grams: UInt32Array,
    bounds: Int64Array,
    common: UInt32Array,
    most: int,
    odd: UInt32Array,
    shift: UInt32Array,
    keys: UInt64Array,
) -> None:
    least = np.empty(BANDS * HASHES_PER_BAND, np.uint32)
    for text in range(start, end):
        least[:] = 0xFFFFFFFF
        rare = 0
        for gram in range(bounds[text], bounds[text + 1]):
            rare += common[grams[gram] & np.uint32(SKETCH_COUNTERS - 1)] <= most
        for gram in range(bounds[text], bounds[text + 1]):
            value = grams[gram]
            # A text of common 4-grams alone is signed by all of them.
            if rare == 0 or common[value & np.uint32(SKETCH_COUNTERS - 1)] <= most:
                for place in range(BANDS * HASHES_PER_BAND):
                    mixed = np.uint32(value * odd[place] + shift[place])
                    least[place] = min(least[place], mixed)
        for band in range(BANDS):
            key = np.uint64(band)
            for place in range(band * HASHES_PER_BAND, (band + 1) * HASHES_PER_BAND):
                key = (key ^ np.uint64(least[place])) * np.uint64(0x9E3779B97F4A7C15)
                key ^= key >> np.uint64(32)
            keys[text, band] = key


@njit(nogil=True, cache=True)
def _similar_pairs_of_band(
    order: Int64Array,
    column: UInt64Array,
    keys: UInt64Array,
    numbers: UInt64Array,
    band: int,
    grams: UInt32Array,
    bounds: Int64Array,
    similar: float,
) -> _Pairs:
    """The similar pairs whose first common band is this one."""
    room = 1024
    later, earlier = np.empty(room, np.int64), np.empty(room, np.int64)
    share = np.empty(room, np.float32)
    count = run = 0
    for at in range(1, len(order)):
        row = order[at]
        if column[row] != column[order[at - 1]]:
            run = at
        for before in range(max(run, at - COMPARED_PER_BAND), at):
            other = order[before]
            # A pair that met in an earlier band was verified there.
            if numbers[row] != numbers[other] or _share_earlier_band(keys, row, other, band):
                continue
            found = _jaccard_similarity(grams, bounds, row, other, similar)
            if found < similar:
                continue
            if count == room:
                room *= 2
                later = np.concatenate((later, later))
                earlier = np.concatenate((earlier, earlier))
                share = np.concatenate((share, share))
            later[count], earlier[count], share[count] = row, other, found
            count += 1
    return later[:count], earlier[:count], share[:count]


@njit(nogil=True, cache=True)
def _share_earlier_band(keys: UInt64Array, row: int, other: int, band: int) -> bool:
    met = False
    for place in range(band):
        met |= keys[row, place] == keys[other, place]
    return met


@njit(nogil=True, cache=True)
def _jaccard_similarity(grams: UInt32Array, bounds: Int64Array, left: int, right: int, similar: float) -> float:
    """The Jaccard similarity of two sets; 0 as soon as it cannot reach `similar`."""
    i, j = bounds[left], bounds[right]
    end_i, end_j = bounds[left + 1], bounds[right + 1]
    both = (end_i - i) + (end_j - j)
    # J >= s means at least s (a + b) / (1 + s) shared; so many may be missed, and no more.
    spare = both - 2 * (similar * both / (1 + similar)) + 1e-9
    shared = 0
    missed = 0
    if both == 0:
        return 0.0
    while i < end_i and j < end_j:
        a, b = grams[i], grams[j]
        if a == b:
            shared += 1
        else:
            missed += 1
            if missed > spare:
                return 0.0
        i += a <= b
        j += b <= a
    return shared / (both - shared)


@njit(nogil=True, cache=True)
def _keep_first_of_each(
    later: Int64Array, earlier: Int64Array, share: Float32Array, copy_of: Int64Array, similarity: Float32Array
) -> None:
    """A row repeats the most similar of the earlier rows that are kept; the first among equals."""
    for pair in range(len(later)):
        row, other = later[pair], earlier[pair]
        if copy_of[other] != other:  # a copy speaks for nobody: no chains
            continue
        if copy_of[row] == row or share[pair] > similarity[row]:
            copy_of[row], similarity[row] = other, share[pair]
