"""The standard experiment of the proxy lab, whole, with five random seeds: is the largest size foretold?

    python benchmarks/scaling_holdout.py DIR

Runs `kdos train --proxy --random-seed N` into DIR/N for N from 0 to 4, where its `measurements.csv` is not there yet,
and `kdos scaling fit --holdout-largest` on each: the law of the smaller sizes against what the largest one did. An
experiment takes 400 to 520 core seconds. Writes benchmarks/results/scaling_holdout.json.
"""

import argparse
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

EXPERIMENTS = 5
RESULT = Path(__file__).parent / "results" / "scaling_holdout.json"


def kdos(*arguments: str) -> dict[str, Any]:
    """The last line that a command of kdos prints."""
    call = [sys.executable, "-m", "kdos", *arguments]
    done = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(folder: Path, number: int) -> dict[str, Any]:
    """One experiment: the K50 of each cell, and the largest size's as the others foretell it."""
    measurements = folder / str(number) / "measurements.csv"
    if not measurements.is_file():
        kdos("train", "--proxy", "--random-seed", str(number), "--out", str(measurements.parent))
    found = kdos("scaling", "fit", str(measurements), "--holdout-largest", "--json")
    cells = [{key: cell[key] for key in ("params", "presentations", "k50")} for cell in found["cells"]]
    return {"random_seed": number, "holdout": found["holdout"], "forms": found["forms"], "cells": cells}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    args = parser.parse_args()
    experiments = [measure(args.folder, number) for number in range(EXPERIMENTS)]
    errors = [one["error"] for each in experiments for one in each["holdout"]]
    inside = [one["inside"] for each in experiments for one in each["holdout"]]
    result = {
        "command": "python benchmarks/scaling_holdout.py DIR",
        "versions": {name: importlib.metadata.version(name) for name in ("kdos", "numpy", "scipy", "torch")},
        "errors": errors,
        "within_a_tenth": sum(abs(error) <= 0.1 for error in errors),
        "inside": sum(inside),
        "experiments": experiments,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({key: result[key] for key in ("errors", "within_a_tenth", "inside")}))


if __name__ == "__main__":
    main()
