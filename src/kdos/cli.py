"""The command line: each command lives in ``commands/`` and is loaded when it is called."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from kdos.errors import KdosError
from kdos.version import __version__

COMMANDS = {
    "demo": "balance a corpus made of this Python's own documentation, offline",
    "run": "turn a source into a balanced dataset, as a configuration says; resumes",
    "density": "measure how the knowledge in a dataset is distributed",
    "select": "cut a dataset to a budget so that it meets a target distribution",
    "export": "write a run's dataset for a trainer",
    "report": "write a run's report page",
    "evaluate": "score a model, or given answers, on a closed-book benchmark",
    "verify": "check and judge any question-answer table, and say what is wrong with it",
    "sweep": "train small models at several densities of a run's knowledge, and compare",
    "train": "teach facts to small models, or to one of yours, and probe what they remember",
    "target": "say what is still missing in a run, cell by cell, with examples",
    "doctor": "check that everything is there that a run will need, and what it will cost",
    "serve-rules": "put the built-in engine behind an OpenAI-compatible server, for rehearsal",
    "scaling": "find how much a model can be taught, from small ones, and plan with it",
    "graph": "look at how knowledge points link, and walk paths through them",
}
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 wrong use, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return run_command(arguments)
    except KdosError as error:
        sys.stderr.write(f"kdos: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("kdos: interrupted; the same command resumes\n")
        return INTERRUPTED


def run_command(arguments: list[str]) -> int:
    """Parse, load the one command that is named, run it."""
    parser = argparse.ArgumentParser(
        prog="kdos", description="Training data that teaches language models knowledge, steered by its density."
    )
    parser.add_argument("--version", action="version", version=f"kdos {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    named = next((word for word in arguments if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name == named:
            module = import_module(f"kdos.commands.{name.replace('-', '_')}")
            module.add_arguments(command)
            command.set_defaults(main=module.main)
    args = parser.parse_args(arguments)
    return args.main(args) or 0
