"""Knowledge points that say the same thing in other words, merged or not.

    python benchmarks/checks_merging.py --data DATA --embed minilm [--out FILE]

Facts are the triples of three sets; each is stated two to four times, in sentences drawn from
several wordings of its relation. The same fact in other words should merge; any two other facts
must not. Precision and recall count pairs of sentences. Prints one line of JSON.

`_with_near_misses` adds facts that nobody claims, made of the others by exchanging one part. The
table of relation words in `pool/grouping.py` was written with these relations in view.
"""

import argparse
import gzip
import json
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from kdos.chance import keyed_generator
from kdos.embed import LexicalEmbedder, load_embedder
from kdos.pool.grouping import group_paraphrases
from kdos.pool.wording import normalise_text

WORDINGS = {
    "P106": "{s} works as a {o}.|{s} is a {o} by profession.|The occupation of {s} is {o}.|By trade, {s} is a {o}.",
    "P112": "{o} founded {s}.|{s} was founded by {o}.|The founder of {s} is {o}.|{s} was established by {o}.",
    "P127": "{s} is owned by {o}.|{o} owns {s}.|The owner of {s} is {o}.|{s} belongs to {o}.",
    "P131": "{s} is located in {o}.|{s} lies in {o}.|One finds {s} in {o}.|{s} is situated in {o}.",
    "P136": "{s} plays {o}.|The genre of {s} is {o}.|{s} makes {o} music.|{s} performs in the genre {o}.",
    "P159": "{s} has its headquarters in {o}.|The headquarters of {s} are in {o}.|{s} is headquartered in {o}.|{s} is based in {o}.",
    "P17": "{s} is in the country {o}.|The country of {s} is {o}.|{s} is a place in {o}.|{s} lies within the borders of {o}.",
    "P170": "{s} was created by {o}.|{o} created {s}.|The creator of {s} is {o}.|{s} is a creation of {o}.",
    "P175": "{s} was performed by {o}.|{o} performed {s}.|The performer of {s} is {o}.|{s} is performed by {o}.",
    "P176": "{s} is produced by {o}.|{o} produces {s}.|The manufacturer of {s} is {o}.|{s} is made by {o}.",
    "P19": "{s} was born in {o}.|The birthplace of {s} is {o}.|{s}'s place of birth is {o}.|{s} came into the world in {o}.",
    "P20": "{s} died in {o}.|The place of death of {s} is {o}.|{s} passed away in {o}.|{o} is where {s} died.",
    "P26": "{s} is married to {o}.|The spouse of {s} is {o}.|{o} is the spouse of {s}.|{s} married {o}.",
    "P264": "{s} is represented by the label {o}.|The record label of {s} is {o}.|{s} appeared on the label {o}.|{o} is the record label of {s}.",
    "P276": "{s} takes place in {o}.|The location of {s} is {o}.|{s} can be found in {o}.|{s} is located in {o}.",
    "P36": "The capital of {s} is {o}.|{o} is the capital of {s}.|{s} has {o} as its capital.|{s}'s capital is {o}.",
    "P40": "{o} is a child of {s}.|{s} is a parent of {o}.|{s}'s child is {o}.|{s} has a child named {o}.",
    "P407": "{s} was written in {o}.|The language of {s} is {o}.|{s} is a work in {o}.|{s} is in the {o} language.",
    "P413": "{s} plays as a {o}.|The position of {s} is {o}.|{s} plays in the position of {o}.|On the field, {s} is a {o}.",
    "P495": "{s} was created in {o}.|The country of origin of {s} is {o}.|{s} comes from {o}.|{s} originates from {o}.",
    "P50": "{s} was written by {o}.|{o} wrote {s}.|The author of {s} is {o}.|{o} is the author of {s}.",
    "P69": "{s} was educated at {o}.|{s} studied at {o}.|{s} attended {o}.|{o} is where {s} was educated.",
    "P740": "{s} was founded in {o}.|{s} was formed in {o}.|{s} was established in {o}.|The place where {s} was founded is {o}.",
    "P800": "{s} is famous for {o}.|{s} is known for {o}.|A notable work of {s} is {o}.|{o} is a notable work of {s}.",
}
ANY_RELATION = "The {r} of {s} is {o}.|{s} has {o} as its {r}.|{o} is the {r} of {s}.|As for {s}, the {r} is {o}."
EXCHANGED_RELATIONS = {"P19": "P20", "P20": "P19", "P159": "P740", "P740": "P159", "P26": "P40"}
EXCHANGED_RELATIONS |= {"P50": "P170", "P170": "P175", "P175": "P50", "P112": "P127", "P127": "P112"}
EXCHANGED_VALUES = ("P106", "P136", "P413", "P407", "P17")
FACTS = 4000


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def facts_of(data):
    """Facts of subjects that have several, then others; and near misses that nobody claims.

    A near miss is a fact with one part exchanged: the place where one was born as that where one
    died, a novelist as a painter. It must never merge with the fact it was made from.
    """
    facts = [
        (row["subject"], row["relation"], row["answers"][0])
        for name in ("trex_kilt_dev", "zsre_kilt_dev", "entityquestions_train")
        for row in rows(data / f"triples/{name}.jsonl.gz")
    ]
    facts = list(dict.fromkeys(facts))
    often = Counter(subject for subject, _, _ in facts)
    order = sorted(keyed_generator(1, "facts").permutation(len(facts)).tolist(), key=lambda n: often[facts[n][0]] < 2)
    chosen = [facts[n] for n in order[:FACTS]]
    values = {r: sorted({o for _, relation, o in facts if relation == r}) for r in EXCHANGED_VALUES}
    rng = keyed_generator(3, "near misses")
    misses = []
    for subject, relation, value in chosen:
        if relation in EXCHANGED_RELATIONS:
            misses.append((subject, EXCHANGED_RELATIONS[relation], value))
        if relation in values:
            misses.append((subject, relation, str(rng.choice(values[relation]))))
    return chosen + misses


