"""Near-duplicates of short templated questions with planted one-word edits, beside libraries.

    python benchmarks/duplicates_peers.py [--n 1000000] [--peers 100000]

Libraries run on the first `--peers` questions, kdos on those too, so that ratios come from one run.
Originals that are removed are all counted, those too that are like an earlier one by chance.
"""

import argparse
import time

import numpy as np
from density_worlds import write_down

from kdos.pool.duplicates import GRAM_LENGTH, find_near_duplicates

TEMPLATES = (
    "who is the {0} of the {1} {2} in {3}",
    "in which year did the {0} {1} open in {2}",
    "what is the capital of the {0} region of {1} known for {2}",
    "which {0} player scored the most points for {1} against {2}",
    "what kind of {0} does the {1} of {2} use in {3}",
    "who wrote the {0} novel about {1} and {2}",
    "where was the {0} treaty between {1} and {2} signed",
    "how many {0} does the {1} museum in {2} hold",
    "what does the {0} of {1} say about the {2} of {3}",
    "which river flows through {0} and {1} before {2}",
)
EDITED = 0.15


def questions(n, seed=0):
    rng = np.random.default_rng(seed)
    syllables = [a + b for a in "bcdfghjklmnprstvwz" for b in "aeiou"]
    known = np.array(
        ["".join(rng.choice(syllables, rng.integers(2, 5))) + str(rng.choice(list("nrstl")))
         for _ in range(30_000)]
    )  # fmt: skip
    originals = int(n * (1 - EDITED))
    picks = (rng.integers(0, len(known), (originals, 4)) * rng.random((originals, 4))).astype(int)
    texts = [
        TEMPLATES[t].format(*known[row])
        for t, row in zip(rng.integers(0, len(TEMPLATES), originals), picks, strict=True)
    ]
    source = rng.integers(0, originals, n - originals)
    for row in source:
        words = texts[row].split(" ")
        words[rng.integers(len(words))] = str(known[rng.integers(len(known))])
        texts.append(" ".join(words))
    return texts, source, originals


def grams(text):
    return {text[i : i + GRAM_LENGTH] for i in range(max(1, len(text) - GRAM_LENGTH + 1))}


def jaccard(left, right):
    a, b = grams(left), grams(right)
    return len(a & b) / len(a | b)


def kdos(texts):
    return find_near_duplicates(texts).copy_of != np.arange(len(texts))


def rensa(texts):
    """Its deduplicator, which checks candidates before it drops a text."""
    from rensa import RMinHash, RMinHashDeduplicator

    seen = RMinHashDeduplicator(threshold=0.7, num_perm=64, use_lsh=True, num_bands=16)
    gone = np.zeros(len(texts), bool)
    for row, text in enumerate(texts):
        minhash = RMinHash(num_perm=64, seed=42)
        minhash.update(list(grams(text)))
        gone[row] = not seen.add(str(row), minhash)
    return gone


def semhash(texts):
    """Static embeddings need a model download; its rule is tried only where one is at hand."""
    from semhash import SemHash

    kept = set(SemHash.from_records(texts).self_deduplicate().selected)
    return np.array([text not in kept for text in texts])


def datasketch(texts):
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(threshold=0.7, num_perm=64)
    gone = np.zeros(len(texts), bool)
    for row, text in enumerate(texts):
        minhash = MinHash(num_perm=64)
        minhash.update_batch([gram.encode() for gram in grams(text)])
        gone[row] = bool(lsh.query(minhash))
        if not gone[row]:
            lsh.insert(row, minhash)
    return gone


def judged(run, texts, originals, similar):
    start, cpu = time.perf_counter(), time.process_time()
    gone = run(texts)
    spent, used = time.perf_counter() - start, time.process_time() - cpu
    wrong = gone[:originals]
    return {
        "wall_s": round(spent, 2),
        "cpu_s": round(used, 2),
        "recall": round(float(gone[originals:][similar].mean()), 4),
        "originals_removed": round(float(wrong.mean()), 6),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--peers", type=int, default=100_000)
    args = parser.parse_args()
    find_near_duplicates(questions(2000)[0])
    rows = {}
    for n, runs in ((args.peers, (kdos, rensa, datasketch)), (args.n, (kdos,))):
        texts, source, originals = questions(n)
        similar = np.array([jaccard(texts[originals + i], texts[row]) >= 0.7 for i, row in enumerate(source)])
        for run in runs:
            name = f"{run.__name__}, {n}"
            try:
                rows[name] = judged(run, texts, originals, similar)
            except Exception as error:
                rows[name] = {"failed": repr(error)[:200]}
            print(name, rows[name], flush=True)
    write_down("duplicates_peers", {"rows": rows}, "rensa", "datasketch")
