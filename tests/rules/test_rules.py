"""The rules engine on facts: every reply fits its schema, and every sample is true."""

import cmd
import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.checks import DraftInContext, KnownQuestions, answer_aliases, check_drafts, combine_judgements
from kdos.checks.answers import find_leaked_answer
from kdos.llm import Engine
from kdos.logic import Fault, find_faults, parse
from kdos.pool import Draft, Extraction, Passage, Refusal, Seed
from kdos.rules import RulesEngine, answer
from kdos.rules.passage_index import read_fact, read_facts
from kdos.rules.questions import QuestionWording, ask_fact
from kdos.rules.relations import PYTHON_RELATIONS, TRIPLE_RELATIONS, Relation
from kdos.seed.passages import cut_passages
from kdos.seed.pydocs import read_library_documents
from kdos.tasks import (
    Group,
    ask_drafts,
    ask_extraction,
    ask_judgement,
    ask_seeds,
    read_drafts,
    read_extraction,
    read_judgement,
    read_seeds,
)

ENGINE = RulesEngine()
DUMPS = "\n".join(
    [
        "`json.dumps` is a function of the module `json`.",
        "The documentation of the function `json.dumps` says “Serialize obj to a JSON string”.",
        "The signature of `json.dumps` has 11 parameters.",
        "The signature of `json.dumps` has 1 required parameter.",
        "The first parameter of `json.dumps` is `obj`.",
        "The second parameter of `json.dumps` is `skipkeys`.",
        "The parameter `skipkeys` of `json.dumps` has the default value `False`.",
        "The parameter `skipkeys` of `json.dumps` is keyword-only.",
        "The parameter `indent` of `json.dumps` has the default value `None`.",
        "The second parameter of `json.dump` is `fp`.",
    ]
)


def check_one(
    draft: Draft, *, passages: Mapping[str, Passage], seeds: Sequence[Seed], known: KnownQuestions, lang: str = "en"
) -> Refusal | None:
    """The first thing that the free checks have against one draft."""
    context = DraftInContext(draft, answer_aliases(draft.answer, seeds), passages, seeds, lang)
    return check_drafts([context], known=known)[0]


@cache
def passages() -> list[Passage]:
    return [passage for document in read_library_documents() for passage in cut_passages(document)]


def passage(text: str, title: str = "json", lang: str = "en") -> Passage:
    return Passage("p#0", "p", title, "", lang, 0, len(text), text)


def seeds_of(source: Passage, wanted: int = 6) -> list[Seed]:
    seeds, refusals = read_seeds(next(ENGINE.complete([ask_seeds(source, per_passage=wanted)])), source)
    assert refusals == []
    return seeds


def extraction_of(seed: Seed, source: Passage) -> Extraction:
    request = ask_extraction(seed.id, question=seed.question, answer=seed.answers[0], passages=[source])
    found = read_extraction(next(ENGINE.complete([request])))
    assert not isinstance(found, Refusal), found
    return found


def drafts_of(
    source: Passage,
    *,
    seed: Seed | None = None,
    use: tuple[str, ...] = (),
    avoid: tuple[str, ...] = (),
    drafts: int = 2,
    variant: int = 0,
) -> list[Draft]:
    seed = seed or seeds_of(source)[0]
    group = Group("g", (seed,), (use,) * drafts, avoid, drafts, variant)
    extractions = {seed.id: extraction_of(seed, source)}
    request = ask_drafts(group, extractions=extractions, passages=[source])
    found = read_drafts(next(ENGINE.complete([request])), group)
    assert not isinstance(found, Refusal), found
    return found


def judged(draft: Draft, source: Passage) -> Mapping[str, bool]:
    judgement = read_judgement(next(ENGINE.complete([ask_judgement(draft, passages=[source])])))
    assert not isinstance(judgement, Refusal)
    return judgement.passed


def untrue(samples: list[dict[str, Any]]) -> list[str]:
    """What a checker that shares no code with the engine finds wrong with samples."""
    oracle = Path(__file__).parents[1] / "oracles" / "standard_library"
    lines = b"".join(orjson.dumps(sample) + b"\n" for sample in samples)
    done = subprocess.run([sys.executable, "-I", str(oracle)], input=lines, capture_output=True, check=True)
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(verdicts) == len(samples)
    return [problem for found in verdicts for problem in found]


def sample_of(draft: Draft) -> dict[str, Any]:
    return {"question": draft.question, "answer": draft.answer, "knowledge_points": draft.knowledge_points}


def test_it_is_an_engine_and_names_its_version() -> None:
    engine: Engine = RulesEngine()
    assert engine.name == "rules"
    assert re.fullmatch(r"rules/\d+", engine.fingerprint)