def stated(data):
    """Sentences, and the number of the fact that each states."""
    known, sentences, labels = {}, [], []
    for number, (subject, relation, value) in enumerate(facts_of(data)):
        key = (normalise_text(subject), relation, normalise_text(value))
        fact = known.setdefault(key, len(known))
        wordings = WORDINGS.get(relation, ANY_RELATION).split("|")
        rng = keyed_generator(2, "wording", number)
        for at in rng.choice(len(wordings), rng.integers(2, 5), replace=False):
            sentences.append(wordings[at].format(s=subject, o=value, r=relation))
            labels.append(fact)
    return sentences, np.array(labels)


def score(group, labels):
    """Pairwise precision and recall of a grouping."""
    together = sum(pairs(count) for count in Counter(zip(group.tolist(), labels.tolist(), strict=True)).values())
    merged = sum(pairs(count) for count in Counter(group.tolist()).values())
    same = sum(pairs(count) for count in Counter(labels.tolist()).values())
    return together / max(1, merged), together / same


def pairs(count):
    return count * (count - 1) // 2


def one_name(sentences, labels):
    """Labels by which two facts that a sentence states word for word alike are one fact."""
    leader = {}
    known = {}
    for sentence, label in zip(map(normalise_text, sentences), labels.tolist(), strict=True):
        mine = find(leader, label)
        leader[mine] = find(leader, known.setdefault(sentence, mine))
    return np.array([find(leader, label) for label in labels.tolist()])


def find(leader, label):
    while leader.get(label, label) != label:
        label = leader[label]
    return label


def embedder_of(name, texts):
    return load_embedder(name) or LexicalEmbedder.fit(texts)


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--embed", default="minilm")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    sentences, stated_facts = stated(args.data)
    labels = one_name(sentences, stated_facts)
    vectors = unit(embedder_of(args.embed, sentences).embed(sentences))
    result = {"embed": args.embed, "sentences": len(sentences), "facts": len(set(labels.tolist()))}
    claimed = stated_facts < FACTS
    for name, rows in (("", claimed), ("_with_near_misses", claimed | True)):
        start = time.process_time()
        texts = [sentence for sentence, held in zip(sentences, rows, strict=True) if held]
        grouping = group_paraphrases(texts, vectors[rows])
        precision, recall = score(grouping.group, labels[rows])
        result |= {
            f"precision{name}": round(precision, 4),
            f"recall{name}": round(recall, 4),
            f"seconds{name}": round(time.process_time() - start, 2),
        }
    print(json.dumps(result))
    if args.out:
        args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
