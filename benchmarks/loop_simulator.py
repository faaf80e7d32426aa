"""The loop under a drafter whose ground truth is known: what steering by knowledge points is worth.

    python benchmarks/loop_simulator.py points  # 10,000 knowledge points, five random seeds
    python benchmarks/loop_simulator.py large   # 100,000, one random seed
    python benchmarks/loop_simulator.py window  # 10,000, by the number of picks in flight

Measuring, picking, accepting and stopping of the arm `version 2` are the product's own steps; only the drafter is
simulated. It holds the points that it is asked to use; each drifts with probability DRIFT to one drawn by popularity,
a share of drafts is unsound and some points never come. Every arm may keep a quarter as many samples as there are
points. Writes one JSON a part to benchmarks/results/.
"""

import argparse
import importlib.metadata
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import orjson

from kdos.arrays import BoolArray, Float64Array, Int64Array
from kdos.chance import keyed_generator
from kdos.config import BudgetConfig, Config, SourceConfig, SynthesizeConfig
from kdos.pool import Draft, ErrorClass, Refusal
from kdos.sampler import MOST_POINTS_USED, Order, Pick, PointYields, SeedLinks, link_seeds, scatter_picks
from kdos.synthesize import LoopState, Outlook, PickWindow, SynthesisContext, loop_steps, run_loop
from kdos.synthesize.loop import Candidate, DraftedPick
from kdos.synthesize.window import PickWork
from kdos.targets import plan_cell_quotas

DRIFT, SOUND, DEAD = 0.25, 0.9, 0.02
POINTS_IN_CELL = 40
"""Knowledge points of a cell on the mean."""
IN_SEED, IN_PASSAGE, IN_DOCUMENT, IN_ENTITY = 4, 16, 128, 8
"""Knowledge points of a seed, a passage and a document; and how many name an entity, on the mean."""
IN_BATCH = 256
"""Drafts that the simple arms ask for before they look at the pool again."""
MOST_CALLS = 8
"""Drafts at which an arm is cut off, in samples wanted."""
WINDOW = 64
"""Picks in flight."""
WINDOWS = (1, 4, 16, 64, 256, 1024)
PARTS = {"points": (10_000, 5), "large": (100_000, 1), "window": (10_000, 5)}
RESULTS = Path(__file__).parent / "results"
Points = tuple[int, ...]
Outcome = tuple[list[Points], int]
"""The samples that stay, and the drafts asked for."""


@dataclass(frozen=True)
class World:
    """The ground truth; `popular`, shape (n_points,), are the cumulative chances of being drifted to."""

    links: SeedLinks
    n_cells: int
    popular: Float64Array
    dead: BoolArray
    random_seed: int

    @property
    def n_points(self) -> int:
        return len(self.dead)

    def write_draft(self, use: Sequence[int], rng: np.random.Generator) -> tuple[Points, bool]:
        """The points that a draft holds, and whether it is sound."""
        away = np.searchsorted(self.popular, rng.random(len(use)))
        drifts = rng.random(len(use)) < DRIFT
        held = np.where(drifts, np.minimum(away, self.n_points - 1), use)
        return tuple(dict.fromkeys(held[~self.dead[held]].tolist())), bool(rng.random() < SOUND)


