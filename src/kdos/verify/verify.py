"""The free checks on rows of any table: those that its fields allow, in order."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kdos.logic import Logic, ShapeCounts, parse, shape
from kdos.pool import Refusal
from kdos.verdict import (
    Benchmarks,
    KnownQuestions,
    check_independent,
    check_instances,
    check_knowledge_points,
    check_language,
    check_lengths,
    check_logic,
    check_new,
    check_plain_question,
    check_uncontaminated,
    refuse,
)
from kdos.verdict.evidence import find_answer
from kdos.verify.fields import Fields
from kdos.verify.items import Item


@dataclass(frozen=True, slots=True)
class Options:
    """What the rows are held against: `lang` where no field says it, benchmarks if there are."""

    fields: Fields
    lang: str = ""
    benchmarks: Benchmarks | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """An item and what became of it; `passed` holds the share of judges by criterion."""

    item: Item
    refusal: Refusal | None
    passed: Mapping[str, float] = field(default_factory=dict[str, float])


def check_items(
    items: Iterable[Item], options: Options, *, shapes: ShapeCounts
) -> Iterator[Checked]:
    """Each item after the free checks; questions that pass are known to those after them."""
    known = KnownQuestions()
    for item in items:
        refusal = check_item(item, options, known)
        if refusal is None:
            known.add(item.draft.question, item.answers, name=item.draft.id)
            if options.fields.logic:
                logic = parse(item.draft.logic)
                shapes.add([shape(logic).name] if isinstance(logic, Logic) else [])
        yield Checked(item, refusal)


def check_item(item: Item, options: Options, known: KnownQuestions) -> Refusal | None:
    """The first thing that speaks against one row, or None."""
    draft, fields = item.draft, options.fields
    lang = options.lang or item.lang
    return (
        check_lengths(draft)
        or (check_knowledge_points(draft) if fields.knowledge_points else None)
        or check_plain_question(draft)
        or check_independent(draft, item.answers)
        or check_instances(draft)
        or check_language(draft, lang)
        or (check_logic(draft, parse(draft.logic)) if fields.logic else None)
        or (check_passage(item) if fields.passage else None)
        or check_uncontaminated(draft, item.answers, options.benchmarks)
        or check_new(draft, item.answers, known)
    )


def check_passage(item: Item) -> Refusal | None:
    """One form of the answer stands in the row's passage."""
    if item.passage is None:
        return refuse("no_evidence")
    text = item.passage.text
    if any(find_answer(answer, text) for answer in item.answers):
        return None
    return refuse("answer_not_in_evidence", item.draft.answer)
