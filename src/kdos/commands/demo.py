"""``kdos demo``: the whole of kdos on the documentation of the Python that runs it."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdos.api.runs import override_config
from kdos.commands.arguments import output_path, whole_number
from kdos.config import BudgetConfig
from kdos.demo import DEMO, SAMPLES, demo
from kdos.run import explain_stop
from kdos.terminal import print_json, print_status, print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `kdos demo` takes."""
    parser.add_argument("--out", type=output_path, default=Path("kdos-demo"), help="the run's folder")
    parser.add_argument(
        "--samples",
        type=samples_or_all,
        default=SAMPLES,
        metavar="N|all",
        help=f"how many samples to make; all: until the documentation is covered (default: {SAMPLES:,})",
    )
    parser.add_argument("--workers", type=whole_number(1), default=DEMO.workers)


def samples_or_all(text: str) -> int | None:
    """How many samples at most; None for as many as the content asks for."""
    if text == "all":
        return None
    try:
        return whole_number(1)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error} Or give all.") from error


def main(args: argparse.Namespace) -> None:
    """Run the demo; the last line on stdout is the steered run's summary, with blind's inside."""
    config = override_config(replace(DEMO, budget=BudgetConfig(samples=args.samples)), workers=args.workers)
    steered, blind = demo(args.out, config=config)
    title = f"the same number of samples, target {config.target}"
    print_table(title, ("", "steered", "blind"), compare_runs(steered, blind))
    print_status(explain_stop(steered))
    print_status(f"dataset: {args.out / 'dataset'}")
    print_status(f"report:  {args.out / 'report' / 'index.html'}")
    print_json(steered | {"blind": blind})


def compare_runs(steered: Mapping[str, Any], blind: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """What the two runs hold and what that cost, a row for each figure."""
    both = (steered, blind)
    reach = steered["reference"]["knowledge_points"] - steered["unreachable_points"]
    rows = {
        "samples": [f"{each['samples']:,}" for each in both],
        "drafts": [f"{each['drafts']:,}" for each in both],
        "drafts a sample": [f"{each['drafts'] / max(each['samples'], 1):.3f}" for each in both],
        "knowledge points held, distinct": [f"{each['distinct']:,}" for each in both],
        "coverage of the source": [f"{each['coverage']:.3f}" for each in both],
        "coverage of what can be reached": [f"{each['distinct'] / max(reach, 1):.3f}" for each in both],
        "their occurrences": [f"{each['knowledge_points']:,}" for each in both],
        "exposures still wanted": [f"{each['order'] - each['filled']:,}" for each in both],
        "share out of reach": [f"{each['unreachable_mass']:.4f}" for each in both],
        "KL to the target, nats": ["-" if each["kl"] is None else f"{each['kl']:.4f}" for each in both],
        "noise floor": ["-" if each["kl_floor"] is None else f"{each['kl_floor']:.4f}" for each in both],
        "total variation": [f"{each['tv']:.4f}" for each in both],
    }
    return [(name, *shown) for name, shown in rows.items()]
