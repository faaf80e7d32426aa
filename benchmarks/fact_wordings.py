"""Facts in several wordings, from the triples and questions of DATA: what several benchmarks measure with.

Five sets. `templates`: triples in wordings of our own, which the relation words of `pool/grouping.py` were written
with in view. `people`: triples in the wordings that the authors of ParaRel wrote for each relation. `zsre`: questions
of several people for one fact, each with its answer. `dyk`: a sentence of Wikipedia's front page, and the question
made of it with its answer. `simpleqa`: questions that SimpleQA-Verified reworded. The first two have near misses:
facts that nobody claims, made of the others by exchanging one part, a place of birth for a place of death.
"""

import gzip
import json
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from kdos.chance import keyed_generator
from kdos.embed import LexicalEmbedder, load_embedder
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


RELATION_IDS = {
    "author": "P50",
    "capital": "P36",
    "child": "P40",
    "continent": "P30",
    "country": "P17",
    "creator": "P170",
    "country of citizenship": "P27",
    "country of origin": "P495",
    "developer": "P178",
    "educated at": "P69",
    "employer": "P108",
    "genre": "P136",
    "headquarters location": "P159",
    "instrument": "P1303",
    "language of work or name": "P407",
    "languages spoken, written or signed": "P1412",
    "location": "P276",
    "located in the administrative territorial entity": "P131",
    "location of formation": "P740",
    "manufacturer": "P176",
    "member of": "P463",
    "named after": "P138",
    "native language": "P103",
    "notable work": "P800",
    "occupation": "P106",
    "original broadcaster": "P449",
    "owned by": "P127",
    "original language of film or TV show": "P364",
    "performer": "P175",
    "place of birth": "P19",
    "place of death": "P20",
    "position held": "P39",
    "position played on team / speciality": "P413",
    "record label": "P264",
    "religion": "P140",
    "sport": "P641",
    "spouse": "P26",
    "work location": "P937",
}
"""Wikidata's numbers of relations that some sets name in words."""
SAME_WORDINGS = {"P176": "P178"}
"""ParaRel words the manufacturer and the developer alike."""
SYMMETRIC = ("P26", "sibling", "shares border with", "twinned administrative body")
VAGUE = ("{}, by", "{}, from", "{}, of", "{}, in", "{} is in")
"""Wordings that say no relation."""
EXCHANGED_BY_PEOPLE = {"P19": "P20", "P20": "P19", "P937": "P20", "P740": "P159", "P159": "P740", "P103": "P1412"}
EXCHANGED_BY_PEOPLE |= {"P1412": "P103", "P178": "P127", "P127": "P178", "P27": "P19", "P449": "P127", "P138": "P127"}
FACTS_OF_A_RELATION = 120
FACTS = 4000


@dataclass(frozen=True)
class Wordings:
    """Sentences and the number of the fact that each states; masks of those claimed by somebody and held out."""

    sentences: list
    facts: np.ndarray
    claimed: np.ndarray
    held_out: np.ndarray


class Collected:
    """Sentences as they are collected; two facts that one sentence states word for word are one fact."""

    def __init__(self):
        self.known, self.rows, self.leader, self.said = {}, [], {}, {}

    def add(self, key, sentence, *, claimed=True, held_out=False):
        fact = find(self.leader, self.known.setdefault(key, len(self.known)))
        self.leader[fact] = find(self.leader, self.said.setdefault(normalise_text(sentence), fact))
        self.rows.append((sentence, self.known[key], claimed, held_out))

    def finish(self):
        sentences, facts, claimed, held_out = zip(*self.rows, strict=True)
        facts = np.array([find(self.leader, fact) for fact in facts])
        return Wordings(list(sentences), facts, np.array(claimed), np.array(held_out))


def find(leader, fact):
    while leader.get(fact, fact) != fact:
        fact = leader[fact]
    return fact


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def fact_of(subject, relation, value):
    """What tells a fact from others: a relation has one name, and a symmetric one no direction."""
    relation, ends = RELATION_IDS.get(relation, relation), (normalise_text(subject), normalise_text(value))
    return (relation, *(sorted(ends) if relation in SYMMETRIC else ends))


