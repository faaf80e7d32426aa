"""Collapses and laws that are known: do the intervals hold them, or does the command refuse?

    python benchmarks/scaling_coverage.py [--draws 200] [--bootstrap 60] [WORLD ...]

Each draw plants a law of its own and measures cells after it, with noise like our pilot's: a threshold that shifts by
seed and by run, recall counted over the facts, and outliers that recall anything between nothing and everything. The
largest size is held out of the law, as `kdos scaling fit --holdout-largest` does it. A world is one kind of law, or of
fault in what was measured.
"""

import argparse
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kdos.chance import keyed_generator
from kdos.errors import UsageError
from kdos.scaling import ExperimentCell, find_collapses, hold_out_largest, next_fact_count, shown_runs
from kdos.scaling.collapse import recall_curve

DRAWS, BOOTSTRAP, CHUNK = 200, 60, 10
VALUES = 64
SEED_SHIFT, RUN_SHIFT, WIDTH = 0.05, 0.1, 0.25
SIZES, BUDGET = (6144, 13_824, 24_576, 55_296), 192_000
ONE_BUDGET = tuple((size, BUDGET) for size in SIZES)
CELLS = ((6144, 96_000), (6144, 384_000), *ONE_BUDGET)
NO_INTERVAL = "one random seed: no interval"
PlantedLaw = Callable[[float, float], float]


def plant_power(rng: np.random.Generator, *, sign: float = 1.0) -> PlantedLaw:
    """A power law; exponents and level span those of the standard experiment and of our pilot."""
    k50, size, budget = rng.uniform(1400, 2500), sign * rng.uniform(0.3, 0.65), rng.uniform(0.4, 0.7)
    return lambda params, shown: k50 * (params / SIZES[0]) ** size * (shown / BUDGET) ** budget


def plant_softmin(rng: np.random.Generator) -> PlantedLaw:
    """A soft minimum, whose budget exponent at the smallest size is that of `plant_power`."""
    k50, budget, grow = rng.uniform(1400, 2500), rng.uniform(0.4, 0.7), rng.uniform(0, 0.4)

    def law(params: float, shown: float) -> float:
        size = params / SIZES[0]
        return k50 * ((1 - budget) * size**-2 + budget * (shown / BUDGET * size**grow) ** -2) ** -0.5

    return law


def plant_between(rng: np.random.Generator) -> PlantedLaw:
    """A mean of the two, in logarithms, anywhere between them."""
    power, softmin, share = plant_power(rng), plant_softmin(rng), rng.uniform()
    return lambda params, shown: power(params, shown) ** share * softmin(params, shown) ** (1 - share)


def plant_any(rng: np.random.Generator) -> PlantedLaw:
    """One of the three."""
    return (plant_power, plant_softmin, plant_between)[rng.integers(3)](rng)


def plant_regime_change(rng: np.random.Generator) -> PlantedLaw:
    """Capacity alone up to some size between the measured ones, exposures alone beyond it."""
    facts_per_parameter, turn = rng.uniform(0.15, 0.3), np.exp(rng.uniform(np.log(16_000), np.log(50_000)))

    def law(params: float, shown: float) -> float:
        return facts_per_parameter * (params**-8.0 + (turn * shown / BUDGET) ** -8.0) ** (-1 / 8)

    return law


def plant_crowded(rng: np.random.Generator) -> PlantedLaw:
    """Cells that hold 2 to 6 bits a parameter at few exposures."""
    law, more = plant_any(rng), rng.uniform(4, 6)
    return lambda params, shown: more * law(params, shown)


def plant_beyond_presentations(rng: np.random.Generator) -> PlantedLaw:
    """A K50 at fewer than one exposure of each fact."""
    more = rng.uniform(1.1, 3)
    return lambda params, shown: more * shown * (params / SIZES[0]) ** 0.1


@dataclass(frozen=True)
class World:
    """How laws are planted and what is measured of them."""

    plant: Callable[[np.random.Generator], PlantedLaw] = plant_any
    cells: tuple[tuple[int, int], ...] = CELLS
    seeds: int = 3
    outliers: float = 0.03
    floor: float = 1 / VALUES


WORLDS = {
    "power": World(plant_power),
    "softmin": World(plant_softmin),
    "between": World(plant_between),
    "one_seed": World(seeds=1),
    "outliers": World(outliers=0.1),
    "floor": World(floor=0.3),
    "two_sizes": World(cells=CELLS[:4]),
    "middle_size_missing": World(cells=(*CELLS[:3], *CELLS[4:])),
    "middle_size_missing_power": World(plant_power, cells=(*CELLS[:3], *CELLS[4:])),
    "regime_change": World(plant_regime_change),
    "negative_exponent": World(lambda rng: plant_power(rng, sign=-1.0)),
    "above_two_bits": World(plant_crowded),
    "one_budget": World(cells=ONE_BUDGET),
    "presentations_below_k50": World(plant_beyond_presentations),
}


