"""From picks to candidates: write, check for nothing, judge, and see what each draft really holds.

A stage asks for all of its candidates at once; a candidate that has fallen is carried along with its refusal, so that
drafts in are candidates out. One that fell for a fault of its writing is written once more, with the reason, and goes
the same way as a candidate of its own; after that it is abandoned (KDoS, synthesis prompt: regenerate, then abandon).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

from kdos.checks import (
    DraftInContext,
    answer_aliases,
    check_drafts,
    check_knowledge_points,
    check_logic,
    is_rewritable,
    locate_answer_evidence,
)
from kdos.checks.judging import ReviewCase, review_cases
from kdos.logic import Logic, find_answering_point, parse, shape_of_logic
from kdos.pool import ErrorClass, Extraction, Passage, Refusal
from kdos.sampler import Pick
from kdos.synthesize.context import SynthesisContext
from kdos.synthesize.loop import Candidate
from kdos.tasks import (
    Ask,
    Group,
    Reply,
    Request,
    ask_drafts,
    ask_extraction,
    ask_redraft,
    match_use_group,
    read_drafts,
    read_extraction,
    retry_group,
)

RefuseUnwanted = Callable[[Candidate], Candidate]
"""Refuses a candidate where the pool has no place for what it claims to hold."""


class GroupSources(TypedDict):
    """What a request for drafts shows beside its group: extractions by seed id, and passages."""

    extractions: dict[str, Extraction]
    passages: list[Passage]


def draft_candidates(
    picks: Sequence[Pick], context: SynthesisContext, *, refuse_unwanted: RefuseUnwanted
) -> tuple[list[Candidate], list[Refusal]]:
    """The candidates that picks lead to, in the order of the picks, and the calls that failed."""
    candidates, failed = _request_drafts(picks, context)
    candidates = _examine_candidates(candidates, context, refuse_unwanted)
    if not context.settings.mend:
        return candidates, failed
    # The first draft keeps its place and its refusal: both tries are counted, and both have a
    # verdict. Second tries stand after all first ones, as if a pick had led to one draft more.
    candidates, redrafted, failed_again = _request_redrafts(candidates, context)
    redrafted = _examine_candidates(redrafted, context, refuse_unwanted)
    return [*candidates, *redrafted], [*failed, *failed_again]


def _examine_candidates(
    candidates: Sequence[Candidate], context: SynthesisContext, refuse_unwanted: RefuseUnwanted
) -> list[Candidate]:
    # The cheapest look comes first, so that each next one is paid only for what passed all before it: checks in memory
    # cost nothing, a benchmark's wording one vector a draft, a judge or an unseen attempt a request each. The fresh
    # reading comes last: what it finds is what the pool will hold, and of a draft that fell nothing is held.
    checked = _check_candidates(candidates, context, refuse_unwanted)
    reviewed = _review_candidates(_check_paraphrases(checked, context), context)
    return _reextract_candidates(reviewed, context)


def _request_drafts(picks: Sequence[Pick], context: SynthesisContext) -> tuple[list[Candidate], list[Refusal]]:
    """The drafts that picks lead to, and a refusal for each call without a readable one."""
    groups = [(pick, _prompt_group(pick, context)) for pick in picks]
    requests = (ask_drafts(group, **_group_sources(pick, group, context)) for pick, group in groups)
    asked = ((pick, pick.use, group) for pick, group in groups)
    return _read_candidates(asked, _replies_by_id(context.ask, requests))


def _request_redrafts(
    candidates: Sequence[Candidate], context: SynthesisContext
) -> tuple[list[Candidate], list[Candidate], list[Refusal]]:
    """The candidates, those asked again marked; the new ones; and the calls without any."""
    marked = [replace(c, again=c.refusal is not None and is_rewritable(c.refusal)) for c in candidates]
    asked = [(c, _prompt_group(c.pick, context)) for c in marked if c.again]
    requests = (
        ask_redraft(group, c.draft, c.refusal, **_group_sources(c.pick, group, context))
        for c, group in asked
        if c.refusal is not None
    )
    replies = _replies_by_id(context.ask, requests)
    # One failed draft was shown, so one is taken, whatever else the reply may hold.
    retried = [(c.pick, (c.use,), retry_group(group, c.draft)) for c, group in asked]
    return marked, *_read_candidates(retried, replies, most=1)


def _read_candidates(
    groups: Iterable[tuple[Pick, Sequence[tuple[int, ...]], Group]],
    replies: Mapping[str, Reply],
    *,
    most: int | None = None,
) -> tuple[list[Candidate], list[Refusal]]:
    """The candidates in the replies, at most `most` of each; replies without one are refusals.

    Each pick comes with the knowledge points that its drafts were to use, by their rows, as its group has them.
    """
    candidates: list[Candidate] = []
    failed: list[Refusal] = []
    for pick, use, group in groups:
        drafts = read_drafts(replies[f"synthesize/{group.id}"], group)
        if isinstance(drafts, Refusal):
            failed.append(drafts)
        elif not drafts:
            failed.append(Refusal("no_draft", ErrorClass.KNOWLEDGE_GAP, group.id))
        else:
            uses = [use[match_use_group(draft, group)] for draft in drafts]
            found = zip(drafts[:most], uses, strict=False)
            candidates += [Candidate(draft=draft, pick=pick, use=rows) for draft, rows in found]
    return candidates, failed


def _prompt_group(pick: Pick, context: SynthesisContext) -> Group:
    """The pick with its rows turned into seeds and texts."""
    texts = context.inventory.texts
    return Group(
        id=pick.id,
        seeds=tuple(context.library.seed(row) for row in pick.seeds),
        use=tuple(tuple(texts[row] for row in rows) for rows in pick.use),
        avoid=tuple(texts[row] for row in pick.avoid),
        drafts=len(pick.use),
        variant=pick.variant,
    )


def _group_sources(pick: Pick, group: Group, context: SynthesisContext) -> GroupSources:
    rows = zip(pick.seeds, group.seeds, strict=True)
    return {
        "extractions": {seed.id: context.library.extraction(row) for row, seed in rows},
        "passages": context.library.passages_of(group.seeds),
    }


def _check_candidates(
    candidates: Sequence[Candidate], context: SynthesisContext, refuse_unwanted: RefuseUnwanted
) -> list[Candidate]:
    """The candidates after every check that costs nothing."""
    cases = [_draft_in_context(candidate, context) for candidate in candidates]
    refusals = check_drafts(cases, known=context.known, benchmarks=context.benchmarks)
    checked: list[Candidate] = []
    for candidate, case, refusal in zip(candidates, cases, refusals, strict=True):
        draft = candidate.draft
        # Whether it is wanted is asked last: that is no fault of the draft, and must not hide one that
        # writing it anew would cure. The points are those that it claims; nobody read it yet.
        place = locate_answer_evidence(draft.evidence, draft.answer, case.passages)
        sound = replace(candidate, refusal=refusal, place=place)
        checked.append(sound if refusal else refuse_unwanted(sound))
    return checked


def _draft_in_context(candidate: Candidate, context: SynthesisContext) -> DraftInContext:
    seeds = [context.library.seed(row) for row in candidate.pick.seeds]
    passages = {passage.id: passage for passage in context.library.passages_of(seeds)}
    answers = answer_aliases(candidate.draft.answer, seeds)
    return DraftInContext(candidate.draft, answers, passages, seeds, seeds[0].lang)


def _check_paraphrases(candidates: Sequence[Candidate], context: SynthesisContext) -> Sequence[Candidate]:
    """The candidates after a look for benchmark questions in other words, all at once."""
    if context.refuse_paraphrases is None:
        return candidates
    # One call for all drafts: an embedder takes many texts at once.
    sound = [candidate.draft for candidate in candidates if candidate.refusal is None]
    found = dict(zip((d.id for d in sound), context.refuse_paraphrases(sound), strict=True))
    return [replace(c, refusal=c.refusal or found.get(c.draft.id)) for c in candidates]


def _review_candidates(candidates: Sequence[Candidate], context: SynthesisContext) -> Sequence[Candidate]:
    """The candidates after judges and then unseen attempts; dissent among judges is kept."""
    # Two passes, so that no attempt is paid for what a judge refused.
    for judges, attempts in ((context.settings.judges, 0), (0, context.settings.attempts)):
        cases = [(each, _review_case(each, context)) for each in candidates]
        pairs = review_cases(cases, judges=judges, attempts=attempts, ask=context.ask)
        candidates = [
            replace(c, refusal=c.refusal or review.refusal, passed=review.passed or c.passed) for c, review in pairs
        ]
    return candidates


def _review_case(candidate: Candidate, context: SynthesisContext) -> ReviewCase | None:
    if candidate.refusal is not None:
        return None
    case = _draft_in_context(candidate, context)
    return ReviewCase(case.draft, case.answers, list(case.passages.values()))


def _reextract_candidates(candidates: Sequence[Candidate], context: SynthesisContext) -> list[Candidate]:
    """The candidates with the knowledge points that a fresh reading finds in them."""
    requests = (_extraction_request(c, context) for c in candidates if c.refusal is None)
    replies = _replies_by_id(context.ask, requests)
    return [c if c.refusal is not None else _read_anew(c, replies[f"extract/{c.draft.id}"]) for c in candidates]


def _read_anew(candidate: Candidate, reply: Reply) -> Candidate:
    extraction = read_extraction(reply)
    if isinstance(extraction, Refusal):
        return replace(candidate, refusal=extraction)
    # The draft that its writer described has passed; the one that was read may not be the same:
    # points that the writer merely claimed are gone, and steps between them may be missing. Cells,
    # gap and dataset count what was read, so that is what must pass these two checks again.
    points, logic = extraction.knowledge_points, parse(extraction.logic)
    held = replace(candidate.draft, knowledge_points=points, logic=extraction.logic)
    refusal = check_knowledge_points(held) or check_logic(held, logic)
    if not isinstance(logic, Logic):
        return replace(candidate, extraction=extraction, refusal=refusal)
    resting = find_answering_point(logic, knowledge_points=points, answer=held.answer)
    says = "" if resting is None else points[resting]
    return replace(candidate, extraction=extraction, refusal=refusal, shape=shape_of_logic(logic).name, says=says)


def _extraction_request(candidate: Candidate, context: SynthesisContext) -> Request:
    draft, seeds = candidate.draft, map(context.library.seed, candidate.pick.seeds)
    return ask_extraction(
        draft.id,
        question=draft.question,
        answer=draft.answer,
        passages=context.library.passages_of(seeds),
        claimed=draft.knowledge_points,
    )


def _replies_by_id(ask: Ask, requests: Iterable[Request]) -> dict[str, Reply]:
    # Replies come as they are ready: the order of the requests has to be found again.
    return {reply.request.id: reply for reply in ask(requests)}
