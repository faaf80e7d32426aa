"""What small models know after pools that were really made: the demo's steered pool, its blind one, an earlier version's.

    python benchmarks/pool_recall.py DIR [--before SRC]

Makes pools into DIR where they are not there yet, four of each kind, drawn with random seeds of their own; SRC is the
`src` of an earlier version. Beside them stand pools of random facts without repeats: as many as the steered pool shows
(`random`), and as many as the blind one (`random_few`). Models of three widths, two for each pool, are shown 192,000
facts of it, and asked for all facts of a universe in a wording that they were not shown, whether their pool holds
them or not. Intervals are of a bootstrap over pools, then facts. A pool takes a minute and the models ten in all, on
two cores; an interrupted call goes on. Writes benchmarks/results/pool_recall.json.
"""

import argparse
import hashlib
import importlib.metadata
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

import kdos
from kdos.arrays import Float64Array, Int64Array
from kdos.chance import keyed_generator
from kdos.pool import column_values
from kdos.store import read_parquet
from kdos.train import Lab
from kdos.train.ensemble import count_parameters
from kdos.train.facts import world_from_triples
from kdos.train.proxies import MeasuredRow, TrainingSpec, evaluate_proxy, shuffled_epochs, train_proxies
from kdos.train.sweep import RunKnowledge, askable_triple, read_knowledge

RANDOM_SEEDS = (7, 8, 9, 10)
WIDTHS = (16, 32, 48)
FACTS = (2000, 4000)
"""Facts of a universe: as many as the smallest models can hold, and more than that."""
PRESENTATIONS, DRAWS = 192_000, 2000
MODELS_PER_POOL = 2
POOLS_AT_ONCE = 5
"""Pools whose models a process trains together."""
KINDS = ("before", "blind", "steered", "random_few", "random")
RESULT = Path(__file__).parent / "results" / "pool_recall.json"
MAKE_POOL = """
import sys
from dataclasses import replace
from pathlib import Path
from kdos.demo import DEMO, demo
if __name__ == "__main__":
    demo(Path(sys.argv[2]), config=replace(DEMO, random_seed=int(sys.argv[1])))
"""


@dataclass(frozen=True)
class Models:
    """Models to train: a width, and the pools by name; `digest` of what the pools hold."""

    folder: Path
    facts: int
    width: int
    pools: tuple[str, ...]
    digest: str


def make_pools(folder: Path, before: Path | None) -> None:
    """The demo with each random seed, by this version and by the one before, where it has not ended yet."""
    sources = {"steered": Path(kdos.__file__).parents[1]} | ({"before": before} if before else {})
    script = folder / "make_pool.py"
    script.write_text(MAKE_POOL)
    for kind, source in sources.items():
        for seed in RANDOM_SEEDS:
            out = folder / f"{kind}-{seed}"
            if not (out / "blind" / "summary.json").is_file():
                environment = os.environ | {"PYTHONPATH": str(source.resolve())}
                subprocess.run([sys.executable, str(script), str(seed), str(out)], env=environment, check=True)


def sample_files(folder: Path) -> dict[str, list[Path]]:
    """The files of samples of each pool, by its name; the blind pools are those beside the steered ones."""
    found: dict[str, list[Path]] = {}
    for seed in RANDOM_SEEDS:
        run = folder / f"steered-{seed}"
        found[f"steered-{seed}"] = sorted(run.glob("synthesize/part-*/samples.parquet"))
        found[f"blind-{seed}"] = sorted(run.glob("blind/synthesize/part-*/samples.parquet"))
        found[f"before-{seed}"] = sorted((folder / f"before-{seed}").glob("synthesize/part-*/samples.parquet"))
    return {name: files for name, files in found.items() if files}


def read_universe(folder: Path, facts: int) -> RunKnowledge:
    """Facts of the source drawn at random, the same for every pool."""
    return read_knowledge(folder / f"steered-{RANDOM_SEEDS[0]}", most=facts, random_seed=0)


def count_exposures(knowledge: RunKnowledge, files: Sequence[Path]) -> tuple[Int64Array, float]:
    """How often a pool shows each fact, shape (n_facts,), and the share of its sentences that could be read."""
    sentences = Counter(
        point for file in files for points in column_values(read_parquet(file, ["knowledge_points"]), "knowledge_points")
        for point in points
    )  # fmt: skip
    row = {triple: number for number, triple in enumerate(knowledge.triples)}
    counts, read = np.zeros(len(row), np.int64), 0
    for sentence, times in sentences.items():
        triple = askable_triple(sentence)
        read += times * (triple is not None)
        if triple in row:
            counts[row[triple]] += times
    return counts, read / sentences.total()


def draw_random_pools(exposures: dict[str, Int64Array], seed: int) -> dict[str, Int64Array]:
    """Pools of random facts, each once: as many as the steered pool of this random seed shows, and as the blind one."""
    turn = keyed_generator(seed, "random pool").permutation(len(exposures[f"steered-{seed}"]))
    as_many = {"random": f"steered-{seed}", "random_few": f"blind-{seed}"}
    return {
        f"{kind}-{seed}": (turn < np.count_nonzero(exposures[other])).astype(np.int64)
        for kind, other in as_many.items()
    }


