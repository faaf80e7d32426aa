"""Free checks and the reading of replies, of two source trees side by side: is one slower than the other?

    python benchmarks/reading_speed.py [OLD/src [NEW/src]] --data DATA [--rounds 7] [--out FILE]

Replies: made-up drafts of `checks_speed.py` as JSON, whole and damaged, and the broken JSON of three libraries' tests.
Checks: the same drafts. A round is one process of each tree; in each of its turns both do the same part, some 30 ms of
it, one right after the other, so that whatever else the machine does falls on both. Prints and writes seconds of
processor time, medians of all turns, and the median of the ratios within a turn, new by old: at 1.1 the new one takes
a tenth longer. Without OLD this tree is held against itself, which shows the noise.
"""

import argparse
import gc
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

FOLDER = Path(__file__).parent
TURNS = 9  # of one process, for each part
REPLIES = 300
DRAFTS = 300


def parts_of(data):
    """By name: what is timed, as a function of the turn that gives seconds of processor time."""
    sys.path.insert(0, str(FOLDER))
    import checks_speed

    from kdos.checks import BenchmarkIndex
    from kdos.tasks.prompt import TEXT, a_list, an_object
    from kdos.tasks.reading import read_value

    with gzip.open(data / "json" / "broken_json.jsonl.gz", "rt", encoding="utf-8") as lines:
        broken = [json.loads(line)["raw"] for line in lines]
    drafts = [checks_speed.sample(number)[0] for number in range(3 * REPLIES)]
    rows = [{"question": one.question, "answer": one.answer, "logic": one.logic} for one in drafts]
    schema = an_object(rows=a_list(an_object(question=TEXT, answer=TEXT, logic=TEXT)))
    whole = [json.dumps({"rows": rows[start : start + 3]}) for start in range(0, len(rows), 3)]
    damaged = [text.replace("}, {", "} {").replace('"answer"', "answer") for text in whole]

    def reading(texts, schema):
        def read_all(_):
            gc.collect()
            began = time.process_time()
            for text in texts:
                read_value(text, schema)
            return time.process_time() - began

        return read_all

    return {
        "read whole replies": reading(whole * 8, schema),
        "read damaged replies": reading(damaged, schema),
        "read broken JSON": reading(broken * 4, {}),
        # No draft twice: what was read once is remembered.
        "check drafts": lambda turn: checks_speed.one_run(10_000 + turn * DRAFTS, DRAFTS, BenchmarkIndex()),
    }


def answer_turns(data):
    """Names the parts; then a line with a part and a turn is answered by its seconds, until there are no more."""
    parts = parts_of(data)
    print(json.dumps(list(parts)), flush=True)
    for line in sys.stdin:
        part, turn = json.loads(line)
        print(json.dumps(parts[part](turn)), flush=True)


def start_process(tree, data):
    return subprocess.Popen(
        [sys.executable, __file__, "--measure", "--data", str(data)],
        env=os.environ | {"PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(process, part, turn):
    process.stdin.write(json.dumps([part, turn]) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def one_round(trees, data, found):
    """Add the seconds of each turn of each part to `found`, old and new."""
    with ExitStack() as stack:
        processes = [stack.enter_context(start_process(tree, data)) for tree in trees]
        names, _ = [json.loads(process.stdout.readline()) for process in processes]
        for turn in range(TURNS):
            order = processes[:: 1 if turn % 2 else -1]
            for part in names:
                spent = {id(process): ask(process, part, turn) for process in order}
                found[part].append([spent[id(process)] for process in processes])


def summary(pairs):
    old, new = (round(statistics.median(seconds), 4) for seconds in zip(*pairs, strict=True))
    return {"old": old, "new": new, "ratio": round(statistics.median(new / old for old, new in pairs), 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trees", type=Path, nargs="*")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        answer_turns(args.data)
        return
    own = FOLDER.parent / "src"
    found = defaultdict(list)
    for _ in range(args.rounds):
        one_round((*args.trees, own, own)[:2], args.data, found)
    parts = {part: summary(pairs) for part, pairs in found.items()}
    print(json.dumps(parts, indent=2))
    if args.out:
        result = {"benchmark": "reading_speed", "rounds": args.rounds, "turns": TURNS, "processor_seconds": parts}
        args.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
