"""`kdos sweep RUN --model NAME`: what a real model knows after it has read each pool."""

import argparse
from contextlib import closing
from typing import Any

from kdos.causal_lm import check_pretrained, import_libraries
from kdos.commands.arguments import input_name, number, whole_number
from kdos.errors import InputError, UsageError
from kdos.evaluate import open_benchmark
from kdos.outputs import SWEEP, check_folder_of_kind, claim_folder
from kdos.rows import read_table_rows
from kdos.run.sweep_pools import PoolPlan, cut_pools, make_pools, size_pools
from kdos.store import write_json
from kdos.terminal import print_status
from kdos.train import Lab
from kdos.train.pretrained_sweep import (
    ARMS,
    Reading,
    match_questions,
    read_pool_texts,
    read_source_facts,
    refuse_few_questions,
    run_pretrained_sweep,
)

TOKENS, REPLAY_SHARE, RATE = 100_000, 0.25, 1e-4


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """What a real model needs."""
    parser.add_argument(
        "--model", type=input_name, metavar="NAME", help="a causal model in place of small ones: name, folder or .gguf"
    )
    parser.add_argument(
        "--questions", type=input_name, metavar="FILE", help="people's questions about the source, for --model"
    )
    parser.add_argument(
        "--held-out", type=input_name, metavar="FILE", help="a table with texts that no pool holds, for --model"
    )
    parser.add_argument(
        "--replay", type=input_name, metavar="FILE", help="a table with texts to read between those of a pool"
    )
    parser.add_argument(
        "--replay-share",
        type=number(most=1),
        default=REPLAY_SHARE,
        help=f"of what --model reads (default: {REPLAY_SHARE})",
    )
    parser.add_argument(
        "--tokens", type=whole_number(1), default=TOKENS, help=f"that --model reads of each pool (default: {TOKENS})"
    )
    parser.add_argument("--rate", type=number(), default=RATE, help=f"of learning, for --model (default: {RATE})")


def sweep_model(args: argparse.Namespace) -> dict[str, Any]:
    """What a real model knows after it has read each pool, as a table."""
    if not args.questions:
        raise UsageError("--model needs --questions: what it is asked before and after it reads a pool.")
    if not (args.replay_share < 1 and args.rate > 0):
        raise UsageError(
            f"--replay-share must be in [0, 1) and --rate more than 0. Got {args.replay_share} and {args.rate}."
        )
    facts = read_source_facts(args.run)
    asked = match_questions(facts, _read_questions(args.questions))
    refuse_few_questions(sum(one.row is not None for one in asked))
    held_out, replay = (_read_column(path, "text") if path else [] for path in (args.held_out, args.replay))
    reading = Reading(args.model, args.tokens, args.replay_share, rate=args.rate, random_seed=args.random_seed)
    size = size_pools(args.run, samples=args.samples)
    plan = PoolPlan(args.run, targets=(), exposures=(), pools=args.pools, samples=size.samples, facts={})
    inputs = [args.run, args.model, args.questions, args.held_out, args.replay]
    check_folder_of_kind(args.out, SWEEP, inputs=inputs)
    _, transformers = import_libraries("--model needs transformers")
    check_pretrained(transformers, args.model, option="--model")
    with claim_folder(args.out, SWEEP, inputs=inputs):
        make_pools(plan, args.out / "pools", workers=args.workers)
        pools = cut_pools(plan, args.out / "pools")
        texts = {arm: read_pool_texts(facts, pools[arm]) for arm in ARMS}
        with closing(Lab(args.out / "models", workers=args.workers)) as lab:
            table = run_pretrained_sweep(
                reading, facts, asked, texts, lab, replay=replay, held_out=held_out, folder=args.out / "reading"
            )
            table |= {"samples": plan.samples, "core_seconds": round(lab.core_seconds)}
        write_json(args.out / "sweep-model.json", table)
    if not args.json:
        _show_reading(table)
    return table


def _read_questions(path: str) -> list[tuple[str, str, str]]:
    """Subject, question and first answer of each row."""
    questions = open_benchmark(path, option="--questions")
    if (row := next((row for row, one in enumerate(questions, 1) if not one.answers), None)) is not None:
        raise InputError.at(f"{path}, row {row}", "must hold an answer. Got none", field="answers")
    answers = [one.answers[0] for one in questions]
    return list(zip(_read_column(path, "subject"), _read_column(path, "question"), answers, strict=True))


def _read_column(path: str, name: str) -> list[str]:
    """The texts of a table's column; an empty one is an `InputError`."""
    found: list[str] = []
    for rows in read_table_rows(path, columns=[name]):
        for row, text in enumerate(rows.text_column(name).to_pylist()):
            if text is None:
                raise rows.row_error(row, "must hold a text. It is empty", field=name)
            found.append(text)
    return found


def _show_reading(table: dict[str, Any]) -> None:
    print_status(f"{table['facts']:,} facts that the model missed, {table['known_facts']:,} that it knew")
    for row in table["arms"]:
        kept = f"  keeps {row['known_kept']:.0%}" if row["known_kept"] is not None else ""
        print_status(
            f"{row['arm']:<14} covers {row['coverage']:.0%}  recall {row['recall']:.3f}  of shown "
            f"{row['recall_of_shown'] or 0:.3f}{kept}"
        )
    for one in table["comparisons"]:
        low, high = one["holm_interval"]
        print_status(
            f"{one['comparison']}: {one['difference']:+.3f} ({low:+.3f} to {high:+.3f}, corrected for the comparisons)"
        )
