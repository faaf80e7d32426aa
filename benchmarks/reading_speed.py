"""Free checks and the reading of replies, of two source trees side by side: is one slower than the other?

    python benchmarks/reading_speed.py [OLD/src [NEW/src]] --data DATA [--rounds 5] [--out FILE]

Each tree is measured in processes of its own, in turn, so that whatever else the machine does falls on both. Replies:
made-up drafts of `checks_speed.py` as JSON, whole and damaged, and the broken JSON of three libraries' tests.
Checks: the same drafts. Prints and writes seconds of processor time, medians, and their ratios,
new by old: at 1.1 the new one takes a tenth longer. Without OLD this tree is held against itself, which shows the noise.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent


def measure(data):
    """Processor seconds of each part, in this process."""
    sys.path.insert(0, str(FOLDER))
    import checks_speed

    from kdos.checks import BenchmarkIndex
    from kdos.tasks.prompt import TEXT, a_list, an_object
    from kdos.tasks.reading import read_value

    with gzip.open(data / "json" / "broken_json.jsonl.gz", "rt", encoding="utf-8") as lines:
        broken = [json.loads(line)["raw"] for line in lines]
    drafts = [checks_speed.sample(number)[0] for number in range(1_500)]
    rows = [{"question": one.question, "answer": one.answer, "logic": one.logic} for one in drafts]
    schema = an_object(rows=a_list(an_object(question=TEXT, answer=TEXT, logic=TEXT)))
    whole = [json.dumps({"rows": rows[start : start + 3]}) for start in range(0, len(rows), 3)]
    damaged = [text.replace("}, {", "} {").replace('"answer"', "answer") for text in whole]
    found = {}

    def timed(name, action):
        began = time.process_time()
        action()
        found[name] = time.process_time() - began

    timed("read whole replies", lambda: [read_value(text, schema) for _ in range(20) for text in whole])
    timed("read damaged replies", lambda: [read_value(text, schema) for text in damaged])
    timed("read broken JSON", lambda: [read_value(text, {}) for _ in range(5) for text in broken])
    found["check drafts"] = checks_speed.one_run(10_000, 1_500, BenchmarkIndex())
    print(json.dumps(found))


def measure_tree(tree, data):
    command = [sys.executable, __file__, "--measure", "--data", str(data)]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(tree)}, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trees", type=Path, nargs="*")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.data)
        return
    own = FOLDER.parent / "src"
    old, new = (*args.trees, own, own)[:2]
    taken = {"old": [], "new": []}
    for number in range(args.rounds):
        for name, tree in (("old", old), ("new", new))[:: 1 if number % 2 else -1]:
            taken[name].append(measure_tree(tree, args.data))
    parts = {
        part: {name: round(statistics.median(each[part] for each in rounds), 4) for name, rounds in taken.items()}
        for part in taken["new"][0]
    }
    for seconds in parts.values():
        seconds["ratio"] = round(seconds["new"] / seconds["old"], 3)
    print(json.dumps(parts, indent=2))
    if args.out:
        result = {"benchmark": "reading_speed", "rounds": args.rounds, "processor_seconds": parts}
        args.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
