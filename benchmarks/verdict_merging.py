"""Knowledge points that say the same thing in other words, merged or not.

    python benchmarks/verdict_merging.py --data ../shared/data --embed minilm [--out FILE]

Facts are the triples of three sets; each is stated two to four times, in sentences drawn from
several wordings of its relation. The same fact in other words should merge; any two other facts
must not. Precision and recall count pairs of different sentences. Prints one line of JSON.
"""

import argparse
import gzip
import json
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from kdos.chance import generator
from kdos.pool.grouping import group_texts, normalise

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
FACTS = 8000


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def stated(data):
    """Sentences, and the number of the fact that each states."""
    facts = [
        (row["subject"], row["relation"], row["answers"][0])
        for name in ("entityquestions_train", "trex_kilt_dev", "zsre_kilt_dev")
        for row in rows(data / f"triples/{name}.jsonl.gz")
    ]
    facts = list(dict.fromkeys(facts))
    chosen = generator(1, "facts").choice(len(facts), FACTS, replace=False)
    known, sentences, labels = {}, [], []
    for number in chosen:
        subject, relation, value = facts[number]
        key = (normalise(subject), relation, normalise(value))
        fact = known.setdefault(key, len(known))
        wordings = WORDINGS.get(relation, ANY_RELATION).split("|")
        rng = generator(2, "wording", int(number))
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
