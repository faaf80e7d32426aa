"""Do the levels of difficulty and the disciplines come that were asked for?

    python benchmarks/loop_levels.py simulated [--samples 5000] [--seeds 5]
    python benchmarks/loop_levels.py articles --data DATA [--samples 5000]

`simulated`: the product's loop with a drafter whose questions come out one level too easy 40 % of the time, in a world
of five disciplines whose levels differ in how often they come. `articles`: `kdos run` with `rules` on 60 articles
of Wikipedia (SQuAD, SquadShifts), put into five disciplines by hand below, a fifth of the samples; and all of them, by
levels alone, on these and the pages of a MediaWiki dump. Total variation between what was wanted and what came, in all
and by discipline; the relative error of each discipline's share; how many of the questions that were written again
came out harder. Adds to benchmarks/results/loop_levels.json, in place of the same part there.
"""

import argparse
import gzip
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow.parquet as pq
from loop_simulator import NoQuestions, World, add_nothing, make_world

from kdos.chance import keyed_generator
from kdos.config import BudgetConfig, Config, SourceConfig, SynthesizeConfig
from kdos.logic import LEVELS
from kdos.pool import Draft, ErrorClass, Refusal
from kdos.sampler import Order, Pick, number_disciplines
from kdos.seed.sources import open_source
from kdos.synthesize import LoopState, Outlook, PickWindow, SynthesisContext, loop_steps, run_loop
from kdos.synthesize.loop import Candidate, DraftedPick
from kdos.synthesize.window import PickWork
from kdos.targets import plan_cell_quotas

RESULT = Path(__file__).parent / "results" / "loop_levels.json"
WANTED = {"D1": 0.3, "D2": 0.4, "D3": 0.3}
"""The mix of the examples in README and docs."""
WANTED_SIMULATED = {"D1": 0.1, "D2": 0.2, "D3": 0.3, "D4": 0.25, "D5": 0.15}
TOO_EASY = 0.4
SHARES = {"geography": 0.3, "history": 0.2, "science": 0.06, "society": 0.22, "technology": 0.22}
TITLES = {
    "geography": "Andes|Baltic Sea|Connecticut|Oxford|Rotterdam|Sierra Nevada (U.S.)|Amazon rainforest|Fresno, California|"
    "Jacksonville, Florida|Newcastle upon Tyne|Warsaw",
    "history": "Armenian Apostolic Church|Colonial history of the United States|Flag of the United States|Latin|"
    "Marxism%E2%80%93Leninism|Surname|French and Indian War|Imperialism|Martin Luther|Normans|United Methodist Church",
    "science": "Neuroscience|Precipitation|Tin|Black Death|Ctenophora|Force|Geology|Immune system|Oxygen|Pharmacy",
    "society": "Decentralization|Homelessness in the United States|Insurance in the United States|Morality|"
    "Political divisions of the United States|Postmodernism|Republican Party (United States)|Second-wave feminism|"
    "Unemployment in the United States|University of Pittsburgh|Civil disobedience|European Union law|"
    "Harvard University|Private school|Scottish Parliament|Super Bowl 50|Teacher|University of Chicago",
    "technology": "Cartesian coordinate system|Function (mathematics)|Microsoft Windows|Structural engineering|Subroutine|"
    "Apollo program|Construction|Nikola Tesla|Packet switching|Sky (United Kingdom)",
}
"""Titles as the files spell them."""
EXPOSURES = 4
"""So that the pages hold 5,000 samples' worth."""
POINTS_A_SAMPLE = 4


def total_variation(wanted: Mapping[str, float], came: Mapping[str, int]) -> float:
    """Half the sum of differences between wanted shares and those of the counts."""
    total = sum(came.values())
    return 0.5 * sum(abs(wanted.get(level, 0.0) - came.get(level, 0) / total) for level in LEVELS)


def describe_levels(wanted: Mapping[str, float], came: Mapping[str, Counter[str]]) -> dict[str, Any]:
    """How far the levels are from what was wanted, over all and by discipline."""
    together = sum(came.values(), Counter[str]())
    return {
        "came": {level: together[level] for level in LEVELS},
        "tv": total_variation(wanted, together),
        "tv_by_discipline": {name: total_variation(wanted, counts) for name, counts in sorted(came.items())},
    }


def play_simulated(samples: int, random_seed: int) -> dict[str, Any]:
    """The loop with a drafter that knows the points of its world, and misses levels."""
    world = make_world(samples * POINTS_A_SAMPLE * 2, random_seed)
    config = Config(
        SourceConfig("pydocs"),
        budget=BudgetConfig(samples=samples),
        synthesize=SynthesizeConfig(window=256),
        difficulty=WANTED_SIMULATED,
        random_seed=random_seed,
    )
    came: dict[str, Counter[str]] = {}
    context = _simulated_context(world, config)
    steps = replace(loop_steps(context), draft=_level_drafter(world, context))
    state = LoopState.begin(n_cells=world.n_cells, n_points=world.n_points, n_disciplines=len(SHARES))
    drafts = 0
    for part, _, _ in run_loop(state, steps, PickWindow(cast(Any, None))):
        drafts += len(part.candidates)
        for candidate in part.accepted:
            name = context.links.disciplines.names[context.discipline_of(candidate.pick)]
            came.setdefault(name, Counter())[LEVELS[candidate.level or 0]] += 1
    total = sum(counts.total() for counts in came.values())
    errors = {name: came[name].total() / total / share - 1 for name, share in SHARES.items()}
    found = {"random_seed": random_seed, "drafts": drafts, "share_errors": errors}
    return found | describe_levels(WANTED_SIMULATED, came)


