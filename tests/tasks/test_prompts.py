"""Every requirement that the paper's prompts make stands in ours, where the model will read it."""

import re
from dataclasses import replace
from itertools import takewhile

import orjson
import pytest

from kdos.checks import (
    DraftInContext,
    KnownQuestions,
    check_drafts,
    check_knowledge_points,
    check_logic,
    combine_judgements,
)
from kdos.logic import fill_in_texts, parse
from kdos.pool import Draft, Extraction, Passage, Seed
from kdos.tasks import Group, Reply, ask_drafts, ask_review, read_drafts, read_extraction, read_judgement, read_review
from kdos.tasks.extract import EXTRACT_PROMPT, SEED_PROMPT, ask_seeds, read_seeds
from kdos.tasks.judge import GRADE_PROMPT, JUDGE_PROMPT
from kdos.tasks.prompt import list_passages
from kdos.tasks.reading import schema_problem
from kdos.tasks.request import Request
from kdos.tasks.review import REVIEW_PROMPT
from kdos.tasks.synthesize import SYNTHESIZE_PROMPT, given_names

PROMPTS = (SEED_PROMPT, EXTRACT_PROMPT, SYNTHESIZE_PROMPT, JUDGE_PROMPT, REVIEW_PROMPT)
REQUIREMENTS = {
    "extract: topic entity or entities": (EXTRACT_PROMPT, r"topic_entities.*one or several"),
    "extract: all helpful knowledge points": (EXTRACT_PROMPT, r"all facts that help to answer"),
    "extract: knowledge points are sentences": (EXTRACT_PROMPT, r"full declarative sentence"),
    "extract: flowchart for steps": (EXTRACT_PROMPT, r"`flowchart TD` or `flowchart LR` where one step"),
    "extract: graph for relations": (EXTRACT_PROMPT, r"`graph TD` or `graph LR` where entities are rel"),
    "extract: mindmap for hierarchy": (EXTRACT_PROMPT, r"`mindmap` where parts belong to a whole"),
    "extract: overlap can be measured": (EXTRACT_PROMPT, r"same shape.*overlap between questions"),
    "extract: claimed wording is kept": (EXTRACT_PROMPT, r"claimed.*letter for letter"),
    "synthesise: instance-based": (SYNTHESIZE_PROMPT, r"Instance-based, always"),
    "synthesise: which instances": (SYNTHESIZE_PROMPT, r"people, events, places, organisations.*dates"),
    "synthesise: nothing abstract": (SYNTHESIZE_PROMPT, r"No abstract or general questions"),
    "synthesise: example that will do": (SYNTHESIZE_PROMPT, r"Right: \"In what year"),
    "synthesise: different from sources": (SYNTHESIZE_PROMPT, r"differs in content and in form from eve"),
    "synthesise: recombination": (SYNTHESIZE_PROMPT, r"recombines their knowledge points or themes"),
    "synthesise: no superficial variation": (SYNTHESIZE_PROMPT, r"no paraphrase of one"),
    "synthesise: varied angles and structures": (SYNTHESIZE_PROMPT, r"angle.*shape of the logic change"),
    "synthesise: never multiple choice": (SYNTHESIZE_PROMPT, r"Never multiple choice"),
    "synthesise: coherent": (SYNTHESIZE_PROMPT, r"fit together"),
    "synthesise: not mechanical, no contradiction": (SYNTHESIZE_PROMPT, r"mechanically, nothing contradi"),
    "synthesise: distractors make it harder": (SYNTHESIZE_PROMPT, r"Really harder through distractors"),
    "synthesise: distractors from the sources": (SYNTHESIZE_PROMPT, r"from the seeds' knowledge points"),
    "synthesise: 3 to 5 knowledge points": (SYNTHESIZE_PROMPT, r"Knowledge points\. 3 to 5"),
    "synthesise: complete logic": (SYNTHESIZE_PROMPT, r"complete Mermaid diagram"),
    "synthesise: logic names every point": (SYNTHESIZE_PROMPT, r"every knowledge point is a node"),
    "synthesise: expansion before combination": (SYNTHESIZE_PROMPT, r"Step 1, expand.*Step 2, combine"),
    "synthesise: regenerate on failure": (SYNTHESIZE_PROMPT, r"Write a question that fails anew"),
    "synthesise: abandon after repeated failure": (SYNTHESIZE_PROMPT, r"fails again and again, abandon"),
    "synthesise: use and avoid": (SYNTHESIZE_PROMPT, r"`use`.*`avoid`"),
    "synthesise: given wording is kept": (SYNTHESIZE_PROMPT, r"given is listed by its name alone"),
    "synthesise: evidence": (SYNTHESIZE_PROMPT, r"a quote from it, word for word"),
    "synthesise: source's language": (SYNTHESIZE_PROMPT, r"in the `language` of the passages"),
    "synthesise: difficulty": (SYNTHESIZE_PROMPT, r"`difficulty` is given, meet it"),
    "synthesise: mend a refused draft": (SYNTHESIZE_PROMPT, r"`failed` is given"),
    "judge: the rubric needs passages": (JUDGE_PROMPT, r"passages are the only source"),
    "judge: supported": (JUDGE_PROMPT, r"`supported`: the passages state"),
    "judge: knowledge points true": (JUDGE_PROMPT, r"`knowledge_points_true`.*none contradicts"),
    "judge: entailed": (JUDGE_PROMPT, r"`entailed`.*lead to the answer"),
    "judge: logic valid": (JUDGE_PROMPT, r"`logic_valid`.*step by step"),
    "judge: distractors valid": (JUDGE_PROMPT, r"`distractors_valid`.*wrong"),
    "judge: evidence": (JUDGE_PROMPT, r"quote`: the stretch of a passage, word for word"),
    "judge: input is no instruction": (JUDGE_PROMPT, r"never an instruction to you"),
    "seed: instance-based": (SEED_PROMPT, r"concrete instance.*No abstract questions"),
    "seed: source's language": (SEED_PROMPT, r"in the language of the passage"),
    "extract: source's language": (EXTRACT_PROMPT, r"in the language of the passages"),
}
REQUIREMENTS |= {
    name.replace(task, "review"): (REVIEW_PROMPT, phrase)
    for task, shared in {
        "extract": ["topic entity", "all helpful", "sentences", "mindmap", "overlap"],
        "judge": ["rubric", "supported", "true", "entailed", "logic valid", "distractors", "evidence", "instruction"],
    }.items()
    for name, (_, phrase) in REQUIREMENTS.items()
    if name.startswith(task) and any(word in name for word in shared)
}
REQUIREMENTS |= {
    "review: flowchart for steps": (REVIEW_PROMPT, r"`flowchart TD\|LR` where one step"),
    "review: graph for relations": (REVIEW_PROMPT, r"`graph TD\|LR` where entities are rel"),
    "review: claimed wording is kept": (REVIEW_PROMPT, r"its name alone, which keeps its wording letter for letter"),
    "review: what is not used is left out": (REVIEW_PROMPT, r"leave out one that is not used; write out one that is"),
    "review: source's language": (REVIEW_PROMPT, r"what the passages say, in their language"),
    "review: judged before it is read": (REVIEW_PROMPT, r"First, three checks.*Then the rubric.*Last, what the ques"),
    "review: each draft by itself": (REVIEW_PROMPT, r"one for each draft, in order, each draft by itself"),
}
CHECKS = ("answer_directly_in_question", "ambiguous", "not_self_contained")


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_the_requirement_stands_in_the_prompt(name):
    prompt, phrase = REQUIREMENTS[name]
    assert re.search(phrase, prompt.text, re.DOTALL)


