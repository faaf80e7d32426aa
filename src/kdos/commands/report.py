"""`kdos report RUN`."""

import argparse

from kdos.api import report
from kdos.commands.arguments import input_path
from kdos.terminal import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("run", type=input_path, metavar="RUN", help="the folder of a run, finished or still going")
    parser.add_argument("--png", action="store_true", help="write the figures as PNG files beside the page")


def main(args: argparse.Namespace) -> None:
    """Write ``RUN/report/index.html``; says on stdout where everything is."""
    written = report(args.run, png=args.png)
    print_json({"page": str(written.page), "bytes": written.size, "figures": [str(path) for path in written.figures]})
