"""``kdos serve-rules``: the built-in engine as an OpenAI-compatible server, batch files included, with faults."""

import argparse
from threading import Event

from kdos.commands.arguments import number, whole_number
from kdos.errors import UsageError
from kdos.llm.mock_habits import HABITS
from kdos.llm.mock_server import InjectedFaults, MockServer, serve_app
from kdos.rules import RulesEngine
from kdos.tasks.choose import CHOOSE_PROMPT
from kdos.tasks.classify import CLASSIFY_PROMPT
from kdos.tasks.extract import EXTRACT_PROMPT, SEED_PROMPT
from kdos.tasks.judge import GRADE_PROMPT, JUDGE_PROMPT, RECALL_PROMPT
from kdos.tasks.review import REVIEW_PROMPT
from kdos.tasks.synthesize import SYNTHESIZE_PROMPT
from kdos.terminal import print_json, print_status

PROMPTS = (
    *(CLASSIFY_PROMPT, SEED_PROMPT, EXTRACT_PROMPT, SYNTHESIZE_PROMPT, JUDGE_PROMPT, REVIEW_PROMPT, RECALL_PROMPT),
    *(CHOOSE_PROMPT, GRADE_PROMPT),
)
SHARES = {
    "truncate": "answers that are cut off (finish reason length)",
    "garble": "answers whose JSON is damaged",
    "hang": "requests that are never answered",
    "reset": "requests whose connection is broken",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `kdos serve-rules` takes."""
    parser.add_argument(
        "--port", type=whole_number(most=65535), default=8000, help="0 takes a free one (default 8000)"
    )
    parser.add_argument("--latency", type=number(), default=0.0, help="seconds before each answer")
    parser.add_argument(
        "--fail",
        action="append",
        default=[],
        metavar="STATUS:SHARE",
        help="share of requests that fail with an HTTP status, as in 429:0.05; may be repeated",
    )
    for name, what in SHARES.items():
        parser.add_argument(f"--{name}", type=number(most=1), default=0.0, help=f"share of {what}")
    parser.add_argument("--retry-after", type=number(), default=1.0, help="seconds that a 429 or 503 asks to wait")
    parser.add_argument("--no-schema", action="store_true", help="refuse response_format json_schema")
    parser.add_argument(
        "--habit",
        action="append",
        default=[],
        choices=HABITS,
        metavar="NAME",
        help=f"do as some servers do; may be repeated: {', '.join(HABITS)}",
    )
    parser.add_argument("--random-seed", type=int, default=0, help="draw other faults")


def main(args: argparse.Namespace) -> None:
    """Serve until interrupted; the line on stdout holds the address."""
    server = MockServer(RulesEngine(), PROMPTS, faults=read_faults(args), habits=args.habit, batches=True)
    try:
        with serve_app(server.build_app(), port=args.port) as url:
            print_json({"url": url})
            print_status(f"answering at {url}; stop with Ctrl-C")
            Event().wait()
    except OSError as error:
        raise UsageError(f"--port must be free. {error.strerror}. Give another one.") from error


def read_faults(args: argparse.Namespace) -> InjectedFaults:
    """The faults that the flags order.

    Raises:
        UsageError: A share is no share, or all together are more than one.
    """
    shares = {name: getattr(args, name) for name in SHARES}
    fail = dict(parse_failure_share(text) for text in args.fail)
    for name, share in {**shares, **{f"fail {status}": s for status, s in fail.items()}}.items():
        if not 0 <= share <= 1:
            raise UsageError(f"--{name} must be a share in [0, 1]. Got {share}.")
    if sum(shares.values()) + sum(fail.values()) > 1:
        raise UsageError("The shares of all faults together must be at most 1.")
    return InjectedFaults(
        latency=args.latency,
        fail=fail,
        retry_after=args.retry_after,
        schema=not args.no_schema,
        random_seed=args.random_seed,
        **shares,
    )


def parse_failure_share(text: str) -> tuple[int, float]:
    """`429:0.05` as a status and a share."""
    status, _, share = text.partition(":")
    try:
        return int(status), float(share)
    except ValueError as error:
        raise UsageError(f"--fail must be STATUS:SHARE, as in 429:0.05. Got {text!r}.") from error
