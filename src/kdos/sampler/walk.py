"""The second picker: linked seeds on paths through the graph of knowledge points.

Steering takes the partners of a seed from its document; a walk takes them from wherever the graph
leads, so that one call sees several seeds that are linked. How LinkSyn samples its paths is not
public; this is our design (docs/graph.md).
"""

import math
from dataclasses import dataclass

import numpy as np

from kdos.chance import keyed_generator
from kdos.graph import (
    Incidence,
    Transitions,
    as_target,
    build_transitions,
    incidence_from_lists,
    linked_seeds,
    sample_paths,
)
from kdos.sampler.feedback import Deficit
from kdos.sampler.links import SeedLinks
from kdos.sampler.steer import POINTS_ASKED, Pick, PickBatch, PointYields, start_weights

PATH_POINTS = 4
"""Knowledge points on a path: it passes up to three seeds, as many as a steered group has."""


@dataclass(frozen=True)
class SeedGraph:
    """Which of a run's seeds hold which of its knowledge points, and the steps between them."""

    incidence: Incidence
    routes: Transitions


def build_seed_graph(links: SeedLinks) -> SeedGraph:
    """The graph of a run's seeds."""
    graph = incidence_from_lists([points.tolist() for points in links.points_of_seed], n_kps=len(links.cells))
    return SeedGraph(graph, build_transitions(graph))


def walk_picks(
    deficit: Deficit,
    yields: PointYields,
    links: SeedLinks,
    seed_graph: SeedGraph,
    *,
    picks: int,
    drafts: int,
    points: int = POINTS_ASKED,
    random_seed: int,
    round_number: int,
    steered: list[Pick] | None = None,
) -> list[Pick]:
    """At most `picks` picks, a path each: its seeds, and its knowledge points to be used by the first draft.

    The deficit of the knowledge points is the target that the visits of the paths are to meet; arguments not named
    here are those of ``kdos.sampler.steer_picks``. `steered` are picks at whose points the paths begin, instead of
    where the deficit is largest.
    """
    weights = start_weights(deficit, yields)
    count = min(picks, math.ceil(weights.sum())) if steered is None else len(steered)
    if not count or not weights.any():
        return steered or []
    paths = sample_paths(
        seed_graph.routes,
        as_target(weights),
        count=count,
        length=PATH_POINTS,
        random_seed=random_seed,
        # Paths are numbered over the whole run, so that each has its own key for chance.
        first=yields.picks,
        starts=None if steered is None else np.array([pick.use[0][0] for pick in steered], np.int32),
    )
    rng = keyed_generator(random_seed, "walk", round_number)
    batch = PickBatch.of_deficit(
        deficit, yields, links, drafts=drafts, points=points, round_number=round_number, rng=rng
    )
    for path in linked_seeds(paths, seed_graph.incidence):
        batch.add_pick(int(path.kps[0]), path=path.kps, seeds=tuple(dict.fromkeys(path.samples)))
    return batch.picks
