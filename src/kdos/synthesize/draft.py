"""From picks to candidates: write, check for nothing, judge, and see what each draft really holds.

A stage asks for all of its candidates at once; a candidate that has fallen is carried along with
its refusal, so that drafts in are candidates out.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from kdos.pool import ErrorClass, Inventory, Passage, Refusal, Seed
from kdos.sampler import Pick
from kdos.synthesize.library import Library
from kdos.synthesize.loop import Candidate
from kdos.tasks import (
    Ask,
    Group,
    Reply,
    Request,
    ask_drafts,
    ask_extraction,
    ask_judgement,
    read_drafts,
    read_extraction,
    read_judgement,
)
from kdos.verdict import KnownQuestions, answer_place, check, check_knowledge_points, check_logic


@dataclass(frozen=True)
class Desk:
    """What drafting works with.

    `ask` sends requests, `known` are the questions of the pool; `refuse_crowded` says whether
    knowledge points that a draft claims are crowded by now, before anybody is paid to judge it.
    """

    ask: Ask
    library: Library
    inventory: Inventory
    known: KnownQuestions
    refuse_crowded: Callable[[Sequence[str]], Refusal | None]
    drafts_per_call: int
    judge: bool


def draft(picks: Sequence[Pick], desk: Desk) -> tuple[list[Candidate], list[Refusal]]:
    """The candidates that picks lead to, in the order of the picks, and the calls that failed."""
    candidates, failed = write(picks, desk)
    candidates = [check_candidate(candidate, desk) for candidate in candidates]
    if desk.judge:
        candidates = judge(candidates, desk)
    return extract_again(candidates, desk), failed


def write(picks: Sequence[Pick], desk: Desk) -> tuple[list[Candidate], list[Refusal]]:
    """Ask for drafts; a call without a readable one is a refusal."""
    groups = {pick.id: group_of(pick, desk) for pick in picks}
    replies = _replies(desk.ask, (_drafts_request(pick, groups[pick.id], desk) for pick in picks))
    candidates: list[Candidate] = []
    failed: list[Refusal] = []
    for pick in picks:
        drafts = read_drafts(replies[f"synthesize/{pick.id}"], groups[pick.id])
        if isinstance(drafts, Refusal):
            failed.append(drafts)
        elif not drafts:
            failed.append(Refusal("no_draft", ErrorClass.KNOWLEDGE_GAP, pick.id))
        else:
            candidates += [Candidate(draft=each, pick=pick) for each in drafts]
    return candidates, failed


def group_of(pick: Pick, desk: Desk) -> Group:
    """The pick with its rows turned into seeds and texts."""
    texts = desk.inventory.texts
    return Group(
        id=pick.id,
        seeds=tuple(desk.library.seed(row) for row in pick.seeds),
        use=tuple(texts[row] for row in pick.use),
        avoid=tuple(texts[row] for row in pick.avoid),
        drafts=desk.drafts_per_call,
        variant=pick.variant,
    )


def check_candidate(candidate: Candidate, desk: Desk) -> Candidate:
    """The candidate after every check that costs nothing."""
    seeds = _seeds(candidate, desk)
    passages = {passage.id: passage for passage in desk.library.shelf(seeds)}
    lang = seeds[0].lang
    refusal = check(
        candidate.draft, passages=passages, seeds=seeds, known=desk.known, lang=lang
    ) or desk.refuse_crowded(candidate.draft.knowledge_points)
    place = answer_place(candidate.draft.evidence, candidate.draft.answer, passages)
    return replace(candidate, refusal=refusal, place=place)


def judge(candidates: Sequence[Candidate], desk: Desk) -> list[Candidate]:
    """The candidates after a second call has judged them against their passages."""
    requests = (
        ask_judgement(c.draft, passages=_cited(c, desk)) for c in candidates if c.refusal is None
    )
    replies = _replies(desk.ask, requests)

    def judged(candidate: Candidate) -> Candidate:
        if candidate.refusal is not None:
            return candidate
        judgement = read_judgement(replies[f"judge/{candidate.draft.id}"])
        refusal = judgement if isinstance(judgement, Refusal) else judgement.refusal
        return replace(candidate, refusal=refusal)

    return [judged(candidate) for candidate in candidates]


def extract_again(candidates: Sequence[Candidate], desk: Desk) -> list[Candidate]:
    """The candidates with the knowledge points that a fresh reading finds in them."""
    requests = (_extraction_request(c, desk) for c in candidates if c.refusal is None)
    replies = _replies(desk.ask, requests)

    def read(candidate: Candidate) -> Candidate:
        if candidate.refusal is not None:
            return candidate
        extraction = read_extraction(replies[f"extract/{candidate.draft.id}"])
        if isinstance(extraction, Refusal):
            return replace(candidate, refusal=extraction)
        held = replace(
            candidate.draft,
            knowledge_points=extraction.knowledge_points,
            logic=extraction.logic,
        )
        refusal = check_knowledge_points(held) or check_logic(held)
        return replace(candidate, extraction=extraction, refusal=refusal)

    return [read(candidate) for candidate in candidates]


def _drafts_request(pick: Pick, group: Group, desk: Desk) -> Request:
    extractions = {
        seed.id: desk.library.extraction(row)
        for row, seed in zip(pick.seeds, group.seeds, strict=True)
    }
    passages = desk.library.shelf(group.seeds)
    return ask_drafts(group, extractions=extractions, passages=passages)


def _extraction_request(candidate: Candidate, desk: Desk) -> Request:
    draft = candidate.draft
    return ask_extraction(
        draft.id,
        question=draft.question,
        answer=draft.answer,
        passages=_cited(candidate, desk),
        claimed=draft.knowledge_points,
    )


def _seeds(candidate: Candidate, desk: Desk) -> list[Seed]:
    return [desk.library.seed(row) for row in candidate.pick.seeds]


def _cited(candidate: Candidate, desk: Desk) -> list[Passage]:
    """The passages a draft was written from."""
    return desk.library.shelf(_seeds(candidate, desk))


def _replies(ask: Ask, requests: Iterable[Request]) -> dict[str, Reply]:
    """All replies by their request's id."""
    return {reply.request.id: reply for reply in ask(requests)}