def _simulated_context(world: World, config: Config) -> SynthesisContext:
    supply = np.bincount(world.links.cells, minlength=world.n_cells)
    quotas = plan_cell_quotas(np.log(supply / supply.sum()), supply, exposures=1, order=world.n_points)
    wanted = np.array([SHARES[name] for name in sorted(SHARES)])
    names = [list(SHARES)[document % len(SHARES)] for document in world.links.documents.tolist()]
    links = replace(world.links, disciplines=number_disciplines(names))
    return SynthesisContext(
        config=config,
        space=cast(Any, SimpleNamespace(n_cells=world.n_cells)),
        order=Order(quotas.log_q, config.exposures, np.ones(world.n_points, bool), config.budget.samples, wanted),
        library=cast(Any, None),
        links=links,
        inventory=cast(Any, SimpleNamespace(cells=world.links.cells, add_unknown=add_nothing)),
        known=cast(Any, NoQuestions()),
        embed_texts=cast(Any, None),
    )


def _level_drafter(world: World, context: SynthesisContext) -> Any:
    """Drafts that are one level too easy 40 % of the time, more or less so by discipline."""

    def draft(pick: Pick, _: Outlook) -> PickWork[DraftedPick]:
        rng = keyed_generator(world.random_seed, "drafter", pick.id)
        too_easy = TOO_EASY + 0.1 * (context.discipline_of(pick) - 2) / 2
        found: list[Candidate] = []
        for number, use in enumerate(pick.use):
            points, sound = world.write_draft(use, rng)
            name = f"{pick.id}/{number}"
            level = max(LEVELS.index(pick.difficulty) - int(rng.random() < too_easy), 0)
            fine = sound and bool(points)
            refusal = None if fine else Refusal("unsound", ErrorClass.ANSWER)
            draft = Draft(name, name, name, (), (), "", (), ())
            answering = points[0] if points else None
            found.append(Candidate(draft, pick, use, refusal, points=points, answering=answering, level=level))
        yield []  # nobody is asked
        return DraftedPick(found)

    return draft


def play_articles(data: Path, samples: int) -> dict[str, Any]:
    """`kdos run` with `rules`: on articles of five disciplines, and for `samples` on these and a dump's pages."""
    with tempfile.TemporaryDirectory() as base:
        path, rows = Path(base) / "articles.jsonl", list(_read_articles(data))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        five = _run_levels(path, {"exposures": EXPOSURES, "disciplines": SHARES}, samples=samples // 5)
        dump = SourceConfig("wikipedia", path=str(data / "corpora" / "enwiki_sample.xml.bz2"))
        pages = (page for page in open_source(dump) if not isinstance(page, Refusal))
        rows += [{"id": page.id, "title": page.title, "text": page.text} for page in pages]
        path = Path(base) / "all.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return {"five disciplines": five, "levels alone": _run_levels(path, {"exposures": EXPOSURES}, samples=samples)}


def _read_articles(data: Path) -> Iterator[dict[str, str]]:
    discipline_of = {title: name for name, titles in TITLES.items() for title in titles.split("|")}
    for name in ("squad_articles", "squadshifts_new_wiki_articles"):
        for line in gzip.decompress((data / "corpora" / f"{name}.jsonl.gz").read_bytes()).splitlines():
            article = json.loads(line)
            text = "\n".join(paragraph["text"] for paragraph in article["paragraphs"])
            row = {"id": article["id"], "title": article["title"], "text": text}
            yield row | {"domain": discipline_of[article["title"]]}


def _run_levels(path: Path, changes: Mapping[str, Any], *, samples: int) -> dict[str, Any]:
    """What came of a run of so many samples, and of the drafts that were written again."""
    source = {"kind": "text", "path": str(path), "domain": "domain" if "disciplines" in changes else ""}
    config = {"source": source, "budget": {"samples": samples}, "difficulty": WANTED, **changes}
    folder = path.with_suffix("")
    folder.with_suffix(".yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "kdos", "run", str(folder.with_suffix(".yaml")), "--out", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    summary = json.loads(done.stdout.splitlines()[-1])
    rows = _read_rows(folder / "dataset", "*.parquet", ["domain", "difficulty"])
    reasons = Counter(
        row["reason"] for row in _read_rows(folder / "synthesize", "part-*/verdicts.parquet", ["reason"])
    )
    came: dict[str, Counter[str]] = {}
    for row in rows:
        came.setdefault(row["domain"] or "all", Counter())[row["difficulty"]] += 1
    names = ("samples", "drafts", "distinct", "coverage", "stop_reason", "seconds")
    shares = changes.get("disciplines", {})
    return {
        **{name: summary[name] for name in names},
        "disciplines": {name: counts.total() for name, counts in sorted(came.items())},
        "share_errors": {name: came[name].total() / len(rows) / share - 1 for name, share in shares.items()},
        "rewritten": {"harder": reasons["replaced_by_harder"], "not_harder": reasons["not_harder"]},
    } | describe_levels(WANTED, came)


def _read_rows(folder: Path, pattern: str, columns: list[str]) -> list[dict[str, Any]]:
    paths = sorted(folder.glob(pattern))
    return [row for path in paths for row in pq.read_table(path, columns=columns).to_pylist()]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=("simulated", "articles"))
    parser.add_argument("--samples", type=int, default=5_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    if args.part == "simulated":
        found: Any = [play_simulated(args.samples, seed) for seed in range(args.seeds)]
    elif args.data is None:
        raise SystemExit("loop_levels: articles needs --data DATA.")
    else:
        found = play_articles(args.data, args.samples)
    result = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    result["versions"] = {name: importlib.metadata.version(name) for name in ("kdos", "numpy")}
    result[args.part] = found
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
