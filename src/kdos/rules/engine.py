"""The built-in engine: no network, no weights; the same request, the same reply."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from kdos.checks.answers import find_leaked_answer
from kdos.logic import Fault, find_faults, parse
from kdos.pool.wording import normalise_text
from kdos.rules.drafting import (
    FactDrafter,
    StatementDrafter,
    extract_from_facts,
    extract_from_statements,
    extract_without_passages,
    seed_from_facts,
    seed_from_statements,
)
from kdos.rules.passage_index import (
    Fact,
    FactIndex,
    Inputs,
    Passages,
    index_facts,
    index_statements,
    read_fact,
    spaced_words,
)
from kdos.scoring import attempts_answer, is_correct_answer
from kdos.tasks import QUOTED_CRITERIA, Grade, Reply, Request
from kdos.tasks.point_names import PointNames
from kdos.tasks.synthesize import given_names
from kdos.taxonomy import ClassFinder, Taxonomy, TaxonomyClass

RULES_VERSION = "4"
"""Changes whenever any reply may change: it is part of the ledger's keys."""
# "the passage says", or a pronoun at the start: only with the passage at hand can that be answered. "It is known
# that …" and "This is known of Normandy: …" point at what follows, not at the passage.
POINTS_AT_TEXT = re.compile(
    r"\b(?:this|the) (?:passage|text|paragraph|excerpt)\b"
    r"|^(?:he|she|it(?! is)|they|this(?! is known of)|these)\b",
    re.IGNORECASE,
)
LANGUAGES = ("en", "zh")
"""What it writes questions in."""
QUOTED_WORDS = 5
"""Words that a judge quotes before the answer, and after it, what touches it counting as one."""
QUOTATION = re.compile(r"“[^“”]*”|\"[^\"]*\"")


class RulesEngine:
    """An `Engine` that reads facts out of the passages and asks about them."""

    name = "rules"
    fingerprint = f"rules/{RULES_VERSION}"

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in their order."""
        for request in requests:
            yield Reply(request, text=answer(request.task, request.inputs))


def writes_language(lang: str) -> bool:
    """Whether the engine writes questions in a language, by its code: ``en``, ``en-GB``."""
    return lang.lower().replace("_", "-").partition("-")[0] in LANGUAGES


def answer(task: str, inputs: Inputs) -> str:
    """The reply to one task: JSON that fits the task's schema, or text where it has none."""
    value = TASKS[task](inputs)
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _name_class(inputs: Inputs) -> dict[str, Any]:
    """The class whose name and description share most words with the text; no name where none does."""
    finder = _word_finder(tuple((one["name"], one["description"]) for one in inputs["classes"]))
    return {"class": finder.find([[inputs["text"]]])[0]}


@lru_cache(maxsize=4)
def _word_finder(classes: tuple[tuple[str, str], ...]) -> ClassFinder:
    return ClassFinder(Taxonomy(tuple(TaxonomyClass(*one) for one in classes)), embed=None)


def _write_seeds(inputs: Inputs) -> dict[str, Any]:
    if not writes_language(inputs["language"]):
        return {"seeds": []}
    source = inputs["passage"], inputs["title"], inputs["per_passage"]
    return {"seeds": seed_from_facts(*source) or seed_from_statements(*source)}


def _extract_points(inputs: Inputs) -> dict[str, Any]:
    passages = inputs["passages"]
    question = inputs["question"], inputs["answer"], inputs["claimed"]
    found = extract_from_facts(*question, index_facts(passages))
    found = found or extract_from_statements(*question, index_statements(passages))
    return found or extract_without_passages(inputs["question"], inputs["answer"])


def _write_drafts(inputs: Inputs) -> dict[str, Any]:
    names = given_names(inputs)
    seeds = [{**seed, "knowledge_points": list(seed["knowledge_points"].values())} for seed in inputs["seeds"]]
    use, avoid = map(names.spell_points, inputs["use"]), names.spell_points(inputs["avoid"])
    spelled = {**inputs, "seeds": seeds, "use": list(use), "avoid": avoid}
    # Statements are read only where facts do not speak for the passages.
    facts = index_facts(inputs["passages"])
    if facts.items:
        drafts = FactDrafter(spelled, facts).write_drafts()
    else:
        drafts = StatementDrafter(spelled, index_statements(inputs["passages"])).write_drafts()
    return {"drafts": [_name_points(draft, names) for draft in drafts]}


def _name_points(found: Inputs, names: PointNames, answer: str = "") -> dict[str, Any]:
    """A draft or an extraction with the names of its knowledge points; an extraction's answer is given."""
    logic = names.name_logic(found["logic"], answer or found["answer"])
    return {**found, "knowledge_points": names.name_points(found["knowledge_points"]), "logic": logic}


