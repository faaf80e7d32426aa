"""Questions of several steps by rule: as hard as they are asked to be, and right."""

import re

import orjson
import pytest

from kdos.logic import LEVELS, Logic, find_answering_point, find_faults, measure_difficulty, parse
from kdos.rules.drafting import StatementDrafter
from kdos.rules.engine import answer
from kdos.rules.passage_index import index_statements

TEXT = (
    "Ada Brook designed the Halden Bridge in the old harbour of the town. "
    "The Halden Bridge was opened by Queen Maud of the northern islands in 1911. "
    "Queen Maud lived in the palace of Skarvik for the rest of her days. "
    "Skarvik was rebuilt by the mason Olav Lund after the great fire of 1624. "
    "The bridge is crossed by many travellers, and Ada Brook wrote 14 books about building."
)
PASSAGES = [{"id": "p", "title": "Harbours of the north", "text": TEXT}]


def ask(level, **changes):
    index = index_statements(PASSAGES)
    points = list(index.items)
    inputs = {
        "passages": PASSAGES, "seeds": [], "knowledge_points": {}, "use": [points], "avoid": [], "drafts": 1,
        "variant": 0, "difficulty": f"{level}: as it is",
    } | changes  # fmt: skip
    return StatementDrafter(inputs, index).write_drafts()[0]


def measured(draft):
    logic = parse(draft["logic"])
    assert isinstance(logic, Logic)
    points = draft["knowledge_points"]
    assert find_faults(logic, knowledge_points=points, answer=draft["answer"]) == []
    resting = find_answering_point(logic, knowledge_points=points, answer=draft["answer"])
    found = measure_difficulty(
        logic,
        knowledge_points=points,
        question=draft["question"],
        answering=resting,
        topic_entities=draft["topic_entities"],
    )
    return LEVELS[found.level]


@pytest.mark.parametrize("level", ["D1", "D2", "D4"])
def test_a_draft_is_of_the_level_that_was_asked_for(level):
    draft = ask(level)
    assert measured(draft) == level
    assert draft["evidence"][0]["quote"] in TEXT
    assert draft["answer"] in draft["evidence"][0]["quote"]
    assert draft["answer"] not in draft["question"]


def test_names_that_join_the_steps_are_left_out_of_the_question():
    draft = ask("D4")
    names = {"Halden Bridge", "Queen Maud", "Skarvik", "Ada Brook"}
    joined = [name for name in names if sum(name in point for point in draft["knowledge_points"]) > 1]
    assert len(joined) >= 2
    assert not [name for name in joined if re.search(name, draft["question"])]


def test_a_fresh_reading_finds_the_same_steps():
    draft = ask("D4")
    read = answer(
        "extract",
        {
            "question": draft["question"], "answer": draft["answer"], "claimed": draft["knowledge_points"],
            "passages": PASSAGES,
        },
    )  # fmt: skip
    found = orjson.loads(read)
    assert found["logic"] == draft["logic"]
    assert found["knowledge_points"] == draft["knowledge_points"]


def test_a_level_that_nothing_at_hand_reaches_is_the_nearest_below():
    alone = [{"id": "p", "title": "Ada Brook", "text": TEXT.partition(". ")[0] + "."}]
    index = index_statements([*alone])
    inputs = {
        "passages": alone, "seeds": [], "knowledge_points": {}, "use": [list(index.items)], "avoid": [], "drafts": 1,
        "variant": 0, "difficulty": "D5: as it is",
    }  # fmt: skip
    assert all(measured(draft) == "D1" for draft in StatementDrafter(inputs, index).write_drafts())


def test_without_a_level_drafts_are_as_they_were():
    index = index_statements(PASSAGES)
    inputs = {
        "passages": PASSAGES, "seeds": [], "knowledge_points": {}, "use": [list(index.items)], "avoid": [],
        "drafts": 1, "variant": 0,
    }  # fmt: skip
    (draft,) = StatementDrafter(inputs, index).write_drafts()
    assert measured(draft) == "D1"
