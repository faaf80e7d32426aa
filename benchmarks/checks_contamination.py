"""Planted contamination: benchmark questions hidden in clean drafts, found again or not.

    python benchmarks/checks_contamination.py --data DATA [--embed minilm] [--out FILE]

30,000 benchmark questions; 20,000 clean drafts, half of them made by the same templates about other
entities; 1,000 benchmark questions planted four times: verbatim, re-cased, re-punctuated, lightly
reworded. Rewording exchanges question words and verbs for synonyms, turns clauses around, adds or
drops filler, and never touches the names. With `--embed`, 1,000 more are planted in quite other
words, one way for each relation, and looked for by their vectors too. Prints one line of JSON.
"""

import argparse
import gzip
import json
import re
import sys
import time
from pathlib import Path

from kdos.chance import keyed_generator
from kdos.checks import AnsweredQuestion, BenchmarkIndex, find_paraphrases
from kdos.embed import load_embedder
from kdos.pool.wording import normalise_text

BENCHMARKS = "simpleqa simpleqa_verified webquestions nq_open triviaqa entityquestions popqa".split()
SAME_AFTER_ALL = set(
    """eq-train-P36-449 57266193dd62a815002e832b 5730a40f396df91900096236 56be5333acb8001400a5030c
    56d2051ce7d4791d0090260a 56d602631c85041400946eda 56d98c53dc89441400fdb545
    56beb0f43aeaaa14008c921d 56d725790d65d214001983d8 56d9c551dc89441400fdb7d0
    5730c6d3b54a4f140068cc4e 57286bf84b864d19001649d2 5d67715e2b22cd4dfcfbfbe5
    5d6759ea2b22cd4dfcfbf7f7""".split()
)  # flagged at first, and on reading the same question as the benchmark's: not clean
WANTED = {"benchmark": 30_000, "clean": 20_000, "planted": 1_000}
SWAPS = [
    (r"\bin (?:which|what) year\b", ["what year", "in what year", "when"]),
    (r"\bwhen (?:was|did|is)\b", ["in what year {}"]),
    (r"\bwhat year\b", ["which year", "in which year"]),
    (r"\bwhich\b", ["what"]),
    (r"\bwhat is the name of\b", ["name", "what do you call"]),
    (r"\bwhat (?:is|was) the\b", ["name the", "tell me the"]),
    (r"\bwho (?:is|was)\b", ["who exactly {}", "which person {}"]),
    (r"\bwho\b", ["which person", "what person"]),
    (r"\bwhere (?:was|is|did)\b", ["in what place {}", "in which location {}"]),
    (r"\bfounded\b", ["established", "set up"]),
    (r"\bestablished\b", ["founded"]),
    (r"\bcreated\b", ["made", "produced"]),
    (r"\bwrote\b", ["authored", "penned"]),
    (r"\bwritten\b", ["authored"]),
    (r"\bauthor\b", ["writer"]),
    (r"\bborn\b", ["brought into the world"]),
    (r"\bdied?\b", ["pass away"]),
    (r"\bwon\b", ["received", "took"]),
    (r"\bawarded\b", ["given"]),
    (r"\bfilm\b", ["movie"]),
    (r"\bmovie\b", ["film"]),
    (r"\bcompany\b", ["firm", "business"]),
    (r"\bcountry\b", ["nation"]),
    (r"\bcity\b", ["town"]),
    (r"\blocated\b", ["situated"]),
    (r"\bfamous\b", ["well-known"]),
    (r"\bplay(?:s|ed)\b", ["acted", "performed"]),
    (r"\bstarted\b", ["began"]),
    (r"\bbegan\b", ["started"]),
    (r"\blast name\b", ["surname"]),
    (r"\bfirst\b", ["earliest"]),
    (r"\bkind of\b", ["type of", "sort of"]),
    (r"\btype of\b", ["kind of"]),
    (r"\bfather\b", ["dad"]),
    (r"\bspouse\b", ["partner"]),
    (r"\bmany\b", ["many exactly"]),
    (r"\bday, month, and year\b", ["date"]),
    (r"\boccupation\b", ["profession", "job"]),
    (r"\bgenre\b", ["style"]),
    (r"\bdirector\b", ["maker"]),
    (r"\bproducer\b", ["maker"]),
    (r"\bbig(?:gest)?\b", ["large"]),
    (r"\bmarried\b", ["wed"]),
]
OTHER_WORDS = {
    "P106": "How does {} earn a living?",
    "P112": "To whom does {} owe its existence?",
    "P127": "In whose possession is {}?",
    "P131": "In which administrative area does one find {}?",
    "P136": "Under what musical style is {} usually filed?",
    "P159": "From which city is {} run?",
    "P17": "Within the borders of what nation does {} lie?",
    "P170": "Whose creation is {}?",
    "P175": "Which artist can be heard on {}?",
    "P176": "Who manufactures {}?",
    "P19": "What is the birthplace of {}?",
    "P20": "What was the place of death of {}?",
    "P26": "Name the husband or wife of {}.",
    "P264": "On which record label did {} appear?",
    "P276": "What was the site of {}?",
    "P36": "Which town is the seat of government of {}?",
    "P40": "Name the son or daughter of {}.",
    "P407": "What tongue is the text of {} in?",
    "P413": "On the field, what role has {}?",
    "P495": "From what nation does {} originally come?",
    "P50": "By whom was {} written?",
    "P69": "At which school did {} study?",
    "P740": "In what place did {} come into being?",
    "P800": "For which work is {} best known?",
}
PREFIXES = ["Please tell me: ", "Do you know ", "I would like to know ", "", ""]
SUFFIXES = [", exactly?", " please?", "?", "?"]


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def asked(data):
    """Benchmark questions, clean drafts and paraphrases of the former: (name, question, answers).

    No draft is clean that asks about the same subject with the same answer as a benchmark question.
    """
    held = [r for name in BENCHMARKS for r in rows(data / f"qa/{name}.jsonl.gz")]
    templated = rows(data / "triples/entityquestions_train.jsonl.gz")
    order = keyed_generator(1, "split").permutation(len(templated))
    split = WANTED["benchmark"] - len(held)
    held += [templated[i] for i in order[:split]]
    taken = {normalise_text(row["question"]) for row in held}
    taken |= {pair for row in held for pair in pairs(row)}
    benchmark = [(row["id"], row["question"], row["answers"]) for row in held]
    clean = [templated[i] for i in order[: split - 1 : -1]]
    clean += rows(data / "exam/mmlu.jsonl.gz") + rows(data / "exam/cmmlu.jsonl.gz")
    clean += rows(data / "triples/zsre_kilt_dev.jsonl.gz") + rows(data / "triples/wikidyk.jsonl.gz")
    for name in ("squad_articles", "squadshifts_new_wiki_articles", "cmrc2018_zh_articles"):
        for article in rows(data / f"corpora/{name}.jsonl.gz"):
            clean += [qa for p in article["paragraphs"] for qa in p["qas"]]
    drafts = [
        (row["id"], row["question"], row["answers"])
        for row in clean
        if row["answers"]
        and normalise_text(row["question"]) not in taken
        and taken.isdisjoint(pairs(row))
        and row["id"] not in SAME_AFTER_ALL
    ]
    facts = [row for row in held if row.get("relation") in OTHER_WORDS]
    chosen = keyed_generator(4, "paraphrased").choice(len(facts), WANTED["planted"], replace=False)
    paraphrases = [
        (row["id"], OTHER_WORDS[row["relation"]].format(row["subject"]), row["answers"][:1])
        for row in (facts[i] for i in chosen)
    ]
    return benchmark, drafts[: WANTED["clean"]], paraphrases


