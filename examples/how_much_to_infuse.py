"""Teach facts to small models until they forget, and plan what a large one can be taught.

python examples/how_much_to_infuse.py lab 7e9 1e9

The first argument is a folder for what was measured, so that a second plan is made at once; then
come the large model's parameters and the training's tokens. This design takes a minute, and its
intervals are wide: `kdos train --proxy` measures four sizes with three seeds each.
"""

import os
import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from kdos.scaling import find_collapses, fit_law, plan_infusion
from kdos.train import SUBJECTS, VALUES, ExperimentDesign, Lab, cells_from_rows, run_design

DESIGN = ExperimentDesign(
    widths=(16, 24), presentations=12_800, budgets=(6_400, 25_600), points=4, seeds=2,
    subjects=SUBJECTS,
)  # fmt: skip


def main(folder: Path, params: float, tokens: float) -> None:
    """Measure, find the law, and say what to teach."""
    with closing(Lab(folder, workers=os.cpu_count() or 1)) as lab:
        cells = cells_from_rows(run_design(DESIGN, lab))
    collapses = find_collapses(cells, values=VALUES, rng=np.random.default_rng(0))
    for one in collapses:
        k50, size = one.k50, f"{one.params:,} parameters, {one.presentations:,} presentations"
        print(f"{size}: half of {k50.value:,.0f} facts ({k50.low:,.0f} to {k50.high:,.0f})")
    plan = plan_infusion(fit_law(collapses, values=VALUES), params=params, tokens=tokens)
    print(f"teach {plan.taught:,} facts, {plan.exposures:.0f} times each: {plan.samples:,} samples")
    times = plan.prediction.size_factor
    print(f"take it as a guess: the model is {times:,.0f} times the largest that was measured")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