def _grade_answer(inputs: Inputs) -> dict[str, Any]:
    given, golds = inputs["answer"], inputs["gold_answers"]
    if not attempts_answer(given):
        return {"grade": Grade.NOT_ATTEMPTED}
    right = is_correct_answer(given, golds, question=inputs["question"])
    return {"grade": Grade.CORRECT if right else Grade.INCORRECT}


def _judge_draft(inputs: Inputs) -> dict[str, Any]:
    """Checks and criteria, each found by looking; what a draft does not have cannot be wrong."""
    question, answer, passages = inputs["question"], inputs["answer"], inputs["passages"]
    points: list[str] = inputs["knowledge_points"]
    # Without knowledge points the answer itself is what the passages have to say.
    found = (_find_quote(text, passages) for text in (points or [answer]))
    quotes = [_shorten_quote(quote, answer) for quote in found]
    proof = next((quote for quote in quotes if answer in quote), "")
    words = spaced_words(answer)
    entailed = not points or any(answer in p or words in spaced_words(p) for p in points)
    true = not points or all(quotes)
    valid = not inputs["logic"] or _is_valid_logic(inputs["logic"], points, answer)
    choices = [answer, *inputs["distractors"]]
    different = len({normalise_text(text) or text for text in choices}) == len(choices)
    return {
        "answer_directly_in_question": bool(find_leaked_answer(question, [answer])),
        "ambiguous": _is_ambiguous(points, answer, index_facts(passages)),
        "not_self_contained": POINTS_AT_TEXT.search(QUOTATION.sub("", question)) is not None,
        "criteria": {
            "supported": _write_criterion(proof != "", proof),
            "knowledge_points_true": _write_criterion(true, quotes[0] if points else ""),
            "entailed": _write_criterion(entailed, proof),
            "logic_valid": _write_criterion(valid),
            "distractors_valid": _write_criterion(different),
        },
    }


def _review_drafts(inputs: Inputs) -> dict[str, Any]:
    names = PointNames(inputs["knowledge_points"])
    return {"reviews": [_review_draft(draft, inputs["passages"], names) for draft in inputs["drafts"]]}


def _review_draft(draft: Inputs, passages: Passages, names: PointNames) -> dict[str, Any]:
    """What judge and extraction say of a draft."""
    answer = draft["answer"]
    logic, points = names.spell_logic(draft["logic"], answer), names.spell_points(draft["knowledge_points"])
    judged = _judge_draft({**draft, "knowledge_points": points, "logic": logic, "passages": passages})
    criteria = judged.pop("criteria")
    found = _extract_points({**draft, "claimed": points, "passages": passages})
    return {
        "draft": draft["draft"],
        **judged,
        **{name: each if name in QUOTED_CRITERIA else each["ok"] for name, each in criteria.items()},
        **_name_points(found, names, answer),
    }


def _is_valid_logic(text: str, points: Sequence[str], answer: str) -> bool:
    logic = parse(text)
    if isinstance(logic, Fault):
        return False
    return not find_faults(logic, knowledge_points=points, answer=answer)


def _write_criterion(ok: bool, quote: str = "") -> dict[str, Any]:
    return {"ok": ok, "quote": quote if ok else ""}


def _find_quote(point: str, passages: Passages) -> str:
    """The knowledge point as a passage says it, without a title before it; "" if none does."""
    for passage in passages:
        for lead in ("", f"{passage['title']}: ", f"{passage['title']}："):
            if point.startswith(lead) and point.removeprefix(lead) in passage["text"]:
                return point.removeprefix(lead)
    return ""


def _shorten_quote(quote: str, answer: str) -> str:
    """The words of a quote around the answer; all of one that does not hold it."""
    if not answer or answer not in quote:
        return quote
    before, found, after = quote.partition(answer)
    return " ".join(before.split(" ")[-QUOTED_WORDS:]) + found + " ".join(after.split(" ")[:QUOTED_WORDS])


def _is_ambiguous(points: Sequence[str], answer: str, index: FactIndex) -> bool:
    """Does another fact at hand give the same question another answer?"""
    asked = next(filter(None, map(read_fact, points)), None)
    return asked is not None and any(
        _has_other_answer(asked, slot, index) for slot in asked.askable if asked.slots[slot] == answer
    )


def _has_other_answer(fact: Fact, slot: str, index: FactIndex) -> bool:
    """Is there a fact of the same relation that differs from this one in this slot alone?"""
    same = (other for other in index.items.values() if other.relation is fact.relation)
    return any({name for name, text in fact.slots.items() if other.slots[name] != text} == {slot} for other in same)


TASKS: Mapping[str, Callable[[Inputs], dict[str, Any] | str]] = {
    "classify": _name_class,
    "seed": _write_seeds,
    "extract": _extract_points,
    "synthesize": _write_drafts,
    "judge": _judge_draft,
    "review": _review_drafts,
    # Asked without any passage: the rules have no memory to draw on.
    "recall": lambda _: "I don't know.",
    "choose": lambda _: "I don't know.",
    "grade": _grade_answer,
}
