"""The command line: each command lives in ``commands/`` and is loaded when it is called."""

import argparse
import errno
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import NoReturn

from kdos.errors import KdosError, UsageError
from kdos.printable import printable_block, printable_line
from kdos.version import __version__

COMMANDS = {
    "demo": "balance a corpus made of this Python's own documentation, offline",
    "run": "turn a source into a balanced dataset, as a configuration says; resumes",
    "density": "measure how the knowledge in a dataset is distributed",
    "select": "cut a dataset to a budget so that it meets a target distribution",
    "extract": "add to each row of a question-answer table the knowledge points that it rests on",
    "export": "write a run's dataset, or any question-answer table, for a trainer or the Hub",
    "report": "write a run's report page",
    "evaluate": "score a model, or given answers, on a closed-book benchmark",
    "verify": "check and judge any question-answer table, and say what is wrong with it",
    "sweep": "say what small models learn from a run's pools, beside those of simpler rules",
    "train": "teach facts to small models, or to one of yours, and probe what they remember",
    "target": "say what is still missing in a run, cell by cell, with examples",
    "doctor": "check that everything is there that a run will need, and what it will cost",
    "serve-rules": "put the built-in engine behind an OpenAI-compatible server, for rehearsal",
    "scaling": "find how much a model can be taught, from small ones, and plan with it",
    "graph": "look at how knowledge points link, and walk paths through them",
}
# What the system says of a path that cannot be used as it was given; anything else went wrong while we worked.
UNUSABLE_PATH = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM),
    *(errno.EINVAL, errno.EEXIST, errno.ENXIO),
)
INTERRUPTED = 130


class OneLineParser(argparse.ArgumentParser):
    """A parser whose complaint is an error of ours, in one line."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the arguments, and where they are explained.

        Raises:
            UsageError: Always.
        """
        # Types of `commands/arguments.py` say "it", for they do not know their argument.
        named = re.sub(r"^argument ([^:]+): it ", r"\1 ", message.rstrip("."))
        raise UsageError(f"{named}. See {self.prog} --help.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 wrong use, 130 interrupted."""
    if argv is None:
        sys.excepthook = _print_traceback
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return run_command(arguments)
    except KdosError as error:
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain("interrupted; the same command resumes", INTERRUPTED)
    except BrokenPipeError:
        return _stop_writing(1)
    except OSError as error:
        return _complain(_describe_system_error(error), 2 if error.errno in UNUSABLE_PATH else 1)


def _complain(message: str, exit_code: int) -> int:
    """One line on stderr, where there is still somebody who reads it."""
    try:
        sys.stderr.write(f"kdos: {printable_line(message)}\n")
        sys.stderr.flush()
        sys.stdout.flush()
    except OSError:
        return _stop_writing(exit_code)
    return exit_code


def _stop_writing(exit_code: int) -> int:
    """Lead stdout nowhere: the interpreter writes what is left of it once more at its end, and would complain."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exit_code


def _describe_system_error(error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{error.filename}: {reason}. Mend that and run the same command again." if error.filename else f"{reason}."


def _print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A fault of ours in full, the foreign text in it made printable."""
    from traceback import format_exception  # of no use where all is well

    sys.stderr.write(printable_block("".join(format_exception(kind, error, trace))))


def run_command(arguments: list[str]) -> int:
    """Parse, load the one command that is named, run it."""
    parser = OneLineParser(
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