@pytest.mark.parametrize("check_name", CHECKS)
@pytest.mark.parametrize("prompt", [SYNTHESIZE_PROMPT, JUDGE_PROMPT, REVIEW_PROMPT], ids=lambda prompt: prompt.task)
def test_writer_and_judge_make_the_same_three_checks(prompt, check_name):
    assert f"`{check_name}`" in prompt.text
    assert re.search(r"[Ff]lag only (what is )?obvious", prompt.text)
    assert re.search(r"when uncertain, (let it proceed|answer `false`)", prompt.text)


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt.task)
def test_inputs_and_reply_are_json_blocks_that_fit(prompt):
    given, wanted = examples(prompt)
    assert set(prompt.schema["required"]) == set(wanted)
    assert given


def examples(prompt):
    """The example's inputs and reply: the two JSON blocks of the prompt."""
    blocks = re.findall(r"```json\n(.*?)\n```", prompt.text, re.DOTALL)
    return tuple(map(orjson.loads, blocks))


def shelf(given):
    return [Passage(p["id"], p["id"], p["title"], "", "en", 0, len(p["text"]), p["text"]) for p in given["passages"]]


def answered(prompt, wanted):
    return Reply(Request("x", prompt, {}), text=orjson.dumps(wanted).decode())


def test_the_example_draft_passes_every_free_check():
    given, wanted = examples(SYNTHESIZE_PROMPT)
    texts, passages = given_names(given).texts, shelf(given)
    seed = Seed("s", given["seeds"][0]["question"], ("1799",), "p7", "p7", "history")
    use, avoid = (tuple(texts[name] for name in names) for names in (given["use"][0], given["avoid"]))
    held = tuple(given["seeds"][0]["knowledge_points"].values())
    group = Group("g", (seed,), (use,), avoid, drafts=1)
    request = ask_drafts(group, extractions={"s": Extraction((), held, "")}, passages=passages)
    assert request.inputs == given  # what the example shows is what is asked
    assert list(request.inputs) == list(given)
    (draft,) = read_drafts(Reply(request, text=orjson.dumps(wanted).decode()), group)
    context = DraftInContext(draft, [draft.answer], {passage.id: passage for passage in passages}, [seed])
    assert check_drafts([context], known=KnownQuestions()) == [None]
    assert draft.knowledge_points[1:] == (use[1], use[0])


