"""Which knowledge points stand in which samples, in compressed rows both ways.

An incidence takes 4 bytes each way: the KPs of a sample are one slice, the samples of a KP another.
KP-KP edges are never made, for a sample of d KPs would make d² of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from kdos.arrays import Float64Array, Int32Array, Int64Array, IntegerArray
from kdos.errors import UsageError

# KPs and samples are numbered in 4 bytes: 2.1e9 of each at most.
LARGEST_ID = np.iinfo(np.int32).max
# Between the steps of a KP that is given as a route, from root to leaf.
ROUTE_SEPARATOR = " > "
# The quantiles of the degrees that are shown.
SHOWN_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class Incidence:
    """KP-sample incidence; a KP stands in a sample once or not at all.

    The KPs of sample s are ``sample_kps[sample_starts[s]:sample_starts[s + 1]]``, ascending; the
    samples of KP k are ``kp_samples[kp_starts[k]:kp_starts[k + 1]]``, ascending. Shapes:
    `sample_starts` (n_samples + 1,), `kp_starts` (n_kps + 1,), the other two (n_incidences,).
    """

    sample_starts: Int64Array
    sample_kps: Int32Array
    kp_starts: Int64Array
    kp_samples: Int32Array

    @property
    def n_kps(self) -> int:
        """Knowledge points."""
        return len(self.kp_starts) - 1

    @property
    def n_samples(self) -> int:
        """Samples, those without a KP too."""
        return len(self.sample_starts) - 1

    @property
    def popularity(self) -> Int64Array:
        """Samples of each KP, shape (n_kps,)."""
        return np.diff(self.kp_starts)

    @property
    def sizes(self) -> Int64Array:
        """KPs of each sample, shape (n_samples,)."""
        return np.diff(self.sample_starts)


def incidence_from_lists(lists: Sequence[Sequence[int]], *, n_kps: int) -> Incidence:
    """The incidence of samples that are given by the ids of their KPs."""
    sizes = np.fromiter((len(kps) for kps in lists), np.int64, len(lists))
    kps = np.fromiter(chain.from_iterable(lists), np.int64, int(sizes.sum()))
    return build_incidence(kps, sizes, n_kps=n_kps)


def build_incidence(kps: IntegerArray, sizes: IntegerArray, *, n_kps: int) -> Incidence:
    """The incidence of samples laid end to end, `sizes` KPs each, shape (n_samples,).

    `kps` are ids in [0, n_kps), shape (sizes.sum(),); repeats in a sample count once. KPs without a sample count too.
    """
    if len(kps) and not 0 <= kps.min() <= kps.max() < n_kps:
        raise UsageError(
            f"KP ids must be in [0, {n_kps}). Got ids from {kps.min()} to {kps.max()}. "
            "Number the KPs from 0 and pass how many there are."
        )
    if max(len(sizes), n_kps) > LARGEST_ID:
        raise UsageError(
            f"KPs and samples must be {LARGEST_ID} at most, each. Got {n_kps} and {len(sizes)}. "
            "Build a graph for each shard."
        )
    # Repeats of a KP in a sample are summed away as booleans; the transpose (CSC) then lists the
    # samples of each KP, ascending, without a sort of our own.
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    held = (np.ones(len(kps), np.bool_), kps.astype(np.int32), offsets)
    rows = csr_array(held, shape=(len(sizes), n_kps))
    rows.sum_duplicates()
    columns = rows.tocsc()
    return Incidence(
        sample_starts=rows.indptr.astype(np.int64),
        sample_kps=rows.indices.astype(np.int32),
        kp_starts=columns.indptr.astype(np.int64),
        kp_samples=columns.indices.astype(np.int32),
    )


class IncidenceBuilder:
    """Takes Arrow list columns batch by batch; KPs are numbered as they first appear.

    Memory: 4 bytes an incidence, and each distinct KP text once. Only equal texts are one KP: KPs
    that say the same thing in other words have to be merged before.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._kps: list[Int32Array] = []
        self._sizes: list[Int64Array] = []

    def add(self, column: "pa.ListArray[Any]") -> None:
        """Add samples, one a row: a list of KP texts, or of routes (lists of texts) to KPs.

        A null row is a sample without KPs, and a null in a list is no KP.
        """
        column = pc.fill_null(column, pa.scalar([], column.type)) if column.null_count else column
        # `flatten` honours a slice's offset and `offsets` does not, hence the subtraction. Sizes
        # come from a running count of valid texts, so that nulls in a list do not count.
        items = _kp_texts(column.flatten())
        kept = items.is_valid().to_numpy(zero_copy_only=False)
        offsets = column.offsets.to_numpy() - column.offsets[0].as_py()
        self._sizes.append(np.diff(np.concatenate([[0], np.cumsum(kept)])[offsets]))
        # Only the distinct texts of a batch become Python strings.
        coded = items.drop_null().dictionary_encode()
        texts = cast("list[str]", coded.dictionary.to_pylist())
        known = [self._ids.setdefault(text, len(self._ids)) for text in texts]
        self._kps.append(np.array(known, np.int32)[coded.indices.to_numpy()])

    def build(self) -> tuple[Incidence, pa.LargeStringArray]:
        """The incidence of all samples so far, and the text of each KP, shape (n_kps,)."""
        kps = np.concatenate([*self._kps, np.zeros(0, np.int32)])
        sizes = np.concatenate([*self._sizes, np.zeros(0, np.int64)])
        names = pa.array(list(self._ids), pa.large_string())
        return build_incidence(kps, sizes, n_kps=len(names)), names


