"""The second picker: linked seeds on paths through the graph of knowledge points.

Steering takes the partners of a seed from its document; a walk takes them from wherever the graph
leads, so that one call sees several seeds that are linked. How LinkSyn samples its paths is not
public; this is our design (docs/graph.md).
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from kdos.chance import keyed_generator
from kdos.graph import as_target, linked_seeds, sample_paths
from kdos.sampler.disciplines import DisciplineNeeds
from kdos.sampler.feedback import Deficit
from kdos.sampler.links import SeedGraph, SeedLinks
from kdos.sampler.steer import POINTS_ASKED, Pick, PickMaker, PointYields, start_weights, wanted_starts

PATH_POINTS = 4
"""Knowledge points on a path: it passes up to three seeds, as many as a steered group has."""
PATHS_DRAWN = 64
"""Paths that are drawn together: what those of one draw ask for counts as held for the next."""


def walk_picks(
    deficit: Deficit,
    yields: PointYields,
    links: SeedLinks,
    seed_graph: SeedGraph,
    *,
    in_flight: Sequence[Pick],
    drafts: int,
    points: int = POINTS_ASKED,
    random_seed: int,
    part: int,
    from_steer: bool = False,
    needs: DisciplineNeeds | None = None,
) -> Iterator[Pick]:
    """A path for each pick: its seeds, and its knowledge points to be used by the first draft; while any is wanted.

    The deficit of the knowledge points is the target that the visits of the paths are to meet; with `from_steer`
    paths begin where steering would, instead of where their own law leads. Arguments not named here are those of
    ``kdos.sampler.steer_picks``.
    """
    rng = keyed_generator(random_seed, "walk", part)
    maker = PickMaker(
        links, deficit.missing, deficit.room, yields, in_flight=in_flight, drafts=drafts, points=points, rng=rng
    )
    weights, first = start_weights(deficit, yields), yields.picks + len(in_flight)
    steered = wanted_starts(weights, maker, links, rng, needs)
    while (wanted := weights * maker.is_wanted(np.arange(len(weights)))).any():
        starts = np.array(list(islice(steered, PATHS_DRAWN)), np.int32) if from_steer else None
        paths = sample_paths(
            seed_graph.routes,
            as_target(wanted if needs is None else needs.spread(wanted)),
            count=PATHS_DRAWN if starts is None else len(starts),
            length=PATH_POINTS,
            random_seed=random_seed,
            # Paths are numbered over the whole run, so that each has its own key for chance.
            first=first,
            starts=starts,
        )
        first += len(paths.kps)
        for path in linked_seeds(paths, seed_graph.incidence):
            yield maker.make_pick(int(path.kps[0]), path=path.kps, seeds=tuple(dict.fromkeys(path.samples)))
