"""How many drafts a second one core takes through all free checks.

    python benchmarks/checks_speed.py [--drafts 4000] [--corpus DOCUMENTS.jsonl] [--out FILE]

Made-up drafts are sound ones, which no check lets off early, and in whose names no word comes
again: 3 to 5 knowledge points, a diagram of 5 to 7 nodes, two seeds, a passage; none is seen twice.
The pool grows with every draft, and 10,000 benchmark questions are looked up as well. With a corpus
(rows of `id` and `text`), the drafts that `rules` writes in a run on it are timed too, refused ones
included, as they come. Prints one line of JSON; `relative` sets the time of a made-up draft against
that of 10,000 additions in a loop, which says how fast this machine was meanwhile.
"""

import argparse
import gc
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from kdos.chance import keyed_generator
from kdos.checks import BenchmarkIndex, DraftInContext, KnownQuestions, answer_aliases, check_drafts
from kdos.config import read_config
from kdos.pool import Draft, Evidence, Passage, Seed
from kdos.run import run_config
from kdos.synthesize import draft as drafting

SYLLABLES = "ka lo mi ner ta vos ri du sel ba gor win fen ul ost".split()
RELATIONS = [
    "{} was founded by {}.",
    "{} has its seat in the town of {}.",
    "{} opened its first museum in {}.",
    "{} keeps the archive of {}.",
    "{} was once led by {}.",
]
REPEATS = 5
IN_FLIGHT = 256
DRAFTS_A_CALL = 2  # drafts of one call have the same seeds


def name(rng):
    return " ".join("".join(rng.choice(SYLLABLES, 4)).title() for _ in range(2))


def sample(number):
    """A sound draft, its passage and its seeds."""
    rng = keyed_generator(1, "draft", number)
    subject = name(rng)
    facts = [relation.format(subject, name(rng)) for relation in RELATIONS]
    points = facts[: rng.integers(3, 6)]
    answer = points[-1].rsplit(" ", 2)[-2:]
    answer = " ".join(answer).rstrip(".")
    lines = ["flowchart TD", f'    Q["Which one is it?"] --> K0["{points[0]}"]']
    lines += [f'    K{n} --> K{n + 1}["{point}"]' for n, point in enumerate(points[1:])]
    lines.append(f'    K{len(points) - 1} --> A["{answer}"]')
    passage = Passage(f"p{number}", f"d{number}", subject, "", "en", 0, 999, " ".join(facts))
    call = number // DRAFTS_A_CALL
    chance = keyed_generator(1, "seeds", call)
    seeds = [
        Seed(f"s{call}/{n}", f"Who or what {n} belongs to {name(chance)}?", (name(chance),), passage.id, "d", "")
        for n in range(2)
    ]
    clue = points[0].removeprefix(subject).rstrip(".")
    question = f"Which name belongs to the institution that{clue}, as the archive has it?"
    evidence = (Evidence(passage.id, points[-1]),)
    draft = Draft(f"g/{number}", question, answer, (subject,), tuple(points), "\n".join(lines), (), evidence)
    return draft, {passage.id: passage}, seeds


def one_run(first, drafts, benchmarks):
    """Seconds of processor time for all drafts; each is added to the pool after it passed.

    They are checked IN_FLIGHT together, and the clock stands still while these are made.
    """
    known = KnownQuestions()
    gc.collect()
    spent = 0.0
    for start in range(first, first + drafts, IN_FLIGHT):
        samples = [sample(number) for number in range(start, min(start + IN_FLIGHT, first + drafts))]
        begin = time.process_time()
        cases = [
            DraftInContext(draft, answer_aliases(draft.answer, seeds), passages, seeds)
            for draft, passages, seeds in samples
        ]
        if any(refused := check_drafts(cases, known=known, benchmarks=benchmarks)):
            raise AssertionError(refused)
        for case in cases:
            known.add_question(case.draft.question, [case.draft.answer])
        spent += time.process_time() - begin
    return spent


def in_a_run(corpus, samples):
    """Drafts a second through the checks in a run on real documents, with benchmarks kept out."""
    spent = []

    def timed(cases, **options):
        start = time.thread_time()
        refusals = check_drafts(cases, **options)
        spent.append((time.thread_time() - start, len(cases)))
        return refusals

    config = {
        "source": {"kind": "text", "path": str(corpus), "text": "text", "id": "id"},
        "budget": {"samples": samples},
        "random_seed": 7,
    }
    drafting.check_drafts = timed
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        exam = folder / "exam.jsonl"
        rows = [made_up_question(number) for number in range(10_000)]
        exam.write_text("".join(json.dumps(row) + "\n" for row in rows))
        run_config(read_config(config | {"benchmarks": [str(exam)]}), folder / "run")
    seconds, drafts = map(sum, zip(*spent, strict=True))
    return {"drafts": drafts, "drafts_per_second": round(drafts / seconds)}


def made_up_question(number):
    """A benchmark question and its answer."""
    rng = keyed_generator(2, "benchmark", number)
    return {"question": f"Where was {name(rng)} educated in the end?", "answers": [name(rng)]}


def pace():
    """Seconds of processor time for 10,000 additions."""
    start = time.process_time()
    total = 0
    for number in range(10_000):
        total += number
    return time.process_time() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drafts", type=int, default=4000)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--samples", type=int, default=2500, help="of the run on the corpus")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    benchmarks = BenchmarkIndex()
    for number in range(10_000):
        row = made_up_question(number)
        benchmarks.add_question(row["question"], row["answers"], name=str(number))
    runs, paces = [], []
    for repeat in range(REPEATS):  # no draft twice: what was read once is remembered
        paces.append(pace())
        runs.append(one_run(repeat * args.drafts, args.drafts, benchmarks) / args.drafts)
    result = {
        "drafts": args.drafts,
        "drafts_per_second": round(1 / statistics.median(runs)),
        "best_drafts_per_second": round(1 / min(runs)),
        "relative": round(statistics.median(r / p for r, p in zip(runs, paces, strict=True)), 4),
    }
    if args.corpus:
        result["in_a_run"] = in_a_run(args.corpus, args.samples)
    print(json.dumps(result))
    if args.out:
        args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
