"""Types of arguments: what is wrong with a path or a number is said before any work is done."""

import argparse
import math
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from kdos.errors import UsageError
from kdos.outputs import expand_path
from kdos.rows import SeveralPaths
from kdos.rows.fields import JOIN
from kdos.rows.standard_input import spool_standard_input

MOST_WHOLE = 2**63 - 1
SHOWN_CHARS = 40


def output_path(text: str) -> Path:
    """A path to write to, its ``~`` expanded."""
    try:
        return expand_path(text, "it")
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def input_name(text: str) -> str:
    """A path to read, or a name of something that is on no disk: not empty, and not longer than paths can be."""
    if text == "-":
        return str(spool_standard_input())
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"it must be a path or a name. Got {text!r}.")
    try:
        mode = os.stat(text).st_mode  # noqa: PTH116
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            # A device may have no end, and what is read is read more than once.
            raise argparse.ArgumentTypeError(f"it must be a file or a folder. {text} is a device, a pipe or a socket.")
    except FileNotFoundError:
        pass  # it may be a name, or is told by whoever reads it
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise argparse.ArgumentTypeError(f"it must be a path that can be read. {text}: {reason}.") from error
    return text


def add_input_files(parser: argparse.ArgumentParser, what: str) -> None:
    """The argument FILE, which may be given several times, be a pattern, or ``-`` for standard input."""
    parser.add_argument(
        "file", type=input_name, nargs="+", metavar="FILE", help=f"{what}; several, or a pattern; - for standard input"
    )


def joined_paths(names: Sequence[str]) -> str | SeveralPaths:
    """Several files as one table."""
    return names[0] if len(names) == 1 else SeveralPaths(tuple(names))


def joined_fields(names: Sequence[str] | None) -> str | None:
    """Several fields as one text, a blank line between them."""
    return JOIN.join(names) if names else None


def add_question_fields(parser: argparse.ArgumentParser, *, field_help: str = "the same as --question") -> None:
    """The arguments that name the fields of a table of questions and answers."""
    parser.add_argument(
        "--question",
        action="append",
        metavar="FIELD",
        help="the field with the question (default: the likeliest); given again, the texts are joined",
    )
    parser.add_argument("--field", action="append", metavar="FIELD", help=field_help)
    parser.add_argument("--answers", metavar="FIELD", help="the field with the answer or answers")


def question_fields(args: argparse.Namespace) -> dict[str, str]:
    """The fields that the arguments of `add_question_fields` name, by part."""
    named = {"question": joined_fields([*(args.question or ()), *(args.field or ())]), "answers": args.answers}
    return {part: field for part, field in named.items() if field}


def input_path(text: str) -> Path:
    """A path to read."""
    return Path(input_name(text))


def whole_number(least: int = 0, most: int | None = None) -> Callable[[str], int]:
    """A whole number in [`least`, `most`]."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"it must be a whole number. Got {text[:SHOWN_CHARS]!r}.") from error
        _check_bounds(value, least, MOST_WHOLE if most is None else most, text)
        return value

    return read


def number(least: float = 0.0, most: float = math.inf) -> Callable[[str], float]:
    """A finite number in [`least`, `most`]."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"it must be a number. Got {text[:SHOWN_CHARS]!r}.") from error
        if not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"it must be a finite number. Got {text[:SHOWN_CHARS]!r}.")
        _check_bounds(value, least, most, text)
        return value

    return read


def _check_bounds(value: float, least: float, most: float, text: str) -> None:
    if not least <= value <= most:
        bounds = f"at least {least:g}" if value < least else f"at most {most:g}"
        raise argparse.ArgumentTypeError(f"it must be {bounds}. Got {text[:SHOWN_CHARS]}.")
