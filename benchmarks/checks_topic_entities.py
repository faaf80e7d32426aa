"""Topic entities that the rules engine finds, against gold ones.

    python benchmarks/checks_topic_entities.py --data DATA [--out FILE]

An entity counts where its normalised name equals a gold one (exact), or one name's words hold the
other's (loose). Prints one line of JSON.
"""

import argparse
import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path

from kdos.pool import Extraction
from kdos.pool.wording import normalise_text
from kdos.rules import RulesEngine
from kdos.tasks import ask_extraction, read_extraction


def same(one, other):
    return one == other


def within(one, other):
    return f" {one} " in f" {other} " or f" {other} " in f" {one} "


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--show", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with gzip.open(args.data / "qa/topic_entities.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    requests = [
        ask_extraction(str(n), question=row["question"], answer=row["answers"][0], passages=[])
        for n, row in enumerate(rows)
    ]
    counts = defaultdict(lambda: defaultdict(int))
    for row, reply in zip(rows, RulesEngine().complete(requests), strict=True):
        read = read_extraction(reply)
        found = [normalise_text(e) for e in read.topic_entities] if isinstance(read, Extraction) else []
        gold = [normalise_text(entity) for entity in row["topic_entities"]]
        if args.show and not any(same(a, b) for a in found for b in gold):
            args.show -= 1
            print(row["question"], row["topic_entities"], found, file=sys.stderr)
        for name in ("all", row["benchmark"]):
            count = counts[name]
            count["rows"] += 1
            count["found"] += len(found)
            count["gold"] += len(gold)
            for way in (same, within):
                count[f"right_{way.__name__}"] += sum(any(way(a, b) for b in gold) for a in found)
                count[f"met_{way.__name__}"] += sum(any(way(a, b) for a in found) for b in gold)
    result = {
        name: {
            "rows": count["rows"],
            **{
                f"{what}_{kind}": round(count[f"{key}_{way}"] / max(1, count[total]), 3)
                for kind, way in (("exact", "same"), ("loose", "within"))
                for what, key, total in (("precision", "right", "found"), ("recall", "met", "gold"))
            },
        }
        for name, count in counts.items()
    }
    print(json.dumps(result))
    if args.out:
        args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