class Transitions(NamedTuple):
    """Where a walk can go: the incidence without the samples that link nothing.

    From KP k it goes to a sample of k that holds another KP, then to one of those, evenly. Among
    its samples it chooses evenly too, or by the weight of the samples: then `cumulative`, shape
    (n_links,), runs along `kp_samples` and sums the weights of each KP's samples from its first;
    without weights it is empty. The co-occurrence walk so made is reversible and its law is
    `strength`, shape (n_kps,): samples that link the KP, or the sum of their weights.
    """

    sample_starts: Int64Array
    sample_kps: Int32Array
    kp_starts: Int64Array
    kp_samples: Int32Array
    cumulative: Float64Array
    strength: Float64Array

    @property
    def n_kps(self) -> int:
        """Knowledge points, those without a link too."""
        return len(self.kp_starts) - 1


def build_transitions(graph: Incidence, *, weights: Float64Array | None = None) -> Transitions:
    """The routes of a graph; `weights` of the samples, shape (n_samples,), are finite and >= 0.

    Weights choose among the samples of a KP, as raking gives them; a sample of weight 0 is out.
    """
    linking = graph.sizes > 1
    if weights is not None:
        linking &= weights > 0
    kept = linking[graph.kp_samples]
    kp_starts = np.concatenate([[0], np.cumsum(kept)])[graph.kp_starts]
    kp_samples = graph.kp_samples[kept]
    cumulative, strength = np.zeros(0), np.diff(kp_starts).astype(np.float64)
    if weights is not None:
        # One running sum over everything, less what it was where the KP's samples begin.
        total = np.concatenate([[0.0], np.cumsum(weights[kp_samples])])
        cumulative = total[1:] - np.repeat(total[kp_starts[:-1]], np.diff(kp_starts))
        linked = strength > 0
        strength[linked] = cumulative[kp_starts[1:][linked] - 1]
    return Transitions(graph.sample_starts, graph.sample_kps, kp_starts, kp_samples, cumulative, strength)


def _kp_texts(items: "pa.Array[Any]") -> "pa.Array[Any]":
    if pa.types.is_list(items.type) or pa.types.is_large_list(items.type):
        items = cast("pa.Array[Any]", pc.binary_join(items, ROUTE_SEPARATOR))
    return items.cast(pa.large_string())


@dataclass(frozen=True, slots=True)
class GraphStructure:
    """What a graph looks like; shares are of its KPs, in [0, 1].

    `singletons` stand in one sample only. `isolated` share a sample with no other KP, so that no
    path of two can hold them: `coverage` is the share that linked paths can hold. `degrees` are
    samples of a KP and `sizes` KPs of a sample, at `SHOWN_QUANTILES`.
    """

    kps: int
    samples: int
    incidences: int
    empty_samples: int
    singletons: int
    isolated: int
    components: int
    largest_component: float
    coverage: float
    degrees: dict[str, float]
    sizes: dict[str, float]


def measure_structure(graph: Incidence) -> GraphStructure:
    """The structure of a graph, in counts of its KPs and samples."""
    popularity = graph.popularity
    members = np.bincount(component_labels(graph)) if graph.n_kps else np.zeros(0, np.int64)
    isolated = int((members == 1).sum())
    return GraphStructure(
        kps=graph.n_kps,
        samples=graph.n_samples,
        incidences=len(graph.sample_kps),
        empty_samples=int((graph.sizes == 0).sum()),
        singletons=int((popularity == 1).sum()),
        isolated=isolated,
        components=len(members),
        largest_component=float(members.max(initial=0) / max(graph.n_kps, 1)),
        coverage=1 - isolated / graph.n_kps if graph.n_kps else 0.0,
        degrees=_quantiles(popularity),
        sizes=_quantiles(graph.sizes),
    )


def component_labels(graph: Incidence) -> Int32Array:
    """The component of each KP, shape (n_kps,), numbered from 0 by their lowest KP."""
    # KPs and samples are the two sides of one bipartite graph: no KP-KP edge is needed.
    n = graph.n_kps + graph.n_samples
    starts = np.concatenate([graph.kp_starts, np.full(graph.n_samples, graph.kp_starts[-1])])
    to = graph.kp_samples.astype(np.int64) + graph.n_kps
    links = csr_array((np.ones(len(to), np.bool_), to, starts), shape=(n, n))
    labels = connected_components(links, directed=False)[1][: graph.n_kps]
    _, first, label = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[label].astype(np.int32)


def _quantiles(values: np.ndarray) -> dict[str, float]:
    found = np.quantile(values, SHOWN_QUANTILES).tolist() if len(values) else []
    return {f"{q:g}": value for q, value in zip(SHOWN_QUANTILES, found, strict=False)}