def pairs(row):
    """Subject and answer together, where the row names its subject."""
    return {(normalise_text(row["subject"]), normalise_text(a)) for a in row["answers"] if "subject" in row}


def recased(question, rng):
    return [question.upper(), question.lower(), question.title()][rng.integers(3)]


def repunctuated(question, rng):
    text = re.sub(r"[?.,!'\"]", "", question)
    marks = ["??", "...", " ?", "!", ""]
    return text.replace(" - ", " ") + marks[rng.integers(len(marks))]


def reworded(question, rng):
    text = question.rstrip("?. ")
    applied = 0
    for at in rng.permutation(len(SWAPS)):
        pattern, options = SWAPS[at]
        found = re.search(pattern, text, re.IGNORECASE)
        if found and applied < 3:
            new = options[rng.integers(len(options))]
            last = found[0].split()[-1]
            text = text[: found.start()] + new.format(last) + text[found.end() :]
            applied += 1
    clause = re.match(r"(?i)(in [^,]{4,40}), (.+)", text)
    if clause:
        text = f"{clause[2]} {clause[1].lower()}"
    prefix = PREFIXES[rng.integers(len(PREFIXES))]
    if prefix and re.match(r"(?:In|On|At|By|Wh\w+|How)\b", text):
        text = text[0].lower() + text[1:]
    text = prefix + text + SUFFIXES[rng.integers(len(SUFFIXES))]
    return text if text != question else f"Tell me, {question}"


