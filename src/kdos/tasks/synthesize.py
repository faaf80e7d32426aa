"""A group of linked seeds in, drafts out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any

from kdos.pool import Draft, Evidence, Extraction, Passage, Refusal, Seed
from kdos.pool.wording import fact_key
from kdos.tasks.point_names import PointNames
from kdos.tasks.prompt import TEXT, a_list, an_object, list_passages, load_prompt
from kdos.tasks.reading import unreadable_refusal
from kdos.tasks.request import Reply, Request

DRAFT_SCHEMA = an_object(
    question=TEXT,
    answer=TEXT,
    topic_entities=a_list(TEXT, minItems=1),
    knowledge_points=a_list(TEXT),
    logic=TEXT,
    distractors=a_list(TEXT),
    evidence=a_list(an_object(passage=TEXT, quote=TEXT), minItems=1),
)
SYNTHESIZE_SCHEMA = an_object(drafts=a_list(DRAFT_SCHEMA))
IN_A_ROW = "facts in a row, each leading to the next by a name that the question leaves out"
DIFFICULTIES = {
    "D1": "the question names what the fact with the answer is about; the other facts tell more of it",
    "D2": "two facts in a row: the question leaves out a name in the fact with the answer, another fact leads to it",
    "D3": f"three {IN_A_ROW}",
    "D4": f"three {IN_A_ROW}; the first names nothing that the fact with the answer names",
    "D5": f"four {IN_A_ROW}; the first two name nothing that the fact with the answer names",
}
"""What each level asks of a question, as `kdos.logic.measure_difficulty` reads it; said with the level, so that
requests without one do not pay for it."""
SYNTHESIZE_PROMPT = load_prompt("synthesize", SYNTHESIZE_SCHEMA)


@dataclass(frozen=True, slots=True)
class Group:
    """The seeds one call starts from, and which of their knowledge points to use and to avoid.

    `use` holds a list for each draft, the knowledge point that the draft is to be about first: it should hold the
    answer. So there are `drafts` of them, or none where the choice is left to the model.
    `variant` counts the calls that started from the same seeds, so that no two are the same.
    `difficulty` is a name in `DIFFICULTIES`, or empty where any will do.
    """

    id: str
    seeds: tuple[Seed, ...]
    use: tuple[tuple[str, ...], ...]
    avoid: tuple[str, ...]
    drafts: int
    variant: int = 0
    difficulty: str = ""


def ask_drafts(group: Group, *, extractions: Mapping[str, Extraction], passages: Sequence[Passage]) -> Request:
    """Ask for `group.drafts` drafts; `extractions` holds each seed's by its id."""
    held = [extractions[seed.id].knowledge_points for seed in group.seeds]
    names = PointNames.of_points(chain(*held, *group.use))
    left = dict(names.texts)
    # What requests from the same seeds share comes first, so that a server need not read it again.
    inputs = {
        "passages": list_passages(passages),
        "seeds": [
            {
                "question": seed.question,
                "answer": seed.answers[0],
                "knowledge_points": {name: left.pop(name) for name in names.name_points(points) if name in left},
            }
            for seed, points in zip(group.seeds, held, strict=True)
        ],
        "knowledge_points": left,
        "domain": group.seeds[0].domain,
        "language": group.seeds[0].lang,
        "use": [names.name_points(points) for points in group.use],
        # Those of the seeds alone. Others of the passages would have to be written out, which brought nothing.
        "avoid": [name for name in names.name_points(group.avoid) if name in names.texts],
        "drafts": group.drafts,
        "variant": group.variant,
    }
    if group.difficulty:
        inputs["difficulty"] = f"{group.difficulty}: {DIFFICULTIES[group.difficulty]}"
    return Request(id=f"synthesize/{group.id}", prompt=SYNTHESIZE_PROMPT, inputs=inputs)


def given_names(inputs: Mapping[str, Any]) -> PointNames:
    """The names in the inputs of a request for drafts: those of each seed's knowledge points, and of others."""
    parts = [seed["knowledge_points"] for seed in inputs["seeds"]]
    return PointNames({name: text for part in (*parts, inputs["knowledge_points"]) for name, text in part.items()})


def match_use_group(draft: Draft, group: Group) -> int:
    """The place in `group.use` of the list that a draft rests on; 0 where there is none.

    It is the list that shares most knowledge points with those that the draft claims, the first of equals: a model may
    return its drafts in any order, or fewer than were asked for.
    """
    claimed = set(map(fact_key, draft.knowledge_points))
    shared = [len(claimed.intersection(map(fact_key, points))) for points in group.use]
    return shared.index(max(shared)) if shared else 0


def retry_group(group: Group, draft: Draft) -> Group:
    """The group that a second try at one of its drafts belongs to: it is to use what that draft was to use."""
    place = match_use_group(draft, group)
    return replace(group, id=f"{draft.id}/again", use=group.use[place : place + 1], drafts=1)


def ask_redraft(
    again: Group, draft: Draft, refusal: Refusal, *, extractions: Mapping[str, Extraction], passages: Sequence[Passage]
) -> Request:
    """Ask for a refused draft anew, with the reason; `again` is its `retry_group`, at any level of difficulty."""
    request = ask_drafts(again, extractions=extractions, passages=passages)
    names = given_names(request.inputs)
    written = {name: value for name, value in asdict(draft).items() if name != "id"}
    written["knowledge_points"] = names.name_points(draft.knowledge_points)
    written["logic"] = names.name_logic(draft.logic, draft.answer)
    failed = {"draft": written, "reason": refusal.reason, "detail": refusal.detail}
    return replace(request, inputs={**request.inputs, "failed": failed})


def read_drafts(reply: Reply, group: Group) -> list[Draft] | Refusal:
    """The drafts, numbered in the order of the reply, or why there are none."""
    value = reply.value
    if isinstance(value, Refusal):
        return value
    names = given_names(reply.request.inputs)
    drafts = [_read_draft(item, f"{group.id}/{number}", names) for number, item in enumerate(value["drafts"])]
    unknown = next(filter(None, (names.unknown_name(draft.knowledge_points, draft.logic) for draft in drafts)), "")
    return unreadable_refusal(f"no knowledge point has the name {unknown}") if unknown else drafts


def _read_draft(item: Mapping[str, Any], name: str, names: PointNames) -> Draft:
    return Draft(
        id=name,
        question=item["question"],
        answer=item["answer"],
        topic_entities=tuple(item["topic_entities"]),
        knowledge_points=names.spell_points(item["knowledge_points"]),
        logic=names.spell_logic(item["logic"], item["answer"]),
        distractors=tuple(item["distractors"]),
        evidence=tuple(Evidence(e["passage"], e["quote"]) for e in item["evidence"]),
    )