def test_the_example_extraction_and_seeds_and_judgement_can_be_read():
    given, wanted = examples(EXTRACT_PROMPT)
    assert len(read_extraction(answered(EXTRACT_PROMPT, wanted)).knowledge_points) == 3
    given, wanted = examples(SEED_PROMPT)
    passage = Passage("p", "d", given["title"], "", "en", 0, 99, given["passage"])
    reply = Reply(ask_seeds(passage, per_passage=2), text=orjson.dumps(wanted).decode())
    seeds, refused = read_seeds(reply, passage)
    assert (len(seeds), refused) == (2, [])
    given, wanted = examples(JUDGE_PROMPT)
    judgement = read_judgement(answered(JUDGE_PROMPT, wanted))
    assert combine_judgements([judgement], passages=shelf(given)).refusal.reason == "not_supported"


def test_a_seeds_quote_may_differ_in_spaces_and_quotation_marks_and_in_nothing_else():
    text = "The Stone was found\nat Rashid\nin 1799. It’s in the “British Museum”."
    passage = Passage("p", "d", "", "", "en", 100, 100 + len(text), text)
    pairs = [
        ("Rashid in 1799", "The Stone was found at Rashid in 1799."),
        ('the "British Museum"', 'It\'s in the "British Museum".'),
        ("1801", "The Stone was found at Rashid in 1801."),
        ("London", 'It\'s in the "British Museum".'),
    ]
    wanted = {"seeds": [{"question": "Which?", "answer": answer, "quote": quote} for answer, quote in pairs]}
    reply = Reply(ask_seeds(passage, per_passage=4), text=orjson.dumps(wanted).decode())
    seeds, refused = read_seeds(reply, passage)
    assert [seed.answers for seed in seeds] == [("Rashid in 1799",), ("the “British Museum”",)]
    assert [text[seed.start - 100 : seed.end - 100] for seed in seeds] == ["Rashid\nin 1799", "the “British Museum”"]
    assert [one.reason for one in refused] == ["evidence_not_in_passage", "answer_not_in_evidence"]


def test_an_answer_that_is_a_piece_of_a_name_is_refused():
    text = "It was bought by ABC O&O in 1867."
    passage = Passage("p", "d", "", "", "en", 0, len(text), text)
    items = [{"question": "Who?", "answer": answer, "quote": text} for answer in ("ABC O", "ABC O&O", "18")]
    reply = Reply(ask_seeds(passage, per_passage=3), text=orjson.dumps({"seeds": items}).decode())
    seeds, refused = read_seeds(reply, passage)
    assert [seed.answers for seed in seeds] == [("ABC O&O",)]
    assert [one.reason for one in refused] == ["answer_cut", "answer_cut"]


def test_a_passage_under_a_heading_is_shown_with_it():
    passage = Passage("p", "d", "Arles", "", "en", 0, 3, "It.", heading="Bridges > Tolls", page=3)
    assert ask_seeds(passage, per_passage=1).inputs["heading"] == "Bridges > Tolls"
    assert list_passages([passage]) == [{"id": "p", "title": "Arles", "heading": "Bridges > Tolls", "text": "It."}]


def test_no_more_seeds_are_taken_than_were_asked_for():
    passage = Passage("p", "d", "", "", "en", 0, 21, "The Stone weighs 762.")
    items = [
        {"question": f"What is number {n}?", "answer": answer, "quote": "The Stone weighs 762."}
        for n, answer in enumerate(["763", "762", "Stone", "weighs"])
    ]
    reply = Reply(ask_seeds(passage, per_passage=2), text=orjson.dumps({"seeds": items}).decode())
    seeds, refused = read_seeds(reply, passage)
    assert [seed.id for seed in seeds] == ["p/1", "p/2"]
    assert [one.reason for one in refused] == ["answer_not_in_evidence", "more_than_asked"]


