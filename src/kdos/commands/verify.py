"""`kdos verify FILE`: what is wrong with the questions of any dataset, and in how many."""

import argparse
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table

from kdos.config import Config, EngineConfig, SourceConfig
from kdos.errors import UsageError
from kdos.llm import Ledger
from kdos.logic import ShapeCounts
from kdos.rows import list_table_fields
from kdos.run.benchmarks import benchmarks_of, read_questions
from kdos.run.run import open_engine
from kdos.store import write_json
from kdos.terminal import Progress, console, say, show_json
from kdos.verify import (
    Checked,
    Options,
    Panel,
    Tally,
    check_items,
    find_fields,
    judge,
    keep_accepted,
    read_items,
    summarise,
    write_verdicts,
)

PARTS = ("question", "answers", "passage", "knowledge_points", "logic", "topic_entities", "id")
IN_MEMORY = Path(":memory:")
SHOWN_EVERY = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a table, or a folder of tables")
    for part in PARTS:
        flag = part.replace("_", "-")
        parser.add_argument(f"--{flag}", metavar="FIELD", help=f"the field with the {part}")
    parser.add_argument("--lang", default="", help="the language wanted (default: en)")
    parser.add_argument("--limit", type=int, metavar="N", help="check the first N rows only")
    parser.add_argument(
        "--benchmark",
        action="append",
        default=[],
        metavar="FILE",
        help="a file, folder or name of questions nobody may train on; may be given again",
    )
    parser.add_argument(
        "--judges", type=int, default=0, metavar="K", help="ask K judges; needs a passage"
    )
    parser.add_argument(
        "--attempts", type=int, default=0, metavar="K", help="answer K times unseen; needs --url"
    )
    parser.add_argument("--url", help="an OpenAI-compatible endpoint (default: the rules engine)")
    parser.add_argument("--model", help="the model's name at the endpoint")
    parser.add_argument("--key-env", metavar="NAME", help="the environment variable with the key")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep verdicts, ledger and summary")
    parser.add_argument("--keep", type=Path, metavar="OUT.parquet", help="write the accepted rows")
    parser.add_argument("--json", action="store_true", help="the summary as JSON on stdout")


def main(args: argparse.Namespace) -> None:
    """Check, judge where asked to, and show the error analysis."""
    given = {part: getattr(args, part) for part in PARTS if getattr(args, part)}
    options = Options(find_fields(list_table_fields(args.file), given), args.lang)
    check_flags(args, options)
    benchmarks = benchmarks_of(read_questions(args.benchmark))
    options = Options(options.fields, args.lang, benchmarks)
    tally, shapes = Tally(), ShapeCounts()
    checked = check_items(
        read_items(args.file, options.fields, limit=args.limit), options, shapes=shapes
    )
    with Progress().stage("verify"):
        finish(args, tally.count(judged(args, checked)))
    summary: dict[str, Any] = summarise(tally, shapes)
    if args.keep:
        keep_accepted(args.file, args.keep, tally.accepted)
    if args.out:
        write_json(args.out / "summary.json", summary)
    show(summary, as_json=args.json)


def check_flags(args: argparse.Namespace, options: Options) -> None:
    """Refuse flags that cannot be meant, before any row is read."""
    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit must be at least 1. Got {args.limit}.")
    if args.judges < 0 or args.attempts < 0:
        raise UsageError("--judges and --attempts must not be negative.")
    if args.judges and not options.fields.passage:
        raise UsageError("--judges must have a passage to judge by. Give --passage FIELD.")
    if args.attempts and not args.url:
        raise UsageError("--attempts must have a model to answer. Give --url and --model.")
    if args.url and not args.model:
        raise UsageError("--url must come with --model NAME.")


def judged(args: argparse.Namespace, checked: Iterable[Checked]) -> Iterator[Checked]:
    """The items after the second call, where one was asked for."""
    panel = Panel(args.judges, args.attempts)
    if not panel.judges + panel.attempts:
        yield from checked
        return
    kind = "http" if args.url else "rules"
    engine = EngineConfig(
        kind, args.url, args.model, key_env=args.key_env, concurrency=args.concurrency
    )
    config = Config(SourceConfig("qa", str(args.file)), engine)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
    place = args.out / "ledger.sqlite" if args.out else IN_MEMORY
    with Ledger(place) as ledger, open_engine(config) as opened:
        yield from judge(checked, panel, ask=partial(ledger.ask, opened))


def finish(args: argparse.Namespace, checked: Iterable[Checked]) -> None:
    """Write the verdicts, or only count them."""
    if args.out:
        write_verdicts(args.out / "verdicts.parquet", checked)
    else:
        for _ in checked:
            pass


def show(summary: dict[str, Any], *, as_json: bool) -> None:
    """The summary as JSON, or a table for the eye."""
    if as_json:
        show_json(summary)
        return
    table = Table("reason", "rows", title="refused")
    for reason, count in summary["by_reason"].items():
        table.add_row(reason, f"{count:,}")
    console.print(table)
    say(f"{summary['accepted']:,} of {summary['rows']:,} rows accepted")