def make_world(n_points: int, random_seed: int) -> World:
    """Cells and points of Zipf popularity; neighbours share passages, documents and entities."""
    rng = keyed_generator(random_seed, "world")
    n_cells = n_points // POINTS_IN_CELL
    weights = 1 / np.arange(1, n_cells + 1)
    drawn = rng.choice(n_cells, n_points - n_cells, p=weights / weights.sum())
    n_seeds, documents = n_points // IN_SEED, np.arange(n_points) // IN_DOCUMENT
    named = documents * (IN_DOCUMENT // IN_ENTITY) + rng.integers(0, IN_DOCUMENT // IN_ENTITY, n_points)
    links = link_seeds(
        [np.arange(IN_SEED) + IN_SEED * seed for seed in range(n_seeds)],
        cells=rng.permutation(np.concatenate([np.arange(n_cells), drawn])).astype(np.int32),
        keys=rng.permutation(n_points).astype(np.uint64),
        documents=(np.arange(n_seeds) * IN_SEED // IN_DOCUMENT).astype(np.int32),
        passages=(np.arange(n_seeds) * IN_SEED // IN_PASSAGE).astype(np.int32),
        entities_of_point=[np.array([entity]) for entity in named],
    )
    popularity = rng.permutation(1 / np.arange(1, n_points + 1))
    return World(links, n_cells, np.cumsum(popularity) / popularity.sum(), rng.random(n_points) < DEAD, random_seed)


def blind_drafts(world: World) -> Iterator[tuple[Points, bool]]:
    """Drafts of the product's blind picker, without end."""
    rng, yields = keyed_generator(world.random_seed, "blind"), PointYields.nothing_asked(world.n_points)
    picks = scatter_picks(
        world.links, yields, n_cells=world.n_cells, in_flight=(), drafts=1, random_seed=world.random_seed, part=1
    )
    for pick in picks:
        yield world.write_draft(pick.use[0], rng)


def cell_drafts(world: World, counts: Int64Array, need: Callable[[Int64Array], Float64Array]) -> Iterator[Any]:
    """Drafts about points drawn evenly inside cells that are drawn by `need` of the counts held."""
    rng, links = keyed_generator(world.random_seed, "cells"), world.links
    points_in_cell = [np.flatnonzero(links.cells == cell) for cell in range(world.n_cells)]
    while True:
        weights = need(counts)
        for cell in rng.choice(world.n_cells, IN_BATCH, p=weights / weights.sum()):
            start = int(rng.choice(points_in_cell[cell]))
            beside = links.points_in_passage[start // IN_PASSAGE]
            use = [start, *rng.choice(beside[beside != start], IN_SEED - 1, replace=False).tolist()]
            yield world.write_draft(use, rng)


def keep_drafts(
    drafts: Iterator[tuple[Points, bool]], wanted: int, keep: Callable[[Points], bool], *, most: int
) -> Outcome:
    """The sound drafts that `keep` keeps, until there are enough or `most` were asked for."""
    samples, calls = list[Points](), 0
    while len(samples) < wanted and calls < most:
        points, sound = next(drafts)
        calls += 1
        if sound and points and keep(points):
            samples.append(points)
    return samples, calls


def play_blind(world: World, wanted: int, *, dedup: bool = False) -> Outcome:
    """Whatever comes; or only drafts that hold a point that no sample before holds."""
    seen = set[int]()

    def keep(points: Points) -> bool:
        new = not seen.issuperset(points)
        seen.update(points)
        return new or not dedup

    return keep_drafts(blind_drafts(world), wanted, keep, most=MOST_CALLS * wanted)


def play_greedy_cover(world: World, wanted: int, *, calls: int) -> Outcome:
    """Of `calls` blind drafts, again and again the one with most new points."""
    drafts = [points for points, sound in (next(drafts) for drafts in [blind_drafts(world)] * calls) if sound]
    seen, samples = set[int](), list[Points]()
    # Lazily: what a draft adds only falls, so one that adds as much as it once did is a best one.
    by_gain = [[points for points in drafts if len(points) == size] for size in range(8)]
    for size in range(7, -1, -1):
        for points in by_gain[size]:
            gain = len(set(points) - seen)
            if gain < size:
                by_gain[gain].append(points)
            elif len(samples) < wanted:
                samples.append(points)
                seen.update(points)
    return samples, calls


def play_cells(world: World, wanted: int, *, version_1: bool) -> Outcome:
    """The smallest cell first; or version 1's rule: the cell's deficit, kept while it has room."""
    counts, cells = np.zeros(world.n_cells, np.int64), world.links.cells
    supply = np.bincount(cells, minlength=world.n_cells)
    quotas = np.maximum(np.round(1.05 * wanted * IN_SEED * supply / supply.sum()), 1)

    def keep(points: Points) -> bool:
        held = cells[list(points)]
        gains = np.log(quotas[held] + 0.5) - np.log(counts[held] + 0.5)
        kept = not version_1 or bool(gains.mean() > 0 and (counts[held] < 1.2 * quotas[held]).all())
        np.add.at(counts, held[: len(held) * kept], 1)
        return kept

    def need(held: Int64Array) -> Float64Array:
        short = np.maximum(quotas - held, 0.0) if version_1 else np.maximum(held.min() + 1.0 - held, 0.0)
        return short if short.any() else np.ones(len(held))

    return keep_drafts(cell_drafts(world, counts, need), wanted, keep, most=MOST_CALLS * wanted)


def play_oracle(world: World, wanted: int) -> Outcome:
    """Points that can come, at random and without repeats."""
    rng = keyed_generator(world.random_seed, "oracle")
    points = rng.permutation(np.flatnonzero(~world.dead)).tolist()
    return [tuple(points[IN_SEED * i : IN_SEED * (i + 1)]) for i in range(wanted)], wanted


def add_nothing(_texts: Any, _locate: Any) -> int:
    """Knowledge points that are new: none is, in a world that is known."""
    return 0


class NoQuestions:
    """Knows no question: two drafts never ask the same here."""

    def __len__(self) -> int:
        return 0

    def find_match(self, *_question: Any, **_name: Any) -> None:
        return None

    def add_question(self, *_question: Any, **_name: Any) -> None:
        return None


def play_version_2(world: World, wanted: int, *, longest: int = MOST_POINTS_USED, window: int = WINDOW) -> Outcome:
    """The product's loop, until it stops by itself; a draft takes the first `longest` points that it is asked to use."""
    links, budget = world.links, BudgetConfig(samples=wanted)
    config = Config(SourceConfig("pydocs"), budget=budget, synthesize=SynthesizeConfig(window=window))
    supply = np.bincount(links.cells, minlength=world.n_cells)
    quotas = plan_cell_quotas(np.log(supply / supply.sum()), supply, exposures=1, order=world.n_points)
    context = SynthesisContext(
        config=replace(config, random_seed=world.random_seed),
        space=cast(Any, SimpleNamespace(n_cells=world.n_cells)),
        order=Order(quotas.log_q, config.exposures, np.ones(world.n_points, bool), wanted),
        links=links,
        inventory=cast(Any, SimpleNamespace(cells=links.cells, add_unknown=add_nothing)),
        known=cast(Any, NoQuestions()),
        **cast(Any, dict.fromkeys(("library", "embed_texts"))),
    )

    def draft(pick: Pick, _: Outlook) -> PickWork[DraftedPick]:
        rng = keyed_generator(world.random_seed, "drafter", pick.id)
        found: list[Candidate] = []
        for number, use in enumerate(group[:longest] for group in pick.use):
            points, sound = world.write_draft(use, rng)
            fine = sound and bool(points)
            name = f"{pick.id}/{number}"
            found.append(
                Candidate(
                    Draft(name, name, name, (), (), "", (), ()), pick, use=use, points=points,
                    refusal=None if fine else Refusal("unsound", ErrorClass.ANSWER),
                    answering=points[0] if points else None,
                )
            )  # fmt: skip
        yield []  # nobody is asked
        return DraftedPick(found)

    state, in_flight = LoopState.begin(n_cells=world.n_cells, n_points=world.n_points), PickWindow(cast(Any, None))
    samples, calls = list[Points](), 0
    for part, _, _ in run_loop(state, replace(loop_steps(context), draft=draft), in_flight):
        samples += [candidate.points for candidate in part.accepted]
        calls += len(part.candidates)
        if calls >= MOST_CALLS * wanted:
            break
    # What is in flight when the pool is full was asked for as well.
    return samples, calls + sum(len(pick.use) for pick in in_flight.items)


def describe_outcome(world: World, outcome: Outcome) -> dict[str, float]:
    """Share of all points held, drafts asked for, and what a learner recalls that forgets exp(-exposures)."""
    samples, calls = outcome
    held = np.bincount([p for points in samples for p in points], minlength=world.n_points)
    recall = float((1 - np.exp(-held)).mean())
    return {"samples": len(samples), "calls": calls, "coverage": float((held > 0).mean()), "recall": recall}


def play_arms(n_points: int, random_seed: int) -> dict[str, dict[str, float]]:
    """Every arm in one world. Greedy cover gets twice blind's drafts, and once more as many as version 2 took."""
    world, wanted = make_world(n_points, random_seed), n_points // 4
    blind, steered = play_blind(world, wanted), play_version_2(world, wanted)
    outcomes = {
        "blind": blind,
        "blind + dedup": play_blind(world, wanted, dedup=True),
        "greedy cover, 2 x blind's calls": play_greedy_cover(world, wanted, calls=2 * blind[1]),
        "greedy cover, version 2's calls": play_greedy_cover(world, wanted, calls=steered[1]),
        "smallest cluster first": play_cells(world, wanted, version_1=False),
        "version 1": play_cells(world, wanted, version_1=True),
        "version 2": steered,
        "version 2, four points a draft": play_version_2(world, wanted, longest=IN_SEED),
        "oracle": play_oracle(world, wanted),
    }
    return {arm: describe_outcome(world, outcome) for arm, outcome in outcomes.items()}


def play_windows(n_points: int, random_seed: int) -> dict[str, dict[str, float]]:
    """Version 2 in one world, by the number of picks in flight, beside blind and the oracle."""
    world, wanted = make_world(n_points, random_seed), n_points // 4
    outcomes = {f"window {window}": play_version_2(world, wanted, window=window) for window in WINDOWS}
    outcomes |= {"blind": play_blind(world, wanted), "oracle": play_oracle(world, wanted)}
    return {arm: describe_outcome(world, outcome) for arm, outcome in outcomes.items()}


def summarise_arms(runs: Sequence[dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
    """A row for each arm: means over random seeds, lowest and highest coverage, and ratios."""
    rows: list[dict[str, Any]] = []
    for arm in runs[0]:
        mean = {key: float(np.mean([run[arm][key] for run in runs])) for key in runs[0][arm]}
        coverage = [run[arm]["coverage"] for run in runs]
        ratios = {
            "coverage_over_oracle": float(np.mean([run[arm]["coverage"] / run["oracle"]["coverage"] for run in runs])),
            "calls_over_blind": float(np.mean([run[arm]["calls"] / run["blind"]["calls"] for run in runs])),
        }
        rows.append({"arm": arm} | mean | {"coverage_range": [min(coverage), max(coverage)]} | ratios)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--points", type=int)
    parser.add_argument("--seeds", type=int)
    args = parser.parse_args()
    n_points, seeds = args.points or PARTS[args.part][0], args.seeds or PARTS[args.part][1]
    begin = time.perf_counter()
    play = play_windows if args.part == "window" else play_arms
    rows = summarise_arms([play(n_points, seed) for seed in range(seeds)])
    result = {
        "command": f"python benchmarks/loop_simulator.py {args.part}",
        "points": n_points,
        "seeds": seeds,
        "drift": DRIFT,
        "sound": SOUND,
        "dead": DEAD,
        "seconds": time.perf_counter() - begin,
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("kdos", "numpy")},
        },
        "rows": rows,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"loop_{args.part}.json").write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    print(orjson.dumps(result).decode())


if __name__ == "__main__":
    main()
