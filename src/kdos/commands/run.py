"""``kdos run CONFIG.yaml``: from a source to a balanced dataset; the same again resumes."""

import argparse
from pathlib import Path
from typing import Any

import yaml

from kdos.config import Config, read_config
from kdos.errors import ConfigError, InputError
from kdos.run import run
from kdos.terminal import say, show_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `kdos run` takes."""
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml")
    parser.add_argument("--out", type=Path, help="the run's folder (default: runs/NAME)")
    parser.add_argument(
        "--cache", type=Path, metavar="FILE", help="a ledger that runs share: nothing paid twice"
    )
    parser.add_argument("--workers", type=int, help="processes for what this machine computes")


def main(args: argparse.Namespace) -> None:
    """Run, or go on with a run; the last line on stdout is the summary."""
    config = load_config(args.config)
    if args.workers is not None:
        config = read_config(config.to_dict() | {"workers": args.workers})
    out = args.out or Path("runs") / args.config.stem
    summary = run(config, out, cache=args.cache)
    say(f"dataset: {out / 'dataset'}")
    say(f"report:  {out / 'report' / 'index.html'}")
    show_json(summary)


def load_config(path: Path) -> Config:
    """The configuration in a YAML file.

    Raises:
        InputError: There is no such file, or it is no YAML.
        ConfigError: A key or value is wrong; the message names the file.
    """
    try:
        value: Any = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.at(path, f"must be a YAML file. {error}") from error
    except yaml.YAMLError as error:
        raise InputError.at(path, f"must be YAML. {' '.join(str(error).split())}") from error
    try:
        return read_config(value)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
