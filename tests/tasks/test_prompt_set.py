"""A user's prompts: what one must hold, how requests are worded, and the name of it all."""

import re

import orjson
import pytest

from kdos.llm import ScriptedEngine
from kdos.llm.engine import store_nothing
from kdos.llm.inline_exchange import InlineExchange
from kdos.pool import Draft, Extraction, Passage, Refusal, Seed
from kdos.pool.sample import ErrorClass
from kdos.tasks import (
    Group,
    ask_answer,
    ask_class,
    ask_drafts,
    ask_extraction,
    ask_judgement,
    ask_recall,
    ask_redraft,
    ask_review,
    ask_seeds,
    ask_through,
)
from kdos.tasks.prompt_set import OCCASIONAL_INPUTS, RUN_PROMPTS, TASK_INPUTS, PromptSet, find_prompt_fault
from kdos.taxonomy import TaxonomyClass

PASSAGE = Passage("p", "d", "T", "", "en", 0, 4, "Text")
SEED = Seed("s", "Who?", ("X",), "p", "d", "history")
GROUP = Group("g", (SEED,), (("Use this.",),), (), drafts=1)
SOURCES = {"extractions": {"s": Extraction(("T",), ("K.",), "")}, "passages": [PASSAGE]}
DRAFT = Draft("g/0", "Who?", "X", ("T",), ("K.",), "graph TD", ("Y",), ())
REQUESTS = [
    ask_seeds(PASSAGE, per_passage=2),
    ask_extraction("x", question="Who?", answer="X", passages=[PASSAGE]),
    ask_drafts(GROUP, **SOURCES),
    ask_review([DRAFT], passages=[PASSAGE], name="g"),
    ask_judgement(DRAFT, passages=[PASSAGE]),
    ask_answer(DRAFT, passages=[PASSAGE], attempt=0),
    ask_class("document d", excerpt=["Text"], classes=[TaxonomyClass("law", "Courts.")]),
]
REDRAFT = ask_redraft(GROUP, DRAFT, Refusal("unreadable", ErrorClass.FORMAT_MISMATCH), **SOURCES)
NESTED = "[" * 10_000 + "]" * 10_000


def prompt_of(task, addition="", *, without=None):
    text = RUN_PROMPTS[task].text
    return (re.sub(rf"\b{without}\b", "x", text) if without else text) + addition


def test_every_task_of_a_run_may_be_worded_and_its_inputs_are_those_that_are_sent():
    assert [request.task for request in REQUESTS] == list(RUN_PROMPTS) == list(TASK_INPUTS)
    for request in REQUESTS:
        assert tuple(request.inputs) == TASK_INPUTS[request.task]
    assert tuple(REDRAFT.inputs) == TASK_INPUTS["synthesize"] + OCCASIONAL_INPUTS["synthesize"]


@pytest.mark.parametrize("task", RUN_PROMPTS)
def test_our_own_prompts_are_without_fault(task):
    assert find_prompt_fault(task, RUN_PROMPTS[task].text) is None


@pytest.mark.parametrize("task", RUN_PROMPTS)
def test_what_a_prompt_does_not_name_is_named(task):
    fields = [name for name in TASK_INPUTS[task] if name not in str(RUN_PROMPTS[task].schema)]
    for name in fields:
        fault = find_prompt_fault(task, prompt_of(task, without=name))
        assert fault.found == f"must say what the input `{name}` is. It does not name it"
    nested = {"seed": "quote", "synthesize": "topic_entities", "review": "supported", "judge": "entailed"}
    field = nested.get(task) or next(iter(RUN_PROMPTS[task].schema["properties"]))
    fault = find_prompt_fault(task, prompt_of(task, without=field))
    assert re.fullmatch(
        rf"must say what the (field of the reply|input) `{field}` is. It does not name it", fault.found
    )


def test_a_request_for_a_draft_that_fell_is_to_be_explained_too():
    assert "the input `failed`" in find_prompt_fault("synthesize", prompt_of("synthesize", without="failed")).found


