"""What `kdos doctor` foretells against what the run then spends: four corpora, three budgets, through HTTP.

    python benchmarks/forecast.py --data DATA [--samples 50 200 600] [--out FILE]

The server is `serve-rules`, in this process, and the configuration has prices. The corpora are articles of SQuAD, the
Markdown pages of this project (of which the rules make nothing), the documentation of Python's library, and pages of a
Wikipedia dump. Prints and writes each figure and its ratio, foretold by
spent; ends with 1 where a ratio is not within a quarter. The server counts tokens by bytes and answers by the same rules
that the rehearsal goes by, so the ratios say how well a run is rehearsed, not how far a model is from the rules.
"""

import argparse
import gzip
import json
import tempfile
import time
from pathlib import Path

from kdos.commands.serve_rules import PROMPTS
from kdos.config import read_config
from kdos.llm import HttpEngine
from kdos.llm.mock_server import MockServer, serve_app
from kdos.rules import RulesEngine
from kdos.run import run_config
from kdos.run.forecast import forecast_run
from kdos.run.rehearsal import measure_source, rehearse_run

PRICES = {"prompt": 0.3, "completion": 1.2}
TOLERANCE = 0.25


def corpora(data, folder):
    """A source by name."""
    with gzip.open(data / "corpora" / "squad_articles.jsonl.gz", "rt", encoding="utf-8") as lines:
        articles = [json.loads(line) for _, line in zip(range(25), lines, strict=False)]
    with (folder / "squad.jsonl").open("w") as file:
        for one in articles:
            text = "\n\n".join(paragraph["text"] for paragraph in one["paragraphs"])
            file.write(json.dumps({"id": one["id"], "title": one["title"], "text": text}) + "\n")
    dump = str(data / "corpora" / "enwiki_sample.xml.bz2")
    return {
        "squad articles": {"kind": "text", "path": str(folder / "squad.jsonl")},
        "markdown pages": {"kind": "text", "path": str(Path(__file__).parents[1] / "docs")},
        "python documentation": {"kind": "pydocs", "limit": 40},
        "wikipedia dump": {"kind": "wikipedia", "path": dump, "limit": 40},
    }


def compare(config, folder):
    """Foretold, spent and their ratios."""
    began = time.monotonic()
    size = measure_source(config)
    (folder / "aside").mkdir()
    rehearsal = rehearse_run(config, size, folder / "aside")
    with HttpEngine(config.engine) as engine:
        found = forecast_run(config, size, rehearsal, engine)
    seconds, began = time.monotonic() - began, time.monotonic()
    summary = run_config(config, folder / "run")
    foretold = {"calls": found.calls, "tokens": found.prompt_tokens + found.completion_tokens, "usd": found.cost_usd}
    tokens = sum(summary["usage"].values())
    spent = {"calls": summary["llm_calls"], "tokens": tokens, "usd": summary["cost_usd"]}
    return {
        "passages": size.passages, "rehearsed_share": rehearsal.share, "samples": summary["samples"],
        "probes": found.probes, "foretold": foretold, "spent": spent,
        "ratio": {name: round(foretold[name] / spent[name], 3) for name in spent},
        "seconds": {"forecast": round(seconds, 1), "run": round(time.monotonic() - began, 1)},
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=int, nargs="+", default=[50, 200, 600])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder, serve_app(MockServer(RulesEngine(), PROMPTS).build_app()) as url:
        engine = {"kind": "http", "url": url, "model": "rules", "prices": PRICES}
        for name, source in corpora(args.data, Path(folder)).items():
            for samples in args.samples:
                config = read_config({"source": source, "engine": engine, "budget": {"samples": samples}})
                own = Path(folder) / f"{name}-{samples}"
                own.mkdir()
                results.append({"corpus": name, "budget": samples, **compare(config, own)})
                print(json.dumps(results[-1]), flush=True)
    if args.out:
        args.out.write_text(
            json.dumps({"benchmark": "forecast", "prices": PRICES, "results": results}, indent=2) + "\n"
        )
    far = [each for each in results if any(abs(ratio - 1) > TOLERANCE for ratio in each["ratio"].values())]
    print(f"{len(results) - len(far)} of {len(results)} within {TOLERANCE:.0%}")
    raise SystemExit(bool(far))


if __name__ == "__main__":
    main()