def test_it_maps_lazily_and_answers_the_same_each_time() -> None:
    def endless():
        while True:
            yield ask_seeds(passage(DUMPS), per_passage=4)

    replies = ENGINE.complete(endless())
    first, second = next(replies), next(replies)
    assert first.text == second.text
    assert first.text == answer("seed", first.request.inputs)


@pytest.mark.parametrize("relation", [*PYTHON_RELATIONS, *TRIPLE_RELATIONS], ids=lambda relation: relation.name)
def test_a_relation_reads_what_it_writes_and_asks_in_four_ways(relation: Relation) -> None:
    slots = dict(  # noqa: C408 (names stand out)
        owner="json.dumps", parameter="indent", member="second", module="json", value="'x'",
        count="3", ordinal="third", noun="function", kind="class method", passing="keyword-only",
        besides=" besides `self`", s="s", n="", sentence="Do this, then that", subject="Ada (poet)",
        object="J. R. Smith",
    ) | {"class": "ValueError"}  # fmt: skip
    wanted = {name for name in slots if f"{{{name}}}" in relation.sentence}
    sentence = relation.write_sentence(**{name: slots[name] for name in wanted})
    fact = read_fact(sentence)
    assert fact is not None
    assert fact.relation is relation
    assert {name: fact.slots[name] for name in wanted} == {name: slots[name] for name in wanted}
    for slot, phrasings in relation.asks.items():
        assert len(set(phrasings)) >= 4
        texts = [ask_fact(fact, slot, (), QuestionWording(phrase=n)) for n in range(len(phrasings))]
        assert len({question.text for question in texts if question}) == len(phrasings)


def test_seeds_ask_for_what_the_passage_says_and_spread_over_it() -> None:
    source = passage(DUMPS)
    seeds = seeds_of(source)
    assert len(seeds) == 6
    assert len({seed.question for seed in seeds}) == 6
    for seed in seeds:
        assert source.text[seed.start : seed.end] == seed.answers[0]
        assert not find_leaked_answer(seed.question, seed.answers)
        assert seed.question.endswith("?")
    held = {point for seed in seeds for point in extraction_of(seed, source).knowledge_points}
    assert held == set(DUMPS.splitlines())


def test_every_fact_of_the_library_is_held_by_some_seed() -> None:
    held: set[str] = set()
    said: set[str] = set()
    for source in passages()[::40]:
        said |= {fact.sentence for fact in read_facts(source.text)}
        for seed in seeds_of(source, 12):
            held |= set(extraction_of(seed, source).knowledge_points)
    assert held <= said
    assert len(held) >= 0.97 * len(said)


def test_extraction_keeps_what_is_used_and_leaves_out_what_is_not() -> None:
    draft = drafts_of(passage(DUMPS))[0]
    strange = "The second parameter of `json.dump` is `fp`."
    claimed = [*draft.knowledge_points, strange]
    request = ask_extraction(
        "x", question=draft.question, answer=draft.answer, passages=[passage(DUMPS)], claimed=claimed
    )
    found = read_extraction(next(ENGINE.complete([request])))
    assert not isinstance(found, Refusal)
    assert set(found.knowledge_points) == set(draft.knowledge_points) - {strange} | (
        {strange} if "`json.dump`" in draft.question else set()
    )


def test_a_draft_is_what_the_prompt_asks_for() -> None:
    source = passage(DUMPS)
    for variant in range(12):
        for draft in drafts_of(source, variant=variant):
            assert 3 <= len(draft.knowledge_points) <= 5
            assert all(point in DUMPS for point in draft.knowledge_points)
            assert draft.answer not in draft.distractors
            assert [piece.quote in DUMPS for piece in draft.evidence] == [True]
            assert draft.answer in draft.evidence[0].quote
            logic = parse(draft.logic)
            assert not isinstance(logic, Fault)
            found = find_faults(logic, knowledge_points=draft.knowledge_points, answer=draft.answer)
            assert found == []
            assert all(judged(draft, source).values())


def test_points_to_use_are_used_and_points_to_avoid_avoided() -> None:
    use = ("The parameter `indent` of `json.dumps` has the default value `None`.",)
    source = passage(DUMPS)
    # A seed's own: of others the request says nothing.
    seed, avoid = next(
        (seed, points)
        for seed in seeds_of(source)
        if not set(points := extraction_of(seed, source).knowledge_points) & set(use)
    )
    for variant in range(10):
        for draft in drafts_of(source, seed=seed, use=use, avoid=avoid, variant=variant):
            assert use[0] in draft.knowledge_points
            assert not set(avoid) & set(draft.knowledge_points)


