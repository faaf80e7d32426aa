"""How much broken JSON is read, and whether any of it is read wrongly; then fuzzed for a minute.

    python benchmarks/llm_reading.py --data DATA/json --seconds 60

The strings come from the tests of three libraries, judged by their own expectation: an answer that
differs from it is wrong, one that is refused is not. Each string is read with the narrowest schema
of its expected value. Three readers, side by side: ours; json_repair where its value fits that schema;
and the same by our acceptance rule, that every word of a value stands in the reply, in order.
"""

import argparse
import gzip
import json
import random
import re
import time
from collections import Counter
from importlib import metadata
from pathlib import Path

import json_repair

from kdos.pool import Refusal
from kdos.tasks.prompt import a_list, an_object
from kdos.tasks.reading import distinct_values, read_value

SIGNS = "{}[]()\",:\\'`/*#“”‘’ \n\tabtrue1.-+e_…\ud800é"
PIECES = ['{"a":', '["b",', '"x" y', ' "', '\\"', "/*", "*/", "//", "[{", "}]", ",", '"k": "v"']
PIECES += ["```json\n", "```", "...", "[", '{"a" ', "\\"]
WORD = re.compile(r"\w+")
REFUSED = Refusal("unreadable", None, "")
KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
NAMES = ["ONE", "TWO", "THREE", "One", "Two"]


def rows_of(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def schema_of(value, *, names):
    """The narrowest schema of ours that `value` fits; `names`: its strings are an enum's."""
    if isinstance(value, dict):
        return an_object(**{key: schema_of(item, names=names) for key, item in value.items()})
    if isinstance(value, list):
        kinds = distinct_values(schema_of(item, names=names) for item in value)
        return a_list({} if not kinds else kinds[0] if len(kinds) == 1 else {"anyOf": kinds})
    if isinstance(value, str) and names:
        return {"enum": NAMES}
    return {"type": KINDS[type(value)]}


def count_verdicts(rows):
    """What became of each origin's strings, by reader."""
    counts = {}
    for row in rows:
        unreadable = bool(row.get("unrepairable"))
        names = any(word in row.get("typed_as", "") for word in ("Enum", "Literal"))
        schema = {} if unreadable else schema_of(row["value"], names=names)
        theirs = read_with_library(row["raw"], schema)
        kept = theirs if isinstance(theirs, Refusal) or words_stand_in(theirs, row["raw"]) else REFUSED
        values = {"kdos": read_value(row["raw"], schema), "json_repair": theirs, "json_repair, words in order": kept}
        for origin in (row["origin"].split(":")[0], "all"):
            found = counts.setdefault(origin, {"strings": 0} | {reader: Counter() for reader in values})
            found["strings"] += 1
            for reader, value in values.items():
                found[reader][verdict(value, row, unreadable)] += 1
    return counts


def read_with_library(raw, schema):
    """json_repair's value where it fits the schema; a whole reply read as one string is none."""
    value = json_repair.loads(raw)
    if value == "" or isinstance(read_value(json.dumps(value), schema), Refusal):
        return REFUSED
    return value


def words_of_value(value):
    """The words of keys and values, in order."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from WORD.findall(key)
            yield from words_of_value(item)
    elif isinstance(value, list):
        for item in value:
            yield from words_of_value(item)
    else:
        yield from WORD.findall("null" if value is None else str(value))


def words_stand_in(value, raw):
    """Our acceptance rule: every word of the value stands in the reply, in order."""
    text, at = raw.casefold().replace("none", "null"), 0
    for word in words_of_value(value):
        at = text.find(word.casefold(), at)
        if at < 0:
            return False
        at += len(word)
    return True


def verdict(value, row, unreadable):
    if isinstance(value, Refusal):
        return "refused"
    return "wrong" if unreadable or value != row["value"] else "right"


def fuzz(rows, *, seconds, random_seed):
    """Read made-up and damaged strings; raises what they raise."""
    chance, began, read, slowest = random.Random(random_seed), time.monotonic(), 0, 0.0
    raws = [row["raw"] for row in rows]
    while time.monotonic() - began < seconds:
        text = made_up(chance, raws)
        started = time.perf_counter()
        read_value(text, {})
        slowest = max(slowest, time.perf_counter() - started)
        read += 1
    return {"seconds": seconds, "strings": read, "raised": 0, "slowest_ms": round(1e3 * slowest, 1)}


def made_up(chance, raws):
    """Signs, pieces, one piece over and over, or a broken string with up to four changes."""
    kind = chance.random()
    if kind < 0.3:
        return "".join(chance.choices(SIGNS, k=chance.choice((5, 20, 100, 3000))))
    if kind < 0.5:
        return "".join(chance.choices(PIECES, k=chance.choice((5, 20, 3000))))
    if kind < 0.6:
        return chance.choice(PIECES) * chance.choice((100, 10_000))
    text = list(chance.choice(raws))
    for _ in range(chance.randint(1, 4)):
        if text:
            at = chance.randrange(len(text))
            text[at : at + chance.randint(0, 2)] = chance.choice(SIGNS)
    return "".join(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = rows_of(args.data / "broken_json.jsonl.gz")
    result = {
        "benchmark": "llm_reading",
        "when": time.strftime("%Y-%m-%d"),
        "json_repair": metadata.version("json_repair"),
        "origins": count_verdicts(rows),
        "fuzz": fuzz(rows, seconds=args.seconds, random_seed=args.random_seed),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