WAYS = {
    "verbatim": lambda question, rng: question,
    "recased": recased,
    "repunctuated": repunctuated,
    "reworded": reworded,
}


def flagged(drafts, held):
    """Which drafts the words of a benchmark question betray, and how many seconds it took."""
    start = time.perf_counter()
    hits = [held.find_match(question, answers) for _, question, answers in drafts]
    return hits, time.perf_counter() - start


def by_vectors(drafts, benchmark, embed):
    """The rows of drafts whose vectors betray them."""
    ours, theirs = ([AnsweredQuestion(q, answers) for _, q, answers in each] for each in (drafts, benchmark))
    vectors = [embed([each.question for each in asked]) for asked in (ours, theirs)]
    found = find_paraphrases(ours, theirs, our_vectors=vectors[0], their_vectors=vectors[1])
    return {one.row for one in found}


def with_vectors(benchmark, clean, paraphrases, wrong, held, embed):
    """Recall and precision on quite other words, by words alone and with vectors."""
    by_words = {row for row, hit in enumerate(flagged(paraphrases, held)[0]) if hit}
    rows = by_vectors([*clean, *paraphrases], benchmark, embed)
    found = by_words | {row - len(clean) for row in rows if row >= len(clean)}
    wrong = wrong | {row for row in rows if row < len(clean)}
    return {
        "recall_other_words_by_words_alone": len(by_words) / len(paraphrases),
        "recall_other_words": len(found) / len(paraphrases),
        "clean_flagged_with_vectors": len(wrong),
        "precision_other_words": round(len(found) / (len(found) + len(wrong)), 4),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--embed", help="an embedder that knows what words mean")
    parser.add_argument("--show", type=int, default=0, help="misses to print of each kind")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    benchmark, clean, paraphrases = asked(args.data)
    rows = keyed_generator(2, "planted").choice(len(benchmark), WANTED["planted"], replace=False)
    planted = [benchmark[row] for row in rows]

    start = time.perf_counter()
    held = BenchmarkIndex()
    for name, question, answers in benchmark:
        held.add_question(question, answers, name=name)
    built = time.perf_counter() - start
    hits, searched = flagged(clean, held)
    wrong = {row for row, hit in enumerate(hits) if hit}
    for row in sorted(wrong)[: args.show]:
        print("WRONG", clean[row], "<>", hits[row], file=sys.stderr)
    result = {
        "benchmark_questions": len(held),
        "clean_drafts": len(clean),
        "clean_flagged": len(wrong),
        "seconds_build": round(built, 2),
        "seconds_search": round(searched, 2),
    }
    for way, change in WAYS.items():
        drafts = [(n, change(q, keyed_generator(3, way, n)), answers[:1]) for n, q, answers in planted]
        hits, _ = flagged(drafts, held)
        missed = [draft for draft, hit in zip(drafts, hits, strict=True) if hit is None]
        for draft in missed[: args.show]:
            print("MISSED", way, draft, file=sys.stderr)
        found = len(planted) - len(missed)
        result[f"recall_{way}"] = found / len(planted)
        result[f"precision_{way}"] = round(found / (found + len(wrong)), 4)
    if args.embed:
        embed = load_embedder(args.embed).embed
        result |= with_vectors(benchmark, clean, paraphrases, wrong, held, embed)
    print(json.dumps(result))
    if args.out:
        args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
