"""The sweep on a real model: what a pretrained model knows after it has read pools that were really made (our design).

It is asked for facts that it missed before, in every wording, whether a pool shows them or not: in people's own
question first of all. Facts that it knew and texts that no pool holds tell what reading cost. The pool is the unit.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from kdos.arrays import BoolArray, Float64Array, Int64Array
from kdos.artifacts import RunFolder
from kdos.chance import keyed_generator
from kdos.errors import InputError
from kdos.pool import column_values
from kdos.store import read_json_file, read_parquet, write_json
from kdos.train.pools import LEAST_FACTS, PoolSamples
from kdos.train.pretrained import PretrainedReader, Prompt, TextCourse
from kdos.train.proxies import Lab, MeasuredRow
from kdos.train.sweep import BLIND_ARM, COVER_ARM, LOOP_ARM, PLACEBO_ARM, compare_named_arms, recall_interval

ARMS = (LOOP_ARM, BLIND_ARM, COVER_ARM, PLACEBO_ARM)
KNOWN_FACTS = 200
"""Facts that it knew beforehand, among which it is looked at what it forgets."""
WORDINGS = ("people", "pool", "statement")
"""How a fact is asked for: people's question as benchmarks put it, which is what counts; people's question as a pool
puts its own; and the source's statement up to the answer."""
DECILES = 10
MATERIAL = "material.json"
WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """Knowledge points of a run's source, and how often it states each, shape (n_points,)."""

    statements: Sequence[str]
    multiplicity: Int64Array

    @property
    def row(self) -> dict[str, int]:
        """The row of each."""
        return {statement: row for row, statement in enumerate(self.statements)}


@dataclass(frozen=True, slots=True)
class AskedFact:
    """A fact with people's question for it; `row` is that of the source's `statement`, None where none states it."""

    question: str
    answer: str
    statement: str = ""
    row: int | None = None

    def prompts(self) -> dict[str, Prompt]:
        """How it is asked for, by wording."""
        found = {
            "people": Prompt(f"Question: {self.question}\nAnswer:", f" {self.answer}"),
            "pool": Prompt(f"{self.question}\n", self.answer),
        }
        before, value, _ = self.statement.rpartition(self.answer)
        return found | ({"statement": Prompt(before.rstrip(), f" {value}")} if value and before else {})


@dataclass(frozen=True, slots=True)
class Reading:
    """What each pool's model is trained with: tokens that it reads, the share of them that is replay, peak rate."""

    model: str
    tokens: int
    replay_share: float
    rate: float
    random_seed: int


@dataclass(frozen=True, slots=True)
class ReadingGroup:
    """One pool of one arm, read by one model; of no arm it is the model as it was.

    Its ``repr`` names what it measures; `digest` is of all texts and questions in the folder `material`.
    """

    reading: Reading
    arm: str
    pool: int
    digest: str
    material: Path = field(repr=False)


@dataclass(frozen=True, slots=True)
class Material:
    """What models read and are asked: the texts of each arm's pools, replay, facts, and texts that none reads."""

    texts: Mapping[str, Sequence[Sequence[str]]]
    replay: Sequence[str]
    asked: Sequence[AskedFact]
    held_out: Sequence[str]

    def write(self, folder: Path) -> "WrittenMaterial":
        """Write it where the processes that train find it."""
        prompts = [{name: list(prompt) for name, prompt in fact.prompts().items()} for fact in self.asked]
        texts = {arm: [list(pool) for pool in pools] for arm, pools in self.texts.items()}
        table = {"texts": texts, "replay": list(self.replay), "prompts": prompts, "held_out": list(self.held_out)}
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / MATERIAL, table)
        return WrittenMaterial(folder, hashlib.sha256(orjson.dumps(table)).hexdigest()[:16])


@dataclass(frozen=True, slots=True)
class WrittenMaterial:
    """Material on disk, with a digest of it."""

    folder: Path
    digest: str

    def group(self, reading: Reading, arm: str = "", pool: int = 0) -> ReadingGroup:
        """A pool of it to be read; without an arm, nothing is."""
        return ReadingGroup(reading, arm, pool, self.digest, self.folder)


@dataclass(frozen=True, slots=True)
class PoolTexts:
    """The texts of an arm's pools, and how often each shows every fact of the source, shape (n_pools, n_facts)."""

    texts: Sequence[Sequence[str]]
    exposures: Int64Array