@dataclass
class Tally:
    """What came of some draws of a world."""

    refusals: Counter[str] = field(default_factory=Counter[str])
    k50_inside: list[bool] = field(default_factory=list[bool])
    peak_inside: list[bool] = field(default_factory=list[bool])
    inside: list[bool] = field(default_factory=list[bool])
    inside_of_measured: list[bool] = field(default_factory=list[bool])
    miss: list[float] = field(default_factory=list[float])
    reach: list[float] = field(default_factory=list[float])

    def add(self, other: "Tally") -> None:
        """Take in the draws of another."""
        self.refusals += other.refusals
        for name in ("k50_inside", "peak_inside", "inside", "inside_of_measured", "miss", "reach"):
            getattr(self, name).extend(getattr(other, name))

    def summary(self, draws: int) -> dict[str, object]:
        """Shares in [0, 1]; those of intervals are None where every draw was refused."""
        return {
            "draws": draws,
            "refused": sum(self.refusals.values()) / draws,
            "refusals": {kind: count / draws for kind, count in self.refusals.most_common()},
            "k50_coverage": _mean(self.k50_inside),
            "peak_coverage": _mean(self.peak_inside),
            "prediction_coverage": _mean(self.inside),
            "prediction_coverage_of_measured": _mean(self.inside_of_measured),
            "prediction_bias": _mean(self.miss) and float(np.expm1(np.mean(self.miss))),
            "prediction_spread": _mean(self.miss) and float(np.std(self.miss)),
            "prediction_reach": _mean(self.reach),
        }


def _mean(values: list[bool] | list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def draw_cell(world: World, k50: float, at: tuple[int, int], rng: np.random.Generator) -> ExperimentCell:
    """A cell measured at eight counts of facts around a bracket that is half off."""
    grid = k50 / 3.3 * rng.uniform(0.8, 1.2) * 2 ** (np.arange(8) / 2)
    facts = np.repeat(np.round(grid), world.seeds).astype(np.int64)
    seed = np.tile(np.arange(world.seeds), len(grid))
    shift = rng.normal(0, SEED_SHIFT, world.seeds)[seed] + rng.normal(0, RUN_SHIFT, len(facts))
    share = recall_curve(np.log(facts), np.log(k50) + shift, np.array(WIDTH), floor=world.floor)
    recall = rng.binomial(facts, share) / facts
    odd = rng.random(len(facts)) < world.outliers
    return ExperimentCell(*at, facts, np.where(odd, rng.random(len(facts)), recall), seed)


def judge_draw(world: World, law: PlantedLaw, rng: np.random.Generator, *, bootstrap: int, tally: Tally) -> None:
    """Measure, fit and predict as the command does, and count what came.

    Raises:
        UsageError: What the command refuses with.
    """
    drawn = [draw_cell(world, law(*at), at, rng) for at in world.cells]
    shown = [one for cell in drawn if (one := shown_runs(cell)) is not None]
    cells = [cell for cell in shown if next_fact_count(cell, values=VALUES) is None]
    if not cells:
        raise UsageError("No cell shows its collapse. Measure more.")
    found = find_collapses(cells, values=VALUES, rng=rng, draws=bootstrap)
    held = hold_out_largest(found, values=VALUES)
    if held[0].predicted.low is None:
        raise UsageError(f"{NO_INTERVAL}. Measure another.")
    peak = (WIDTH / (1 - WIDTH)) ** WIDTH
    for one in found:
        truth = law(one.params, one.presentations)
        tally.k50_inside.append(one.k50.low <= truth <= one.k50.high)
        tally.peak_inside.append(one.peak.low <= peak * truth <= one.peak.high)
    for one in held:
        truth, foretold = law(one.params, one.presentations), one.predicted
        tally.inside.append(foretold.low <= truth <= foretold.high)
        tally.inside_of_measured.append(bool(one.inside))
        tally.miss.append(float(np.log(foretold.value / truth)))
        tally.reach.append(float(np.log(foretold.high / foretold.low) / 2))


def judge_draws(name: str, first: int, last: int, bootstrap: int) -> Tally:
    """What came of the draws `first` to `last` of a world."""
    tally = Tally()
    for draw in range(first, last):
        rng = keyed_generator(draw, "coverage", name)
        try:
            judge_draw(WORLDS[name], WORLDS[name].plant(rng), rng, bootstrap=bootstrap, tally=tally)
        except UsageError as error:
            tally.refusals[re.sub(r"[\d,.]*\d", "#", str(error).split(". ")[0])] += 1
    return tally


def judge_world(name: str, pool: ProcessPoolExecutor, *, draws: int, bootstrap: int) -> dict[str, object]:
    """The summary of a world, the same for any number of processes."""
    starts = range(0, draws, CHUNK)
    jobs = [pool.submit(judge_draws, name, low, min(low + CHUNK, draws), bootstrap) for low in starts]
    tally = Tally()
    for job in jobs:
        tally.add(job.result())
    return tally.summary(draws)


def main() -> None:
    """Judge the worlds that are asked for and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("worlds", nargs="*", metavar="WORLD")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--bootstrap", type=int, default=BOOTSTRAP)
    args = parser.parse_args()
    path = Path(__file__).parent / "results" / "scaling_coverage.json"
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name in args.worlds or WORLDS:
            began = time.perf_counter()
            found = judge_world(name, pool, draws=args.draws, bootstrap=args.bootstrap)
            print(f"{name} ({time.perf_counter() - began:.0f} s)", json.dumps(found), flush=True)
            known = (json.loads(path.read_text()) if path.exists() else {}) | {name: found}
            path.write_text(json.dumps({one: known[one] for one in WORLDS if one in known}, indent=2) + "\n")


if __name__ == "__main__":
    main()