def triples(data):
    """(subject, relation, value) of three sets, each once."""
    names = ("trex_kilt_dev", "zsre_kilt_dev", "entityquestions_train")
    found = [
        (r["subject"], r["relation"], r["answers"][0]) for n in names for r in rows(data / f"triples/{n}.jsonl.gz")
    ]
    return list(dict.fromkeys(found))


def state_in_templates(data):
    """Facts of subjects that have several, then others, in two to four wordings of our own; and near misses."""
    facts = triples(data)
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
    found = Collected()
    for number, (subject, relation, value) in enumerate(chosen + misses):
        wordings = WORDINGS.get(relation, ANY_RELATION).split("|")
        rng = keyed_generator(2, "wording", number)
        for at in rng.choice(len(wordings), rng.integers(2, 5), replace=False):
            sentence = wordings[at].format(s=subject, o=value, r=relation)
            found.add(fact_of(subject, relation, value), sentence, claimed=number < FACTS)
    return found.finish()


def state_as_people_do(data):
    """Triples in up to four wordings of ParaRel's; held out are relations that our own wordings lack."""
    known = rows(data / "triples/rome_known_1000.jsonl.gz")
    wordings = defaultdict(list)
    for row in known:
        relation = SAME_WORDINGS.get(row["relation"], row["relation"])
        if row["template"] not in (*VAGUE, *wordings[relation]):
            wordings[relation].append(row["template"])
    facts = defaultdict(dict)
    for subject, relation, value in [*((r["subject"], r["relation"], r["object"]) for r in known), *triples(data)]:
        relation = RELATION_IDS.get(relation, relation)
        facts[SAME_WORDINGS.get(relation, relation)][subject, value] = None
    rng, found = keyed_generator(5, "people"), Collected()
    for relation in wordings:
        order = rng.permutation(len(facts[relation]))[:FACTS_OF_A_RELATION]
        values = sorted({value for _, value in facts[relation]})
        for subject, value in (list(facts[relation])[n] for n in order):
            stated = [(relation, value, True), (relation, str(rng.choice(values)), False)]
            if relation in EXCHANGED_BY_PEOPLE:
                stated.append((EXCHANGED_BY_PEOPLE[relation], value, False))
            for said, of, claimed in stated:
                for at in rng.choice(len(wordings[said]), min(len(wordings[said]), 4), replace=False):
                    sentence = f"{wordings[said][at].format(subject)} {of}."
                    held_out = relation not in WORDINGS and said not in WORDINGS
                    found.add(fact_of(subject, said, of), sentence, claimed=claimed, held_out=held_out)
    return found.finish()


def ask_in_several_ways(data):
    found = Collected()
    for row in rows(data / "triples/zsre_kilt_dev.jsonl.gz"):
        for question in row["paraphrases"]:
            key = fact_of(row["subject"], row["relation"], row["answers"][0])
            found.add(key, f"{question} {row['answers'][0]}", held_out=True)
    return found.finish()


def state_and_ask(data):
    found = Collected()
    for row in rows(data / "triples/wikidyk.jsonl.gz"):
        said = row["fact"].removeprefix("that ").rstrip("?")
        found.add(row["id"], f"{said[:1].upper()}{said[1:]}.", held_out=True)
        found.add(row["id"], f"{row['question']} {row['answers'][0]}.", held_out=True)
    return found.finish()


def ask_again(data):
    found, first = Collected(), {row["original_index"]: row for row in rows(data / "qa/simpleqa.jsonl.gz")}
    for row in rows(data / "qa/simpleqa_verified.jsonl.gz"):
        for question in {row["question"]: None, first[row["original_index"]]["question"]: None}:
            found.add(row["id"], f"{question} {row['answers'][0]}", held_out=True)
    return found.finish()


SETS = {
    "templates": state_in_templates,
    "people": state_as_people_do,
    "zsre": ask_in_several_ways,
    "dyk": state_and_ask,
    "simpleqa": ask_again,
}


def embedder_of(name, texts):
    """The embedder of this name; `lexical` learns from these texts."""
    return load_embedder(name) or LexicalEmbedder.fit(texts)


def unit(vectors):
    """The vectors, shape (n, dim), at length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def show_result(result, out):
    """Print a result as JSON, and write it to a file where one is named."""
    print(json.dumps(result, ensure_ascii=False))
    if out:
        out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
