"""Collapses and laws that are known: are the estimates unbiased, and do the intervals hold them?

    python benchmarks/scaling_coverage.py

Each draw makes six cells after a power law, three seeds each, with noise like our pilot's: a
threshold that shifts by seed and by run, recall counted over the facts, and outliers that recall
anything between nothing and everything. The largest size is held out of the law.
"""

import json
from pathlib import Path

import numpy as np

from kdos.chance import generator
from kdos.scaling import Cell, find_collapses, hold_out_largest
from kdos.scaling.collapse import recall_at

DRAWS = 200
VALUES = 64
SEEDS = 3
SEED_SHIFT, RUN_SHIFT, OUTLIERS, WIDTH = 0.05, 0.1, 0.03, 0.25
CELLS = (
    (6144, 192_000),
    (6144, 96_000),
    (6144, 384_000),
    (13_824, 192_000),
    (24_576, 192_000),
    (55_296, 192_000),
)


def true_k50(params: int, presentations: int) -> float:
    """The law that the draws are made after."""
    return float(1400 * (params / 6144) ** 0.6 * (presentations / 192_000) ** 0.65)


def draw_cell(params: int, presentations: int, rng: np.random.Generator) -> Cell:
    """A cell measured at eight counts of facts around a bracket that is half off."""
    k50 = true_k50(params, presentations)
    grid = k50 / 3.3 * rng.uniform(0.8, 1.2) * 2 ** (np.arange(8) / 2)
    facts = np.repeat(np.round(grid), SEEDS).astype(np.int64)
    seed = np.tile(np.arange(SEEDS), len(grid))
    shift = rng.normal(0, SEED_SHIFT, SEEDS)[seed] + rng.normal(0, RUN_SHIFT, len(facts))
    share = recall_at(np.log(facts), np.log(k50) + shift, np.array(WIDTH), values=VALUES)
    recall = rng.binomial(facts, share) / facts
    odd = rng.random(len(facts)) < OUTLIERS
    return Cell(params, presentations, facts, np.where(odd, rng.random(len(facts)), recall), seed)


def main(draws: int = DRAWS, bootstrap: int = 500) -> dict[str, object]:
    """Bias and coverage over the draws."""
    miss, inside, foretold, held = [], [], [], []
    for draw in range(draws):
        rng = generator(draw, "coverage")
        cells = [draw_cell(params, presentations, rng) for params, presentations in CELLS]
        found = find_collapses(cells, values=VALUES, rng=rng, draws=bootstrap)
        for one in found:
            truth = true_k50(one.params, one.presentations)
            miss.append(np.log(one.k50.value / truth))
            inside.append(one.k50.low <= truth <= one.k50.high)
        (last,) = hold_out_largest(found, values=VALUES)
        foretold.append(np.log(last.predicted.value / true_k50(*CELLS[-1])))
        held.append(last.inside)
    return {
        "draws": draws,
        "k50_bias": float(np.exp(np.mean(miss)) - 1),
        "k50_spread": float(np.std(miss)),
        "k50_coverage": float(np.mean(inside)),
        "holdout_bias": float(np.exp(np.mean(foretold)) - 1),
        "holdout_spread": float(np.std(foretold)),
        "holdout_coverage": float(np.mean(held)),
    }


if __name__ == "__main__":
    result = main()
    print(json.dumps(result))
    path = Path(__file__).parent / "results" / "scaling_coverage.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