def train_models(models: Models) -> list[MeasuredRow]:
    """What each model knows of the universe's facts, asked in the wording that it was not shown."""
    world = world_from_triples(read_universe(models.folder, models.facts).triples)
    pools = np.load(models.folder / f"exposures-{models.facts}.npz")
    named = [(name, number) for name in models.pools for number in range(MODELS_PER_POOL)]
    specs: list[TrainingSpec] = []
    for name, number in named:
        rng = keyed_generator(0, "pool recall", name, number, models.width)
        shown = np.repeat(np.arange(len(world.value)), pools[name])
        specs.append(TrainingSpec(("pool recall", name, number), world, (shuffled_epochs(shown, PRESENTATIONS, rng),)))
    ensemble = train_proxies(specs, width=models.width)
    everything = np.arange(len(world.value))
    known = {
        (name, number): evaluate_proxy(ensemble, place, specs[place], everything).paraphrase
        for place, (name, number) in enumerate(named)
    }
    return [
        {
            "pool": name,
            "width": models.width,
            "known": np.mean([known[name, number] for number in range(MODELS_PER_POOL)], axis=0).tolist(),
        }
        for name in models.pools
    ]


def interval(draws: Float64Array) -> list[float]:
    """The middle 95 of 100 draws."""
    return np.quantile(draws, [0.025, 0.975]).round(4).tolist()


def draw_means(known: Float64Array, facts: Float64Array, rng: np.random.Generator) -> Float64Array:
    """Bootstrap means of `known`, shape (n_pools, n_facts), with `facts` drawn (n_facts, n_draws); shape (n_draws,)."""
    by_pool = known @ facts / len(facts)
    chosen = rng.integers(0, len(known), by_pool.shape)
    return np.take_along_axis(by_pool, chosen, axis=0).mean(axis=0)


def summarise(rows: Sequence[MeasuredRow], width: int) -> list[dict[str, object]]:
    """A row for each kind of pool: its recall; for the steered one its lead over each other, with intervals."""
    rng = keyed_generator(0, "pool recall bootstrap", width)
    known: dict[str, Float64Array] = {}
    for kind in KINDS:
        mine = [r["known"] for r in rows if r["width"] == width and r["pool"].rpartition("-")[0] == kind]
        if mine:
            known[kind] = np.array(mine, np.float64)
    n_facts = len(rows[0]["known"])
    facts = rng.multinomial(n_facts, np.full(n_facts, 1 / n_facts), DRAWS).T.astype(np.float64)
    draws = {kind: draw_means(values, facts, rng) for kind, values in known.items()}
    table: list[dict[str, object]] = []
    for kind, values in known.items():
        row: dict[str, object] = {"width": width, "params": count_parameters(width), "pools": kind}
        row |= {"recall": round(float(values.mean()), 4), "interval": interval(draws[kind])}
        row["by_pool"] = values.mean(axis=1).round(4).tolist()
        for other in known:
            if kind == "steered" and other != kind:
                row[f"minus_{other}"] = round(float(values.mean() - known[other].mean()), 4)
                row[f"minus_{other}_interval"] = interval(draws[kind] - draws[other])
        table.append(row)
    return table


def compare_pools(folder: Path, facts: int) -> dict[str, object]:
    """What every pool shows of a universe of so many facts, and what its models know."""
    knowledge = read_universe(folder, facts)
    exposures: dict[str, Int64Array] = {}
    pools: list[dict[str, object]] = []
    for name, files in sample_files(folder).items():
        exposures[name], read = count_exposures(knowledge, files)
        shown = {"shown_share": float((exposures[name] > 0).mean()), "exposures": int(exposures[name].sum())}
        pools.append({"pool": name, "sentences_read": round(read, 4)} | shown)
    for seed in RANDOM_SEEDS:
        exposures |= draw_random_pools(exposures, seed)
    np.savez(folder / f"exposures-{facts}.npz", **exposures)
    names, digest = tuple(exposures), hashlib.sha256(np.stack(list(exposures.values())).tobytes()).hexdigest()
    groups = [
        Models(folder, facts, width, names[low : low + POOLS_AT_ONCE], digest)
        for width in WIDTHS
        for low in range(0, len(names), POOLS_AT_ONCE)
    ]
    with closing(Lab(folder / "models", workers=os.cpu_count() or 1)) as lab:
        rows = [row for part in lab.measure_groups(train_models, groups, name="pools") for row in part]
        core_seconds = round(lab.core_seconds)
    table = [row for width in WIDTHS for row in summarise(rows, width)]
    return {"facts": facts, "core_seconds": core_seconds, "pools": pools, "rows": table}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--before", type=Path, metavar="SRC")
    args = parser.parse_args()
    (args.folder / "models").mkdir(parents=True, exist_ok=True)
    make_pools(args.folder, args.before)
    result = {
        "command": f"python benchmarks/pool_recall.py DIR{' --before SRC' if args.before else ''}",
        "presentations": PRESENTATIONS,
        "models_per_pool": MODELS_PER_POOL,
        "versions": {name: importlib.metadata.version(name) for name in ("kdos", "numpy", "torch")},
        "universes": [compare_pools(args.folder, facts) for facts in FACTS],
    }
    RESULT.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    print(orjson.dumps(result["universes"]).decode())


if __name__ == "__main__":
    main()