def test_repeated_calls_on_the_same_seeds_give_other_questions() -> None:
    source = passage(DUMPS)
    use = ("The parameter `skipkeys` of `json.dumps` has the default value `False`.",)
    known = KnownQuestions()
    seed = seeds_of(source)[0]
    kept: list[Draft] = []
    for variant in range(40):
        for draft in drafts_of(source, seed=seed, use=use, variant=variant):
            assert use[0] in draft.knowledge_points
            if check_one(draft, passages={source.id: source}, seeds=[seed], known=known) is None:
                known.add_question(draft.question, [draft.answer], name=str(len(kept)))
                kept.append(draft)
    assert len(kept) >= 30, "a fact beside five others supports thirty questions"
    assert len({draft.logic for draft in kept}) > 10


def test_a_passage_that_gives_no_question_gives_an_empty_list() -> None:
    source = passage("`json.dumps` is a function of the module `json`.")
    assert seeds_of(source) == []
    inputs = {
        "seeds": [{"question": "?", "answer": "x", "knowledge_points": {}}], "knowledge_points": {},
        "passages": [{"id": "p#0", "title": "json", "text": source.text}],
        "use": [], "avoid": [], "domain": "", "language": "en", "drafts": 2, "variant": 0,
    }  # fmt: skip
    assert orjson.loads(answer("synthesize", inputs)) == {"drafts": []}


def random_drafts(count: int) -> list[Draft]:
    """Drafts from all over the library, as the loop would ask for them."""
    rng = random.Random(20261121)
    found: dict[str, Draft] = {}
    sources = passages()
    while len(found) < count:
        source = rng.choice(sources)
        seeds = seeds_of(source)
        if seeds:
            seed = rng.choice(seeds)
            points = extraction_of(seed, source).knowledge_points
            use = tuple(rng.sample(points, min(2, len(points))))
            for draft in drafts_of(source, seed=seed, use=use, variant=rng.randrange(20)):
                found[draft.question] = draft
    return list(found.values())[:count]


def test_500_of_500_samples_are_found_again_by_introspection() -> None:
    drafts = random_drafts(500)
    assert untrue([sample_of(draft) for draft in drafts]) == []
    assert len({draft.topic_entities[0].partition(".")[0] for draft in drafts}) > 80


def test_seeds_are_true_too() -> None:
    rng = random.Random(7)
    seeds = [seed for source in rng.sample(passages(), 60) for seed in seeds_of(source)]
    samples = [{"question": seed.question, "answer": seed.answers[0], "knowledge_points": []} for seed in seeds]
    assert untrue(samples) == []


def test_the_checker_finds_a_wrong_answer() -> None:
    draft = next(d for d in random_drafts(40) if d.answer.isdigit())
    wrong = sample_of(draft) | {"answer": str(int(draft.answer) + 1)}
    assert len(untrue([wrong])) == 1


def test_the_checker_knows_a_module_by_its_documentation() -> None:
    told = "the module whose documentation says “A generic class to build line-oriented command"
    sample = {
        "question": f"What is the length of the list `__all__` of {told} interpreters”?",
        "answer": str(len(cmd.__all__)),
        "knowledge_points": [],
    }
    assert untrue([sample]) == []
    assert len(untrue([sample | {"answer": "17"}])) == 1


def test_free_checks_let_nearly_all_drafts_pass() -> None:
    refused: Counter[str] = Counter()
    drafts = random_drafts(300)
    by_id = {source.id: source for source in passages()}
    for draft in drafts:
        known = KnownQuestions()
        found = check_one(draft, passages=by_id, seeds=[], known=known)
        refused[found.reason if found else ""] += 1
    assert refused[""] >= 0.98 * len(drafts), refused


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        ({"answer": "False"}, "answer_directly_in_question"),
        ({"knowledge_points": ("Pigs fly.", "Cows fly.", "Hens fly.")}, "knowledge_points_true"),
        ({"answer": "seventeen elephants"}, "supported"),
        ({"answer": "seventeen elephants"}, "entailed"),
        ({"logic": "graph TD\n a[None] --> b[some]"}, "logic_valid"),
        ({"distractors": ("True", "None")}, "distractors_valid"),
        ({"question": "What does the passage say of it?"}, "not_self_contained"),
    ],
)
def test_the_judge_sees_what_is_wrong(change: dict[str, Any], failing: str) -> None:
    points = (
        "The parameter `indent` of `json.dumps` has the default value `None`.",
        "The parameter `skipkeys` of `json.dumps` has the default value `False`.",
        "The first parameter of `json.dumps` is `obj`.",
    )
    sound: dict[str, Any] = {
        "question": "What is the default value of the parameter `indent` of `json.dumps`, which "
        "sets `skipkeys` to `False` and whose first parameter is `obj`?",
        "answer": "None",
        "topic_entities": ("json.dumps",),
        "knowledge_points": points,
        "logic": drawn(points, "None"),
        "distractors": ("True",),
        "evidence": (),
    }
    assert all(judged(Draft(id="d", **sound), passage(DUMPS)).values())
    assert not judged(Draft(id="d", **sound | change), passage(DUMPS))[failing]


