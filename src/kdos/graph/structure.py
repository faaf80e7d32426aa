"""How well a graph hangs together: whether walks have anywhere to go."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from kdos.arrays import Int32Array
from kdos.graph.incidence import Incidence

SHOWN_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
"""The quantiles of the degrees that are shown."""


@dataclass(frozen=True, slots=True)
class GraphStructure:
    """What a graph looks like; shares are of its KPs, in [0, 1].

    `singletons` stand in one sample only. `isolated` share a sample with no other KP, so that no
    path of two can hold them: `coverage` is the share that linked paths can hold. `degrees` are
    samples of a KP and `sizes` KPs of a sample, at QUANTILES.
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
    """Measure a graph."""
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
    n = graph.n_kps + graph.n_samples
    starts = np.concatenate([graph.kp_starts, np.full(graph.n_samples, graph.kp_starts[-1])])
    to = graph.kp_samples.astype(np.int64) + graph.n_kps
    links = csr_array((np.ones(len(to), np.bool_), to, starts), shape=(n, n))
    labels = connected_components(links, directed=False)[1][: graph.n_kps]
    _, first, label = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[label].astype(np.int32)


def _quantiles(values: np.ndarray) -> dict[str, float]:
    if not len(values):
        return {}
    return {
        f"{q:g}": float(v)
        for q, v in zip(SHOWN_QUANTILES, np.quantile(values, SHOWN_QUANTILES), strict=True)
    }
