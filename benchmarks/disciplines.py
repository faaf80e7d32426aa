"""How often a question's discipline is found: MMLU's and CMMLU's subjects, and the 13 broad disciplines.

    python benchmarks/disciplines.py --data DATA [--embed static minilm words] [--out FILE]

1,000 questions of each benchmark, as evenly over its subjects as 1,000 allow, drawn by the hash of their ids; the
others may serve as example questions, and methods were chosen on them alone. Accuracies, in [0, 1], of the subject and
of the broad discipline. `words` is no embedder: shared words alone, as a run with `embed: lexical` finds classes.

`texts`: what a question gives: itself (`question`), its gold answer too (`answer`, as a run reads given questions), or
its options (`options`). `documents` are five questions of a subject with their options, read as one text.
`ways`: what is left out or put in its place, of the question alone: vectors alone; descriptions without our examples;
the broad discipline by its own 13 classes alone; the mapped subject in place of it; 3, 5 and 10 example questions of
each class in place of our examples (`given_N`) or beside them (`ours_and_given_N`). Prints one line of JSON.
"""

import argparse
import gzip
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import orjson
from fact_wordings import show_result

from kdos.embed import embed_what_is_read, load_embedder
from kdos.errors import ConfigError
from kdos.taxonomy import ClassFinder, Taxonomy, cut_excerpt, load_shipped

QUESTIONS = 1000
GIVEN = (3, 5, 10)
QUESTIONS_A_DOCUMENT = 5
WORDS = "words"
BENCHMARKS = ("mmlu", "cmmlu")


def read_questions(path):
    """The questions to find the subject of, and by subject those that may serve as examples."""
    by_subject = defaultdict(list)
    with gzip.open(path) as file:
        for row in map(orjson.loads, file):
            by_subject[row["subject"]].append(row)
    asked, others = [], {}
    for number, subject in enumerate(sorted(by_subject)):
        rows = sorted(by_subject[subject], key=lambda row: crc32(row["id"].encode()))
        count = QUESTIONS // len(by_subject) + (number < QUESTIONS % len(by_subject))
        asked += rows[:count]
        others[subject] = rows[count:]
    return asked, others


def question_alone(row):
    return row["question"]


def with_answer(row):
    return "\n".join([row["question"], *row["answers"]])


def with_options(row):
    return "\n".join([row["question"], *row["choices"]])


def join_documents(asked):
    """Texts of five questions of one subject, each with a row that says which."""
    by_subject = defaultdict(list)
    for row in asked:
        by_subject[row["subject"]].append(row)
    for rows in by_subject.values():
        for start in range(0, len(rows) - QUESTIONS_A_DOCUMENT + 1, QUESTIONS_A_DOCUMENT):
            yield rows[0], "\n\n".join(map(with_options, rows[start : start + QUESTIONS_A_DOCUMENT]))


def share_right(found, wanted):
    return round(float(np.mean([one == other for one, other in zip(found, wanted, strict=True)])), 3)


def examples_given(taxonomy, others, count, *, beside):
    """The taxonomy with `count` questions of each class as its examples."""
    given = {name: tuple(map(question_alone, rows[:count])) for name, rows in others.items()}
    classes = (replace(one, examples=given[one.name] + (one.examples if beside else ())) for one in taxonomy.classes)
    return Taxonomy(tuple(classes))


def measure(name, embed, asked, others):
    """All accuracies of one benchmark by one embedder."""
    taxonomy, broad = load_shipped(name), load_shipped("broad")
    broad_of = {one.name: one.broad for one in taxonomy.classes}
    subjects = [row["subject"] for row in asked]
    disciplines = [broad_of[subject] for subject in subjects]
    of_subject, of_broad = ClassFinder(taxonomy, embed), ClassFinder(broad, embed)

    def accuracies(texts, rows):
        excerpts, subject = list(map(cut_excerpt, texts)), [row["subject"] for row in rows]
        return {
            "subject": share_right(of_subject.find(excerpts), subject),
            "broad": share_right(of_broad.find(excerpts), [broad_of[one] for one in subject]),
        }

    forms = {"question": question_alone, "answer": with_answer, "options": with_options}
    texts = {form: accuracies(map(read, asked), asked) for form, read in forms.items()}
    rows, joined = zip(*join_documents(asked), strict=True)
    questions = [cut_excerpt(row["question"]) for row in asked]
    found = of_subject.find(questions)
    plain = Taxonomy(tuple(replace(one, examples=()) for one in taxonomy.classes))
    ways = {
        "subject, mapped to the broad": share_right([broad_of.get(one, "") for one in found], disciplines),
        "broad by its own classes": share_right(
            ClassFinder(Taxonomy(broad.classes), embed).find(questions), disciplines
        ),
        "subject by descriptions alone": share_right(ClassFinder(plain, embed).find(questions), subjects),
        "subject unknown": found.count("") / len(found),
    }
    if embed:
        ways |= vectors_alone(taxonomy, broad, embed, questions, subjects, disciplines)
    for count in GIVEN:
        for beside in (False, True):
            finder = ClassFinder(examples_given(taxonomy, others, count, beside=beside), embed)
            ways[f"{'ours_and_' if beside else ''}given_{count}"] = share_right(finder.find(questions), subjects)
    return {"texts": texts, "documents": {"n": len(rows)} | accuracies(joined, rows), "ways": ways}


def vectors_alone(taxonomy, broad, embed, questions, subjects, disciplines):
    """Accuracies without the words that texts share."""
    found = {}
    for what, classes, wanted in (("subject", taxonomy, subjects), ("broad", broad, disciplines)):
        both, words = ClassFinder(classes, embed), ClassFinder(classes, None)
        best = (both.scores(questions) - words.scores(questions)).argmax(axis=1)
        found[f"{what} by vectors alone"] = share_right([both.names[one] for one in best], wanted)
    return found


def open_embedder(name) -> Callable[[Sequence[str]], np.ndarray] | None:
    """What embeds each text once, however many classifiers ask for it; None for shared words alone."""
    if name == WORDS:
        return None
    embedder, known = load_embedder(name), {}

    def embed(texts):
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, embed_what_is_read(embedder, new), strict=True))
        return np.array([known[text] for text in texts])

    return embed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--embed", nargs="+", default=["static", "minilm", WORDS])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    found = {}
    for name in BENCHMARKS:
        asked, others = read_questions(args.data / "exam" / f"{name}.jsonl.gz")
        chance = {"subject": round(1 / len(others), 3), "broad": round(1 / 13, 3)}
        found[name] = {"questions": len(asked), "subjects": len(others), "chance": chance}
        for embedder in args.embed:
            try:
                found[name][embedder] = measure(name, open_embedder(embedder), asked, others)
            except ConfigError as error:
                found[name][embedder] = {"missing": str(error)}
            print(name, embedder, found[name][embedder], file=sys.stderr)
    show_result(found, args.out)


if __name__ == "__main__":
    main()