def read_source_facts(run: Path) -> SourceFacts:
    """The knowledge points of a run's source.

    Raises:
        InputError: It is no run that has its space.
    """
    folder = RunFolder(run)
    if not folder.knowledge_points.is_file():
        raise InputError(f"RUN must be the folder of a finished run. {run} is none.")
    folder.refuse_damage()
    table = read_parquet(folder.knowledge_points, ["text", "multiplicity"])
    return SourceFacts(column_values(table, "text"), table["multiplicity"].to_numpy())


def match_questions(facts: SourceFacts, questions: Sequence[tuple[str, str, str]]) -> list[AskedFact]:
    """Subjects, people's questions about them and the answers; each with the statement of the source that holds both.

    Of several the shortest counts; a statement answers one question.
    """
    by_word: dict[str, list[int]] = {}
    for row, statement in enumerate(facts.statements):
        for word in set(WORDS.findall(statement)):
            by_word.setdefault(word, []).append(row)
    found: list[AskedFact] = []
    taken: set[int] = set()
    for subject, question, answer in questions:
        near = by_word.get(next(iter(WORDS.findall(subject)), ""), ())
        fitting = [row for row in near if subject in facts.statements[row] and answer in facts.statements[row]]
        row = min(fitting, key=lambda row: len(facts.statements[row]), default=None)
        if row is None:
            found.append(AskedFact(question, answer))
        elif row not in taken:
            taken.add(row)
            found.append(AskedFact(question, answer, facts.statements[row], row))
    return found


def read_pool_texts(facts: SourceFacts, pools: Sequence[PoolSamples]) -> PoolTexts:
    """What models read of some pools: each sample's question with its answer, and each of its points by itself.

    The points of a sample share a name. Line below line, a model would copy it from above in place of learning it.
    """
    texts = [
        [
            text
            for question, answer, points in zip(pool.questions, pool.answers, pool.points, strict=True)
            for text in (f"{question}\n{answer}", *points)
        ]
        for pool in pools
    ]
    exposures = np.zeros((len(pools), len(facts.statements)), np.int64)
    rows = facts.row
    for number, pool in enumerate(pools):
        for point in (point for points in pool.points for point in points):
            # A pronoun's or a title's name may stand before what the source says.
            row = rows.get(point, rows.get(point.partition(": ")[2]))
            if row is not None:
                exposures[number, row] += 1
    return PoolTexts(texts, exposures)


def run_pretrained_sweep(
    reading: Reading,
    facts: SourceFacts,
    asked: Sequence[AskedFact],
    pools: Mapping[str, PoolTexts],
    lab: Lab,
    *,
    replay: Sequence[str],
    held_out: Sequence[str],
    folder: Path,
) -> dict[str, Any]:
    """Have a model read each pool; a row for each arm, and the comparisons. `folder` takes texts and checkpoints.

    Raises:
        InputError: Too few facts of the source have a question whose answer the model does not know.
    """
    untaught = Material({}, (), asked, held_out).write(folder / "before").group(replace(reading, tokens=0, rate=0.0))
    [[before]] = lab.measure_groups(_read_pool, [untaught], name="before")
    missed, known = _split_by_knowledge(asked, before)
    refuse_few_questions(len(missed))
    texts = {arm: one.texts for arm, one in pools.items()}
    kept = [asked[place] for place in (*missed, *known)]
    written = Material(texts, replay, kept, held_out).write(folder / "read")
    groups = [written.group(reading, arm, pool) for pool in range(len(texts[LOOP_ARM])) for arm in texts]
    parts = lab.measure_groups(_read_pool, groups, name="read")
    read = {arm: [row for [row] in parts if row["arm"] == arm] for arm in texts}
    among = len(missed)
    rows = np.array([asked[place].row for place in missed])
    recalls = {arm: _recalled(found, WORDINGS[0])[:, :among] for arm, found in read.items()}
    deciles = np.argsort(np.argsort(facts.multiplicity[rows], kind="stable")) * DECILES // len(rows)
    return {
        "facts": len(missed),
        "known_facts": len(known),
        "asked": len(asked),
        "tokens": reading.tokens,
        "replay_share": reading.replay_share if replay else 0.0,
        "rate": reading.rate,
        "params": before["params"],
        "before": {"held_out_nats": before["held_out_nats"], "nats": float(np.array(before["nats"])[missed].mean())},
        "arms": [
            {"arm": arm, "texts": float(np.mean([len(each) for each in texts[arm]]))}
            | _arm_row(reading, recalls[arm], recalls.get(BLIND_ARM), pools[arm].exposures[:, rows], deciles, arm)
            | {f"recall_{name}": float(_recalled(found, name)[:, :among].mean()) for name in WORDINGS[1:]}
            | {"nats": float(np.mean([one["nats"][:among] for one in found]))}
            | {"known_kept": float(_recalled(found, WORDINGS[0])[:, among:].mean()) if known else None}
            | {"held_out_nats": float(np.mean([one["held_out_nats"] for one in found])) if held_out else None}
            for arm, found in read.items()
        ],
        "comparisons": compare_named_arms(
            recalls, lambda ours, theirs: keyed_generator(reading.random_seed, "reading", ours, theirs)
        ),
    }