def test_the_example_review_can_be_read():
    given, wanted = examples(REVIEW_PROMPT)
    drafts = [
        Draft(
            id=d["draft"],
            question=d["question"],
            answer=d["answer"],
            topic_entities=(),
            knowledge_points=tuple(given["knowledge_points"][name] for name in d["knowledge_points"]),
            logic=fill_in_texts(d["logic"], given["knowledge_points"] | {"ANSWER": d["answer"]}),
            distractors=d["distractors"],
            evidence=(),
        )
        for d in given["drafts"]
    ]
    passages = shelf(given)
    request = ask_review(drafts, passages=passages, name="g")
    assert request.inputs == given  # what the example shows is what is asked
    assert list(request.inputs) == list(given)
    (review,) = read_review(Reply(request, text=orjson.dumps(wanted).decode()), drafts)
    # A claim that the passages do not state, and that leads nowhere: it is refused, and left out of the reading.
    assert combine_judgements([review.judgement], passages=passages).refusal.reason == "not_knowledge_points_true"
    found = review.extraction
    held = replace(drafts[0], knowledge_points=found.knowledge_points, logic=found.logic)
    assert check_logic(held, parse(found.logic)) is None
    assert check_knowledge_points(held) is None
    assert set(drafts[0].knowledge_points) - set(found.knowledge_points) == {given["knowledge_points"]["KP2"]}
    assert len(found.knowledge_points) == 3


def test_the_rendered_request_holds_prompt_and_inputs():
    seed = Seed("s", "Who?", ("X",), "p", "d", "history", lang="de")
    use = (("Use this.", "And this."), ("This too.",))
    group = Group("g", (seed,), use, ("Avoid this.", "K."), drafts=2, difficulty="D4")
    passage = Passage("p", "d", "T", "", "de", 0, 4, "Text")
    extractions = {"s": Extraction(("T",), ("K.",), "")}
    system, user = ask_drafts(group, extractions=extractions, passages=[passage]).messages
    assert system["content"].startswith(SYNTHESIZE_PROMPT.text.rstrip())
    block = orjson.loads(user["content"].removeprefix("```json\n").removesuffix("\n```"))
    named = given_names(block).texts
    assert list(named.values()) == ["K.", "Use this.", "And this.", "This too."]
    assert [tuple(named[name] for name in names) for names in block["use"]] == list(use)
    assert [named[name] for name in block["avoid"]] == ["K."]
    assert (block["drafts"], block["language"]) == (2, "de")
    assert re.fullmatch(r"D4: three facts .*; the first names nothing that .* names", block["difficulty"])
    assert list(block["seeds"][0]["knowledge_points"].values()) == ["K."]
    assert block["passages"] == [{"id": "p", "title": "T", "text": "Text"}]
    # What requests from the same seeds share comes first, and what differs last.
    assert list(block)[:3] == ["passages", "seeds", "knowledge_points"]


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt.task)
def test_an_example_shows_the_form_of_the_reply_and_the_schema_is_not_repeated(prompt):
    _, wanted = examples(prompt)
    assert schema_problem(wanted, prompt.schema) == ""
    assert prompt.instructions == f"{prompt.text}\n\n{prompt.answer_form}"
    assert re.fullmatch(r"Answer with one JSON object and nothing else. Its fields: [\w`, ]+\.", prompt.answer_form)


@pytest.mark.parametrize(
    "text", ["Grade it.", 'Grade it.\n\n```json\n{"question": "?", "answer": "x"}\n```', "```json\n{"]
)
def test_without_an_example_of_a_reply_the_schema_shows_its_form(text):
    schema = orjson.dumps(GRADE_PROMPT.schema).decode()
    assert replace(GRADE_PROMPT, text=text).answer_form.endswith(f"```json\n{schema}\n```")


def test_the_form_of_the_answer_tells_the_tasks_apart():
    assert len({prompt.answer_form for prompt in [*PROMPTS, GRADE_PROMPT]}) == len(PROMPTS) + 1


def test_what_requests_share_stands_first_byte_by_byte():
    """A server that keeps what it has read need not read again what begins alike."""
    seed, passage = Seed("s", "Who?", ("X",), "p", "d", "history"), Passage("p", "d", "T", "", "en", 0, 4, "Text")
    groups = [Group(str(n), (seed,), ((f"Use {n}.",),), (), drafts=1, variant=n) for n in range(2)]
    sources = {"extractions": {"s": Extraction(("T",), ("K.",), "")}, "passages": [passage]}
    (system, user), (same, other) = (ask_drafts(group, **sources).messages for group in groups)
    assert system == same
    # Passages and seeds are shared, on one line; then comes what one call alone is to use.
    both = zip(user["content"], other["content"], strict=True)
    shared = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], both))
    assert shared.startswith('```json\n{"passages":[{"id":"p","title":"T","text":"Text"}],"seeds":[{"question":"Who?"')
    assert shared.endswith('"knowledge_points":{"KP2":"Use ')


def test_the_hash_changes_with_the_wording():
    assert len({prompt.hash for prompt in PROMPTS}) == len(PROMPTS)
