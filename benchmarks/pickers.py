"""What each picker makes of real prose without a cap: `rules`, `static`, target `natural`.

    python benchmarks/pickers.py --data DATA [--out FILE]

The corpora are 25 articles of SQuAD and 40 pages of a Wikipedia dump, as in `forecast.py`. A line for each run.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from forecast import corpora

from kdos.config import read_config
from kdos.run import run_config

CORPORA = ("squad articles", "wikipedia dump")
PICKERS = ("steer", "walk-from-steer", "walk", "scatter")
FIGURES = (
    *("samples", "drafts", "llm_calls", "distinct", "coverage", "unreachable_mass", "kl", "kl_floor", "adherence"),
    "stop_reason",
)


def measure(source, picker, samples, folder):
    """One run's figures; a blind one makes as many samples as the first picker did."""
    accept = "all" if picker == "scatter" else "pace"
    config = {"source": source, "picker": picker, "synthesize": {"accept": accept}, "random_seed": 7}
    if picker == "scatter":
        config["budget"] = {"samples": samples}
    began = time.monotonic()
    summary = run_config(read_config(config), folder)
    points = summary["reference"]["knowledge_points"]
    found = {name: summary[name] for name in FIGURES}
    return {"picker": picker, "knowledge_points": points, **found, "seconds": round(time.monotonic() - began, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        sources = corpora(args.data, Path(folder))
        for number, name in enumerate(CORPORA):
            samples = None
            for picker in PICKERS:
                found = measure(sources[name], picker, samples, Path(folder) / f"{number}-{picker}")
                samples = samples or found["samples"]
                results.append({"corpus": name, **found})
                print(json.dumps(results[-1]), flush=True)
    if args.out:
        args.out.write_text(json.dumps({"benchmark": "pickers", "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
