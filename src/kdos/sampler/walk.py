"""The second picker: linked seeds on paths through the graph of knowledge points.

Steering takes the partners of a seed from its document; a walk takes them from wherever the graph
leads, so that one call sees several seeds that are linked. How LinkSyn samples its paths is not
public; this is our design (docs/graph.md).
"""

import math
from dataclasses import dataclass

import numpy as np

from kdos.arrays import Float64Array, Int32Array, Int64Array
from kdos.chance import keyed_generator
from kdos.graph import (
    Incidence,
    Transitions,
    as_target,
    build_transitions,
    incidence_from_lists,
    linked_seeds,
    sample_paths,
    spread_over_kps,
)
from kdos.sampler.steer import CellYields, Pick, PickBatch, SeedLinks

PATH_POINTS = 4
"""Knowledge points on a path: it passes up to three seeds, as many as a steered group has."""
LEAST_WEIGHT = 0.01
"""The deficit of a knowledge point that has more than its cell's level, as a share of the level:
positive, so that a path may pass it."""


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
    deficit: Int64Array,
    yields: CellYields,
    links: SeedLinks,
    seed_graph: SeedGraph,
    *,
    exposures: Int64Array,
    picks: int,
    drafts: int,
    random_seed: int,
    round_number: int,
    reserved: Float64Array | float = 0.0,
    steered: list[Pick] | None = None,
) -> list[Pick]:
    """At most `picks` picks, a path each: its seeds, and its knowledge points to be used.

    Each cell's deficit, shared out over its knowledge points, is the target that the visits of the
    paths are to meet; arguments not named here are those of ``kdos.sampler.steer_picks``.
    `steered` are picks at whose points the paths begin, instead of where the deficit is largest.
    """
    wanted = np.maximum(deficit - reserved, 0) / yields.points_per_pick(drafts=drafts)
    weights = point_deficits(wanted, links.cells, exposures[: len(links.cells)])
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
        first=int(yields.tries.sum()),
        starts=None if steered is None else np.array([pick.use[0] for pick in steered], np.int32),
    )
    rng = keyed_generator(random_seed, "walk", round_number)
    batch = PickBatch(links, deficit, reserved, yields.asked, drafts, round_number, rng)
    for path in linked_seeds(paths, seed_graph.incidence):
        batch.add_pick(tuple(dict.fromkeys(path.samples)), path.kps)
    return batch.picks


def point_deficits(deficit: Float64Array, cells: Int32Array, exposures: Int64Array) -> Float64Array:
    """What is wanted of each point, so that cells get their deficit and their points come level.

    `deficit`, shape (n_cells,), is at least 0; a cell without points is left out. `cells` and
    `exposures`, what each knowledge point has already, are of shape (n_points,).
    """
    # The level is what every point of a cell would hold if the cell had its deficit filled and all
    # were level. Points below it share the deficit by how far they are below; `scale` corrects for
    # those above, whose surplus the others must not be asked for.
    held = np.bincount(cells, weights=exposures, minlength=len(deficit))
    level = spread_over_kps(cells, held + deficit)
    below: Float64Array = np.where(deficit[cells] > 0, np.maximum(level - exposures, LEAST_WEIGHT * level), 0.0)
    total = np.bincount(cells, weights=below, minlength=len(deficit))
    scale: Float64Array = np.divide(deficit, total, out=np.zeros(len(deficit)), where=total > 0)
    return below * scale[cells]