def refuse_few_questions(facts: int) -> None:
    """Refuse questions for so few facts of the source that no difference between pools would show.

    Raises:
        InputError: They are fewer than `LEAST_FACTS`.
    """
    if facts < LEAST_FACTS:
        raise InputError(
            f"--questions must ask for {LEAST_FACTS} facts of the source, at least, that the model misses. "
            f"Got {facts}. Give questions about what RUN's source states."
        )


def _read_pool(group: ReadingGroup) -> list[MeasuredRow]:
    reading = group.reading
    reader, material = _open_reader(reading.model, group.material)
    steps, checkpoint = 0, group.material / f"{group.arm}-{group.pool}.safetensors"
    if group.arm:
        texts, replay = material["texts"][group.arm][group.pool], material["replay"]
        key = f"{reading.random_seed} {group.arm} {group.pool}"
        course = TextCourse(key, texts, reading.tokens, reading.rate, replay, reading.replay_share)
        steps = reader.read_texts(course, checkpoint)
    prompts = material["prompts"]
    scores = {
        name: reader.score_prompts([Prompt(*each[name]) for each in prompts if name in each]) for name in WORDINGS
    }
    # A fact that has no such wording counts as missed in it.
    right = {name: np.zeros(len(prompts), int) for name in WORDINGS}
    for name, found in scores.items():
        right[name][[name in each for each in prompts]] = found.right
    loss = reader.mean_loss(material["held_out"]) if material["held_out"] else None
    checkpoint.unlink(missing_ok=True)  # not before: what was read would be read again
    return [
        {"arm": group.arm, "pool": group.pool, "steps": steps, "params": reader.params}
        | {"right": {name: hits.tolist() for name, hits in right.items()}, "held_out_nats": loss}
        | {"nats": scores[WORDINGS[0]].nats.tolist()}
    ]


@lru_cache(1)
def _open_reader(model: str, folder: Path) -> tuple[PretrainedReader, dict[str, Any]]:
    """The model and what it reads, loaded once by a process."""
    material = read_json_file(folder / MATERIAL)
    read = [text for pools in material["texts"].values() for pool in pools for text in pool]
    return PretrainedReader(model, vocabulary_of=[*read, *material["replay"]]), material


def _split_by_knowledge(asked: Sequence[AskedFact], before: MeasuredRow) -> tuple[list[int], list[int]]:
    """The source's facts that the model misses in every wording, and some that it knew and no pool can show."""
    hits = np.array([before["right"][name] for name in WORDINGS])
    missed = [place for place, fact in enumerate(asked) if fact.row is not None and not hits[:, place].any()]
    knew = [place for place, fact in enumerate(asked) if fact.row is None and hits[0, place]]
    return missed, sorted(keyed_generator(0, "known").permutation(knew)[:KNOWN_FACTS].tolist())


def _recalled(found: Sequence[MeasuredRow], wording: str) -> Float64Array:
    """Whether each pool's model recalls each fact, shape (n_pools, n_facts)."""
    return np.array([row["right"][wording] for row in found], np.float64)


def _arm_row(
    reading: Reading,
    recall: Float64Array,
    blind: Float64Array | None,
    exposures: Int64Array,
    deciles: Int64Array,
    arm: str,
) -> dict[str, Any]:
    """What an arm shows and what its models recall, with 95 % intervals where there are two pools."""
    rng = keyed_generator(reading.random_seed, "reading row", arm)
    shown: BoolArray = exposures > 0
    row: dict[str, Any] = {
        "pools": len(recall),
        "coverage": float(shown.mean()),
        "exposures": float(exposures.sum(axis=1).mean()),
        "recall": float(recall.mean()),
        "recall_of_shown": float(recall[shown].mean()) if shown.any() else None,
        "recall_of_unseen": float(recall[~shown].mean()) if not shown.all() else None,
        "by_popularity": [float(recall[:, deciles == decile].mean()) for decile in range(DECILES)],
        "by_pool": recall.mean(axis=1).tolist(),
        "recall_ci": recall_interval(recall, None, rng),
    }
    if arm != BLIND_ARM and blind is not None:
        row["minus_blind"] = float(recall.mean() - blind.mean())
    return row
