"""Answer matching against people's verdicts, regular expressions, ranges and abstentions.

    python benchmarks/evaluate_people.py --data DATA

Four questions: how often does each rule agree with people who judged 2,435 answers of
EfficientQA's systems; does what CuratedTREC's expressions accept agree with DPR's reading of them;
are the acceptable ranges of SimpleQA Verified held, just inside and just outside; are attempts and
abstentions of real models told apart.
"""

import argparse
import gzip
import json
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import regex
from density_worlds import write_down

from kdos.chance import keyed_generator
from kdos.scoring import (
    BenchmarkQuestion,
    attempts_answer,
    bootstrap_mean,
    contains_gold_answer,
    exact_match,
    is_correct_answer,
    score_answer,
    token_f1,
)

RULES = {
    "em": lambda question, answer, golds: bool(exact_match(answer, golds)),
    "contains": lambda question, answer, golds: bool(contains_gold_answer(answer, golds)),
    "f1_half": lambda question, answer, golds: token_f1(answer, golds) >= 0.5,
    "correct": lambda question, answer, golds: is_correct_answer(answer, golds, question=question),
}
RANGE = re.compile(r"acceptable range: anything between \$?([\d,]+(?:\.\d+)?)\D+?([\d,]+(?:\.\d+)?)[^\d:]*\)")


def rows_of(path):
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def people(rows):
    """Agreement with the verdict, overall and on each side; answers judged possibly right are out."""
    judged = [
        (row["question"], answer, row["answers"], verdict)
        for row in rows
        for verdict, key in ((True, "judged_correct"), (False, "judged_incorrect"))
        for answer in row[key]
    ]
    verdicts = np.array([verdict for *_, verdict in judged])
    figures = {}
    for name, rule in RULES.items():
        found = np.array([rule(*given) for *given, _ in judged])
        interval = bootstrap_mean((found == verdicts).astype(float), keyed_generator(0, "people"))
        figures[name] = {
            "agreement": float((found == verdicts).mean()),
            "interval": [interval.low, interval.high],
            "of_right_ones": float(found[verdicts].mean()),
            "of_wrong_ones": float((~found)[~verdicts].mean()),
        }
    return {"answers": len(judged), "judged_right": int(verdicts.sum()), "rules": figures}


def expressions(rows):
    """Ours against DPR's reading, with the engine that it uses, on right and on foreign answers."""
    flags = regex.IGNORECASE | regex.UNICODE | regex.MULTILINE
    plain = [[part for part in row["answer_regex"][0].split("|") if re.fullmatch(r"[\w ,'-]+", part)] for row in rows]
    counts = Counter()
    for number, row in enumerate(rows):
        patterns = tuple(row["answer_regex"])
        question = BenchmarkQuestion(row["id"], row["question"], (), patterns=patterns)
        foreign = [one for k in (1, 7, 50) for one in plain[(number + k) % len(rows)]]
        for answer in plain[number] + foreign:
            said = f"It was {answer.upper()}, they say."
            theirs = any(regex.search(pattern, said, flags) for pattern in patterns)
            counts["right" if theirs else "wrong"] += 1
            counts["agree"] += score_answer(said, question).correct == float(theirs)
    return dict(counts)


def ranges(rows):
    """Plain numeric ranges at their ends, inside, and a hundredth of their width outside."""
    counts = Counter()
    for row in rows:
        gold = row["answers"][0]
        if "acceptable range" not in gold:
            continue
        counts["ranged"] += 1
        found = RANGE.search(gold)
        if found is None:
            counts["of another form"] += 1
            continue
        low, high = (Fraction(text.replace(",", "")) for text in found.groups())
        step = max((high - low) / 100, Fraction(1, 10_000))
        tries = [(low, 1), (high, 1), ((low + high) / 2, 1), (low - step, 0), (high + step, 0)]
        for value, wanted in tries:
            said = f"{float(value):.6f}".rstrip("0").rstrip(".")
            held = is_correct_answer(said, [gold], question="How much?") == bool(wanted)
            counts["held" if held else "missed"] += 1
    return dict(counts)


def abstentions(rows):
    """Agreement with the labels of real models' answers."""
    tried = np.array(
        [row.get("attempt") == "attempt" or row.get("verdict") in ("correct", "incorrect") for row in rows]
    )
    found = np.array([attempts_answer(row["response"]) for row in rows])
    return {
        "answers": len(rows),
        "abstentions": int((~tried).sum()),
        "agreement": float((tried == found).mean()),
        "of_abstentions": float((~found)[~tried].mean()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    qa = parser.parse_args().data / "qa"
    write_down(
        "evaluate_people",
        {
            "people": people(rows_of(qa / "efficientqa_judged.jsonl.gz")),
            "expressions": expressions(rows_of(qa / "curatedtrec.jsonl.gz")),
            "ranges": ranges(rows_of(qa / "simpleqa_verified.jsonl.gz")),
            "abstentions": abstentions(rows_of(qa / "llm_answers_simpleqa.jsonl.gz")),
        },
    )


if __name__ == "__main__":
    main()
