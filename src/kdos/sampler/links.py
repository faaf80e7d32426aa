"""Which knowledge points, seeds, passages, documents and entities belong together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import AnyArray, Int32Array, Int64Array, UInt64Array
from kdos.graph import Incidence, Transitions, build_transitions, incidence_from_lists


@dataclass(frozen=True, slots=True)
class Disciplines:
    """The names of the disciplines, in order, and the number of each seed's, shape (n_seeds,)."""

    names: Sequence[str]
    of_seed: Int32Array


@dataclass(frozen=True, slots=True)
class SeedLinks:
    """Which knowledge points, seeds, passages, documents and entities belong together.

    `cells` holds each knowledge point's cell and `keys` a number that depends on its text alone, shape (n_points,);
    `documents` and `passages` each seed's, shape (n_seeds,), as are `disciplines`. The
    others list rows: `points_of_seed[s]` those of the knowledge points of seed s, `entities_of_point[p]` those of the
    entities that point p names, the rarest first, and so on.
    """

    cells: Int32Array
    keys: UInt64Array
    documents: Int32Array
    passages: Int32Array
    disciplines: Disciplines
    points_of_seed: Sequence[Int64Array]
    seeds_of_point: Sequence[Int64Array]
    points_in_passage: Sequence[Int64Array]
    points_in_document: Sequence[Int64Array]
    entities_of_point: Sequence[Int64Array]
    points_of_entity: Sequence[Int64Array]


@dataclass(frozen=True)
class SeedGraph:
    """Which of a run's seeds hold which of its knowledge points, and the steps between them."""

    incidence: Incidence
    routes: Transitions


def build_seed_graph(links: SeedLinks) -> SeedGraph:
    """The graph of a run's seeds."""
    graph = incidence_from_lists([points.tolist() for points in links.points_of_seed], n_kps=len(links.cells))
    return SeedGraph(graph, build_transitions(graph))


def link_seeds(
    points_of_seed: Sequence[Int64Array],
    *,
    cells: Int32Array,
    keys: UInt64Array,
    documents: Int32Array,
    passages: Int32Array,
    entities_of_point: Sequence[Int64Array] | None = None,
    domains: Sequence[str] | None = None,
) -> SeedLinks:
    """The links of seeds that hold these knowledge points, each group found once.

    `domains` names each seed's discipline; without it, all are of one.
    """
    n_points = len(cells)
    # Pairs of seed and knowledge point, one for each time that a seed holds one.
    seed_rows = _repeat_rows(points_of_seed)
    held = np.concatenate([*points_of_seed, np.zeros(0, np.int64)])
    named = [np.zeros(0, np.int64)] * n_points if entities_of_point is None else entities_of_point
    entities = np.concatenate([*named, np.zeros(0, np.int64)])
    points_of_entity = group_rows(entities, _repeat_rows(named), int(entities.max(initial=-1)) + 1)
    sizes = np.array([len(points) for points in points_of_entity], np.int64)
    in_passage = group_rows(passages[seed_rows], held, int(passages.max(initial=-1)) + 1)
    in_document = group_rows(documents[seed_rows], held, int(documents.max(initial=-1)) + 1)
    return SeedLinks(
        cells=cells,
        keys=keys,
        documents=documents,
        passages=passages,
        disciplines=number_disciplines([""] * len(documents) if domains is None else domains),
        points_of_seed=points_of_seed,
        seeds_of_point=group_rows(held, seed_rows, n_points),
        points_in_passage=[np.unique(points) for points in in_passage],
        points_in_document=[np.unique(points) for points in in_document],
        entities_of_point=[each[np.argsort(sizes[each], kind="stable")] for each in named],
        points_of_entity=points_of_entity,
    )


def number_disciplines(domains: Sequence[str]) -> Disciplines:
    """The disciplines of seeds with these domains, each seed's by its number."""
    names = sorted(set(domains))
    numbers = {name: number for number, name in enumerate(names)}
    return Disciplines(names, np.array([numbers[name] for name in domains], np.int32))


def group_rows(keys: AnyArray, members: AnyArray, n_keys: int) -> list[Int64Array]:
    """The members of each key from 0 to n_keys - 1, in order."""
    # One sort for all keys, then slices of it; a mask for each key would read all rows every time.
    order = np.argsort(keys, kind="stable")
    edges = np.searchsorted(keys[order], np.arange(n_keys + 1))
    ordered = members[order].astype(np.int64)
    return [ordered[edges[key] : edges[key + 1]] for key in range(n_keys)]


def _repeat_rows(lists: Sequence[Int64Array]) -> Int64Array:
    """The row of each list, once for each of its members."""
    return np.repeat(np.arange(len(lists)), [len(each) for each in lists])