@pytest.mark.parametrize(
    ("block", "found", "line"),
    [
        ("```json\n{\n  'a': 1}\n```", "must have examples that are JSON.", 2),
        (f"```json\n{NESTED}\n```", "must have examples that are JSON. depth limit", 1),
        ('```json\n{"answer": 7}\n```', "As a reply, it.answer must be of type string, not integer", 0),
        ('~~~JSON\n{"reply": "7"}\n~~~', "As a reply, it.answer is missing", 0),
        ("```json\n[]\n```", "As a reply, it must be of type object, not array", 0),
        ("````json\n{}\n```\n", "must close each block of code.", 0),
        ("```\nno JSON\n", "must close each block of code.", 0),
        ("a\0b", "must be text. It holds a zero byte", 0),
    ],
)
def test_an_example_that_the_model_would_be_misled_by_is_a_fault_with_its_line(block, found, line):
    text = RUN_PROMPTS["answer"].text.rstrip() + "\n\n"
    fault = find_prompt_fault("answer", text + block)
    assert found in fault.found
    assert fault.line == text.count("\n") + 1 + line


@pytest.mark.parametrize(
    "block",
    [
        '```json\n{"answer": "1799", "why": "it says so"}\n```',
        '```json\n{"question": "When?", "passages": []}\n```',
        "```\n{no JSON}\n```",
        "````markdown\n```json\n{\n```\n````",
    ],
)
def test_examples_that_are_inputs_or_replies_and_other_blocks_are_no_faults(block):
    assert find_prompt_fault("answer", f"{RUN_PROMPTS['answer'].text}\n{block}\n") is None


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_prompt_is_a_fault(text):
    assert find_prompt_fault("seed", text).found == "must hold instructions. It is empty"


def test_requests_go_out_in_the_wording_of_the_set_and_others_as_they_are():
    prompts = PromptSet.resolve({"extract": "Ours."})
    answers = ask_through(
        prompts.word_exchange(
            lambda: InlineExchange(ScriptedEngine(lambda request: request.prompt.text), store_nothing)
        ),
        REQUESTS,
    )
    found = {reply.request.task: reply.text for reply in answers}
    assert found == {task: prompt.text for task, prompt in RUN_PROMPTS.items()} | {"extract": "Ours."}
    recall = ask_recall("x", question="Who?")
    assert prompts.word_request(recall) is recall
    assert [PromptSet.resolve().word_request(request) is request for request in REQUESTS] == [True] * len(REQUESTS)


def test_what_shaped_the_reply_is_in_the_key_and_the_schema_is_ours():
    worded = PromptSet.resolve({"extract": "Ours."}).word_request(REQUESTS[1])
    assert worded.key != REQUESTS[1].key
    assert worded.messages[0]["content"].startswith("Ours.\n\nAnswer with one JSON object")
    assert worded.prompt.schema == REQUESTS[1].prompt.schema


def test_the_hash_names_the_wording_of_all_prompts_and_the_samples():
    example = {"question": "Who?", "answer": "X"}
    sets = [PromptSet.resolve(), PromptSet.resolve(examples=[example]), PromptSet.resolve(examples=[example] * 2)]
    sets += [PromptSet.resolve({task: "Ours."}) for task in RUN_PROMPTS]
    assert len({prompts.hash for prompts in sets}) == len(sets)
    assert PromptSet.resolve({task: prompt.text for task, prompt in RUN_PROMPTS.items()}).hash == sets[0].hash


def test_samples_stand_after_the_drafters_prompt_and_nowhere_else():
    examples = [{"question": "Who?", "answer": "X"}, {"question": "When?", "answer": "1799"}]
    prompts = PromptSet.resolve({"synthesize": "Ours.\n"}, examples)
    text = prompts.by_task["synthesize"].text
    assert text.startswith("Ours.\n\n## Samples as they are wanted\n\n")
    assert [orjson.loads(block) for block in re.findall(r"```json\n(.*?)\n```", text)] == examples
    assert prompts.by_task["review"] is RUN_PROMPTS["review"]