def drawn(points: tuple[str, ...], end: str) -> str:
    boxes = [f'  k{number}["{point}"] --> e["{end}"]' for number, point in enumerate(points)]
    return "\n".join(["graph TD", *boxes])


@pytest.mark.parametrize(
    ("question", "alone"),
    [
        ("This is known of Paris: “He is a prince”. To whom is Paris married?", True),
        ("It is known that Paris is a prince. To whom is Paris married?", True),
        ("This prince is married to whom?", False),
        ("To whom is the prince of this passage married?", False),
    ],
)
def test_the_judge_tells_what_points_at_the_passage(question: str, alone: bool) -> None:
    bare = Draft("d", question, "Helen of Troy", (), (), "", (), ())
    assert judged(bare, passage("Paris is married to Helen of Troy.", title="Paris"))["not_self_contained"] is alone


def test_the_judge_sees_that_a_question_has_two_answers() -> None:
    text = "Paris is married to Helen of Troy.\nParis is married to Oenone the nymph."
    points = ("Paris is married to Helen of Troy.",)
    draft = Draft("d", "To whom is Paris married?", "Helen of Troy", ("Paris",), points, "", (), ())
    assert not judged(draft, passage(text, title="Paris"))["ambiguous"]
    assert judged(draft, passage(text.splitlines()[0], title="Paris"))["ambiguous"]


def test_the_judge_takes_a_question_with_nothing_but_its_answer() -> None:
    text = "Paris is married to Helen of Troy."
    bare = Draft("d", "To whom is Paris married?", "Helen of Troy", (), (), "", (), ())
    assert all(judged(bare, passage(text, title="Paris")).values())
    assert not judged(bare, passage("Paris is a prince.", title="Paris"))["supported"]


def test_the_judge_quotes_the_words_around_the_answer() -> None:
    text = (
        "In the tale that Homer tells, the young prince Paris is married to Helen of Troy, who left Sparta with him."
    )
    points = (text,)
    draft = Draft("d", "To whom is Paris married?", "Helen of Troy", (), points, "", (), ())
    judgement = read_judgement(next(ENGINE.complete([ask_judgement(draft, passages=[passage(text)])])))
    assert not isinstance(judgement, Refusal)
    assert judgement.quotes["supported"] == "Paris is married to Helen of Troy, who left Sparta with"
    assert combine_judgements([judgement], passages=[passage(text)], names=["supported"]).refusal is None


def test_triples_are_facts_in_running_text() -> None:
    text = (
        "Ada Lovelace was born in London. Ada Lovelace is married to William King-Noel. "
        "The capital of France is Paris. J. K. Rowling was educated at the University of Exeter."
    )
    facts = read_facts(text)
    assert [fact.slots["object"] for fact in facts] == [
        "London", "William King-Noel", "Paris", "the University of Exeter",
    ]  # fmt: skip
    questions = {seed.question: seed.answers[0] for seed in seeds_of(passage(text, title="People"))}
    assert set(questions.values()) >= {"London", "Paris", "William King-Noel"}


def test_a_question_without_a_passage_is_its_own_knowledge_point() -> None:
    request = ask_extraction("x", question="Where was Ada Lovelace born?", answer="London", passages=[])
    found = read_extraction(next(ENGINE.complete([request])))
    assert not isinstance(found, Refusal)
    assert found.topic_entities == ("Ada Lovelace",)
    assert found.knowledge_points == ("The question “Where was Ada Lovelace born?” is answered by “London”.",)


@settings(max_examples=30, deadline=None)
@given(
    title=st.text(max_size=20),
    text=st.lists(st.one_of(st.text(max_size=80), st.sampled_from(DUMPS.splitlines())), max_size=8).map("\n".join),
)
def test_no_text_makes_it_fall(title: str, text: str) -> None:
    source = passage(text, title=title)
    for seed in seeds_of(source, 3):
        assert extraction_of(seed, source).knowledge_points
        for draft in drafts_of(source, seed=seed, variant=1):
            assert draft.question
            judged(draft, source)
