"""A group of linked seeds in, drafts out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from kdos.pool import Draft, Evidence, Extraction, Passage, Refusal, Seed
from kdos.pool.wording import fact_key
from kdos.tasks.prompt import TEXT, a_list, an_object, list_passages, load_prompt
from kdos.tasks.reading import read_reply
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
SYNTHESIZE_PROMPT = load_prompt("synthesize", SYNTHESIZE_SCHEMA)


@dataclass(frozen=True, slots=True)
class Group:
    """The seeds one call starts from, and which of their knowledge points to use and to avoid.

    `use` holds a list for each draft, the knowledge point that the draft is to be about first: it should hold the
    answer. So there are `drafts` of them, or none where the choice is left to the model.
    `variant` counts the calls that started from the same seeds, so that no two are the same.
    `difficulty` is D1 to D5, or empty where any will do.
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
    inputs = {
        "seeds": [
            {
                "question": seed.question,
                "answer": seed.answers[0],
                "passage": seed.passage,
                "knowledge_points": list(extractions[seed.id].knowledge_points),
            }
            for seed in group.seeds
        ],
        "passages": list_passages(passages),
        "use": [list(points) for points in group.use],
        "avoid": list(group.avoid),
        "domain": group.seeds[0].domain,
        "language": group.seeds[0].lang,
        "drafts": group.drafts,
        "variant": group.variant,
    }
    if group.difficulty:
        inputs["difficulty"] = group.difficulty
    return Request(id=f"synthesize/{group.id}", prompt=SYNTHESIZE_PROMPT, inputs=inputs)


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
    group: Group, draft: Draft, refusal: Refusal, *, extractions: Mapping[str, Extraction], passages: Sequence[Passage]
) -> Request:
    """Ask for a refused draft anew, with the reason; its group is `retry_group(group, draft)`."""
    request = ask_drafts(retry_group(group, draft), extractions=extractions, passages=passages)
    written = {name: value for name, value in asdict(draft).items() if name != "id"}
    failed = {"draft": written, "reason": refusal.reason, "detail": refusal.detail}
    return replace(request, inputs={**request.inputs, "failed": failed})


def read_drafts(reply: Reply, group: Group) -> list[Draft] | Refusal:
    """The drafts, numbered in the order of the reply, or why there are none."""
    value = read_reply(reply, SYNTHESIZE_SCHEMA)
    if isinstance(value, Refusal):
        return value
    return [
        Draft(
            id=f"{group.id}/{number}",
            question=item["question"],
            answer=item["answer"],
            topic_entities=tuple(item["topic_entities"]),
            knowledge_points=tuple(item["knowledge_points"]),
            logic=item["logic"],
            distractors=tuple(item["distractors"]),
            evidence=tuple(Evidence(e["passage"], e["quote"]) for e in item["evidence"]),
        )
        for number, item in enumerate(value["drafts"])
    ]
