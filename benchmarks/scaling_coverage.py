"""Collapses and laws that are known: are the estimates unbiased, and do the intervals hold them?

    python benchmarks/scaling_coverage.py [WORLD ...]

Each draw makes six cells, three seeds each, with noise like our pilot's: a threshold that shifts by
seed and by run, recall counted over the facts, and outliers that recall anything between nothing
and everything. The largest size is held out of the law. A world's K50 follow our pilot's power law,
or one of the two forms as fitted to the standard experiment, or the mean of these.
"""

import json
import sys
from pathlib import Path

import numpy as np

from kdos.chance import keyed_generator
from kdos.scaling import ExperimentCell, find_collapses, hold_out_largest
from kdos.scaling.collapse import recall_curve
from kdos.scaling.law import LAW_FORMS, REFERENCE_PARAMS, REFERENCE_PRESENTATIONS

DRAWS = 200
VALUES = 64
SEEDS = 3
SEED_SHIFT, RUN_SHIFT, OUTLIERS, WIDTH = 0.05, 0.1, 0.03, 0.25
CELLS = ((6144, 192_000), (6144, 96_000), (6144, 384_000), (13_824, 192_000), (24_576, 192_000), (55_296, 192_000))


PILOT = {"power": (float(np.log(1400 * 0.6144**-0.6 * 1.92**-0.65)), 0.6, 0.65)}
MEASURED = {"power": (7.623, 0.329, 0.459), "softmin": (8.63, 7.563, 0.121)}
"""The forms and their constants, in the order of `LAW_FORMS`."""
WORLDS = {
    "pilot": PILOT,
    "power": {"power": MEASURED["power"]},
    "softmin": {"softmin": MEASURED["softmin"]},
    "between": MEASURED,
}


def true_k50(world: str, params: int, presentations: int) -> float:
    """The law that the draws of a world are made after."""
    size, budget = np.log([[params / REFERENCE_PARAMS], [presentations / REFERENCE_PRESENTATIONS]])
    logs = [LAW_FORMS[form](np.array([theta]), size, budget) for form, theta in WORLDS[world].items()]
    return float(np.exp(np.mean(logs)))


def draw_cell(world: str, params: int, presentations: int, rng: np.random.Generator) -> ExperimentCell:
    """A cell measured at eight counts of facts around a bracket that is half off."""
    k50 = true_k50(world, params, presentations)
    grid = k50 / 3.3 * rng.uniform(0.8, 1.2) * 2 ** (np.arange(8) / 2)
    facts = np.repeat(np.round(grid), SEEDS).astype(np.int64)
    seed = np.tile(np.arange(SEEDS), len(grid))
    shift = rng.normal(0, SEED_SHIFT, SEEDS)[seed] + rng.normal(0, RUN_SHIFT, len(facts))
    share = recall_curve(np.log(facts), np.log(k50) + shift, np.array(WIDTH), values=VALUES)
    recall = rng.binomial(facts, share) / facts
    odd = rng.random(len(facts)) < OUTLIERS
    return ExperimentCell(params, presentations, facts, np.where(odd, rng.random(len(facts)), recall), seed)


def main(world: str, draws: int = DRAWS, bootstrap: int = 500) -> dict[str, object]:
    """Bias and coverage over the draws of a world."""
    miss, inside, foretold, held, held_truth = [], [], [], [], []
    for draw in range(draws):
        rng = keyed_generator(draw, "coverage", world)
        cells = [draw_cell(world, params, presentations, rng) for params, presentations in CELLS]
        found = find_collapses(cells, values=VALUES, rng=rng, draws=bootstrap)
        for one in found:
            truth = true_k50(world, one.params, one.presentations)
            miss.append(np.log(one.k50.value / truth))
            inside.append(one.k50.low <= truth <= one.k50.high)
        (last,) = hold_out_largest(found, values=VALUES)
        truth = true_k50(world, *CELLS[-1])
        foretold.append(np.log(last.predicted.value / truth))
        held.append(last.inside)
        held_truth.append(last.predicted.low <= truth <= last.predicted.high)
    return {
        "draws": draws,
        "k50_bias": float(np.exp(np.mean(miss)) - 1),
        "k50_spread": float(np.std(miss)),
        "k50_coverage": float(np.mean(inside)),
        "holdout_bias": float(np.exp(np.mean(foretold)) - 1),
        "holdout_spread": float(np.std(foretold)),
        "holdout_coverage": float(np.mean(held)),
        "holdout_coverage_of_truth": float(np.mean(held_truth)),
    }


if __name__ == "__main__":
    path = Path(__file__).parent / "results" / "scaling_coverage.json"
    for world in sys.argv[1:] or WORLDS:
        found = main(world)
        print(world, json.dumps(found))
        known = json.loads(path.read_text()) if path.exists() else {}
        known[world] = found
        ordered = {name: known[name] for name in WORLDS if name in known}
        path.write_text(json.dumps(ordered, indent=2) + "\n")
