"""Short paths that bring exposures to their target, and the long chain whose law is known.

A path is k0 -s1- k1 -s2- k2 ...: from KP to KP, each link named by a sample that holds both. The samples are the
linked seeds that LinkSyn writes from; how it samples its paths is not public, and what stands here is our design.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdos.arrays import Float64Array, Int32Array, Int64Array, IntegerArray
from kdos.chance import key_bits, keyed_generator
from kdos.errors import UsageError
from kdos.graph.incidence import Incidence, Transitions
from kdos.graph.kernel import walk_long_chain, walk_many_paths
from kdos.graph.value import StartSampler, log_exposure_ratio, log_values, step_weights
from kdos.threads import run_in_spans

# Visits in a batch: a tenth of all KPs, or a hundredth of the visits so far where that is more (for
# graphs that are small beside the walk). Values are brought up to date between batches only, so
# within one no path sees what the others do: larger batches are faster and crowd hubs more.
BATCH_VISIT_SHARE = 0.1
BATCH_HISTORY_SHARE = 0.01
# Paths that are walked on this thread: to share out so few takes longer than to walk them. A second
# thread does not pay on graphs of a thousand KPs.
MOST_SERIAL_PATHS = 256
# Bits of a key of the compiled walks.
KEY_BITS = 64


@dataclass(frozen=True, slots=True)
class WalkRules:
    """How paths are drawn (our design; the defaults by measurement, docs/graph.md).

    `alpha` is the force of the value function; `candidates` are drawn for each step and one is kept
    in proportion to its value; of `attempts` at a path the longest stays, and among those the one
    of the highest value. A KP that is more than `most_ahead` times ahead of its target is not gone
    to: a path ends rather than crowd a hub. At 3, the lowest that never bars a KP for one visit, a
    star of leaves around a hub keeps most of its links. `PLAIN_WALK` is the co-occurrence walk.
    """

    alpha: float = 4.0
    candidates: int = 4
    attempts: int = 4
    most_ahead: float = 3.0

    def __post_init__(self) -> None:
        if self.alpha < 0 or min(self.candidates, self.attempts, self.most_ahead) < 1:
            raise UsageError(
                "`alpha` must be >= 0; `candidates`, `attempts` and `most_ahead` at least 1. "
                f"Got {self.alpha:g}; {self.candidates}, {self.attempts} and {self.most_ahead:g}."
            )


PLAIN_WALK = WalkRules(alpha=0.0, candidates=1, attempts=1, most_ahead=np.inf)
"""The plain co-occurrence walk: popular KPs in proportion to their popularity."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths, a row each; -1 after the end of one that found no way on.

    `kps` has shape (n_paths, length), `samples` (n_paths, length - 1): sample i holds KPs i and
    i + 1. No KP and no sample stands twice in a path. `value`, shape (n_paths,), is the mean log
    value (nats) of the path's KPs at the time it was drawn.
    """

    kps: Int32Array
    samples: Int32Array
    value: Float64Array

    def visits(self, n_kps: int) -> Int64Array:
        """How often each KP is visited, shape (n_kps,)."""
        return np.bincount(self.kps[self.kps >= 0], minlength=n_kps)


@dataclass(frozen=True, slots=True)
class LinkedSeeds:
    """What one call of synthesis starts from: the KPs of a path and the samples that link them."""

    kps: tuple[int, ...]
    samples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ChainVisits:
    """A long walk: `visits` of each KP, shape (n_kps,), its `end`, and how often it moved."""

    visits: Int64Array
    end: int
    moves: int


def sample_paths(
    transitions: Transitions,
    target: Float64Array,
    *,
    count: int,
    length: int,
    random_seed: int,
    first: int = 0,
    exposures: npt.ArrayLike | None = None,
    strata: IntegerArray | None = None,
    starts: Int32Array | None = None,
    rules: WalkRules | None = None,
) -> Paths:
    """Paths that bring exposures to their target.

    A path starts where most is lacking, and starts are kept back so that ``visits(k) >= floor(count * target_k)`` on
    any graph. Each step draws candidates from the co-occurrence walk and keeps one by its value; values change from
    batch to batch. The paths are the same for any number of threads.

    Args:
        transitions: Where a walk can go.
        target: mu, shares, shape (n_kps,).
        count: Paths wanted.
        length: KPs in a path, at least 1.
        random_seed: With the number of a path it keys all its chance.
        first: The number of the first path: where an earlier call with this seed ended.
        exposures: How often each KP has been seen before, shape (n_kps,); never by default.
        strata: A discipline for each KP, shape (n_kps,), numbered from 0: each starts its share of the paths exactly,
            ``count * target(stratum)`` up to the next whole number.
        starts: Where each path starts, shape (count,); drawn as above by default. Given starts leave the quotas of
            visits to chance.
        rules: How paths are drawn.
    """
    _check_arguments(transitions, target, count=count, length=length)
    rules, key = rules or WalkRules(), _walk_key(random_seed, "paths")
    seen = np.zeros(transitions.n_kps) if exposures is None else np.array(exposures, np.float64)
    sampler = StartSampler(target, count, strata=strata)
    kps, samples = np.empty((count, length), np.int32), np.empty((count, length - 1), np.int32)
    paths = Paths(kps, samples, np.empty(count))
    # Starts and values are made for a batch from all visits before it; `first` numbers the paths,
    # so that the same call cut in two gives other batches but never the same chance twice.
    for batch in _batch_slices(seen, count, length):
        size, number = batch.stop - batch.start, first + batch.start
        visits = float(seen.sum()) + size * length
        if starts is None:
            rng = keyed_generator(random_seed, "graph", "starts", number)
            begun = sampler.draw_starts(visits * target - seen, size, rng)
        else:
            begun = starts[batch]
        ahead = log_exposure_ratio(seen, target, visits=visits)
        log_value = log_values(ahead, target, alpha=rules.alpha)
        weights = step_weights(log_value, ahead, most_ahead=rules.most_ahead)
        part = Paths(paths.kps[batch], paths.samples[batch], paths.value[batch])
        _walk_batch(part, begun, transitions, weights, log_value, rules, key=key, first=number)
        visited = part.visits(transitions.n_kps)
        sampler.record_visits(visited)
        seen += visited
    return paths


def linked_seeds(paths: Paths, graph: Incidence) -> list[LinkedSeeds]:
    """What synthesis starts from, path by path.

    A path of one KP, which nothing links, comes with one of that KP's own samples.
    """
    rows = zip(_unpadded_rows(paths.kps), _unpadded_rows(paths.samples), strict=True)
    return [
        LinkedSeeds(kps, samples or _sample_of_lone_kp(kps[0], graph, turn))
        for turn, (kps, samples) in enumerate(rows)
    ]


def long_chain(
    transitions: Transitions, target: Float64Array, *, steps: int, start: int, alpha: float, random_seed: int
) -> ChainVisits:
    """One self-repellent walk whose visits come to the target, for every alpha >= 0.

    Metropolis-Hastings on the co-occurrence walk towards mu_k * (x_k / mu_k)^-alpha, x the visits
    so far (the history-driven target of Hu, Ma and Eun, 2025): its variance falls with alpha, and
    alpha = 0 is plain Metropolis-Hastings. x begins at n_kps visits, spread as the target, so that
    no ratio is 0. It is met over the KPs that have a target and that `start` hangs together with.
    """
    _check_arguments(transitions, target, count=steps, length=1)
    inside = 0 <= start < transitions.n_kps
    if not (inside and transitions.strength[start] > 0 and target[start] > 0):
        raise UsageError(f"`start` must be a KP with a target that shares a sample with another KP. Got {start}.")
    visits = np.zeros(transitions.n_kps, np.int64)
    key = _walk_key(random_seed, "chain")
    end, moves = walk_long_chain(transitions, target, float(alpha), key, start, steps, visits)
    return ChainVisits(visits, int(end), int(moves))


def _walk_batch(
    part: Paths,
    starts: Int32Array,
    transitions: Transitions,
    weights: Float64Array,
    log_value: Float64Array,
    rules: WalkRules,
    *,
    key: np.uint64,
    first: int,
) -> None:
    tries = (rules.attempts, rules.candidates)

    def work(low: int, high: int) -> None:
        walk_many_paths(
            transitions, weights, log_value, starts, key, (low, high), first, tries,
            part.kps, part.samples, part.value,
        )  # fmt: skip

    if len(starts) <= MOST_SERIAL_PATHS:
        work(0, len(starts))
    else:
        run_in_spans(work, np.ones(len(starts)))


def _walk_key(random_seed: int, name: str) -> np.uint64:
    return np.uint64(key_bits(random_seed, "graph", name) % 2**KEY_BITS)


def _batch_slices(seen: Float64Array, count: int, length: int) -> Iterator[slice]:
    """Rows of one batch after the other; reads what has been `seen` by the time of each."""
    done = 0
    while done < count:
        visits = max(BATCH_VISIT_SHARE * len(seen), BATCH_HISTORY_SHARE * float(seen.sum()))
        size = min(max(int(visits / length), 1), count - done)
        yield slice(done, done + size)
        done += size


def _unpadded_rows(ids: Int32Array) -> list[tuple[int, ...]]:
    return [tuple(one for one in row if one >= 0) for row in ids.tolist()]


def _sample_of_lone_kp(kp: int, graph: Incidence, turn: int) -> tuple[int, ...]:
    own = graph.kp_samples[graph.kp_starts[kp] : graph.kp_starts[kp + 1]]
    return (int(own[turn % len(own)]),) if len(own) else ()


def _check_arguments(transitions: Transitions, target: Float64Array, *, count: int, length: int) -> None:
    if len(target) != transitions.n_kps or not np.isclose(target.sum(), 1.0) or target.min() < 0:
        raise UsageError(
            f"the target must be shares of the graph's {transitions.n_kps} KPs. "
            f"Got {len(target)} numbers that sum to {target.sum():g}. Use as_target."
        )
    if count < 0 or length < 1:
        raise UsageError(f"`count` must be at least 0 and `length` at least 1. Got {count} and {length}.")
