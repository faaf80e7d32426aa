"""From a pick to candidates: write, check for nothing, review, and see what each draft really holds.

A pick's way is a generator that yields requests and is sent their replies; a candidate that has fallen is carried
along with its refusal, so that drafts in are candidates out. One that fell for a fault of its writing is written once
more, with the reason, and goes the same way as a candidate of its own; after that it is abandoned (KDoS, synthesis
prompt: regenerate, then abandon). What it looks at beside its replies was known when its part began, so that the
time at which they come shapes nothing.
"""

from collections.abc import Sequence
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
    make_refusal,
)
from kdos.checks.judging import check_attempts_agree, combine_judgements
from kdos.logic import LEVELS, Logic, find_answering_point, measure_difficulty, parse, shape_of_logic
from kdos.pool import ErrorClass, Extraction, Passage, Refusal
from kdos.sampler import Pick
from kdos.synthesize.context import SynthesisContext
from kdos.synthesize.deciding import decide_place
from kdos.synthesize.loop import Candidate, DraftedPick, Outlook
from kdos.synthesize.window import PickWork
from kdos.tasks import (
    Group,
    Reply,
    Request,
    ask_answer,
    ask_drafts,
    ask_extraction,
    ask_judgement,
    ask_redraft,
    ask_review,
    match_use_group,
    read_answer,
    read_drafts,
    read_extraction,
    read_judgement,
    read_review,
    retry_group,
)


class GroupSources(TypedDict):
    """What a request for drafts shows beside its group: extractions by seed id, and passages."""

    extractions: dict[str, Extraction]
    passages: list[Passage]


def draft_pick(pick: Pick, outlook: Outlook, context: SynthesisContext) -> PickWork[DraftedPick]:
    """The candidates that a pick leads to, and the calls without any."""
    group = _prompt_group(pick, context)
    (reply,) = yield [ask_drafts(group, **_group_sources(pick, group, context))]
    found = _read_candidates(pick, pick.use, group, reply)
    if isinstance(found, Refusal):
        return DraftedPick((), [found])
    candidates = yield from _examine_candidates(found, outlook, context)
    failed: list[Refusal] = []
    if context.settings.mend:
        candidates, without = yield from _mend_candidates(candidates, group, outlook, context)
        failed += without
    if outlook.levels is not None and context.settings.enhance:
        candidates, without = yield from _enhance_candidates(candidates, group, outlook, context)
        failed += without
    return DraftedPick(candidates, failed)


def _mend_candidates(
    candidates: Sequence[Candidate], group: Group, outlook: Outlook, context: SynthesisContext
) -> PickWork[tuple[list[Candidate], list[Refusal]]]:
    """The candidates, those that fell for their writing written once more, and the calls without a draft."""
    # The first draft keeps its place and its refusal: both tries are counted, and both have a
    # verdict. Second tries stand after all first ones, as if the pick had led to one draft more.
    candidates = [replace(c, again=c.refusal is not None and is_rewritable(c.refusal)) for c in candidates]
    fallen = [(c, c.refusal, group.difficulty) for c in candidates if c.again and c.refusal is not None]
    redrafted, failed = yield from _write_again(fallen, group, context)
    redrafted = yield from _examine_candidates(redrafted, outlook, context)
    return [*candidates, *redrafted], failed


def _enhance_candidates(
    candidates: Sequence[Candidate], group: Group, outlook: Outlook, context: SynthesisContext
) -> PickWork[tuple[list[Candidate], list[Refusal]]]:
    """The candidates, and the calls without a draft: those too easy whose level is full are written one level up.

    High-difficulty enhancement (LinkSyn, abstract; how is our design). One that comes out harder takes the place of
    the one it was written from; one that does not falls.
    """
    easy = {c.draft.id: c for c in candidates if _is_too_easy(c, outlook, context)}
    if not easy:
        return list(candidates), []
    asked = [(c, _too_easy_refusal(c), LEVELS[(c.level or 0) + 1]) for c in easy.values()]
    redrafted, failed = yield from _write_again(asked, group, context)
    redrafted = yield from _examine_candidates(redrafted, outlook, context)
    harder: list[Candidate] = []
    for candidate in redrafted:
        before = easy[candidate.draft.id.rpartition("/again/")[0]]
        if candidate.refusal is None and (candidate.level or 0) <= (before.level or 0):
            candidate = replace(candidate, refusal=make_refusal("not_harder", LEVELS[candidate.level or 0]))
        harder.append(replace(candidate, enhanced_from=before.draft.id))
    replaced = {c.enhanced_from: c.draft.id for c in harder if c.refusal is None}
    kept = [
        replace(
            c, again=c.again or c.draft.id in easy, refusal=c.refusal or _replaced_refusal(replaced.get(c.draft.id))
        )
        for c in candidates
    ]
    return [*kept, *harder], failed


def _is_too_easy(candidate: Candidate, outlook: Outlook, context: SynthesisContext) -> bool:
    """Whether a sound candidate is easier than it was asked to be, and a harder one is wanted in its place."""
    asked, levels = candidate.pick.difficulty, outlook.levels
    if candidate.refusal is not None or candidate.level is None or levels is None or not asked:
        return False
    discipline = context.discipline_of(candidate.pick)
    return levels.should_rewrite(discipline, asked=LEVELS.index(asked), came=candidate.level)


def _too_easy_refusal(candidate: Candidate) -> Refusal:
    return make_refusal("too_easy", f"it is of {LEVELS[candidate.level or 0]}, by what has to be joined to answer it")


def _replaced_refusal(by: str | None) -> Refusal | None:
    return make_refusal("replaced_by_harder", by) if by else None


def _write_again(
    asked: Sequence[tuple[Candidate, Refusal, str]], group: Group, context: SynthesisContext
) -> PickWork[tuple[list[Candidate], list[Refusal]]]:
    """The new drafts for candidates, each with what was wrong with it and the level to meet; the calls without any."""
    groups = [replace(retry_group(group, c.draft), difficulty=level) for c, _, level in asked]
    replies = yield [
        ask_redraft(again, c.draft, refusal, **_group_sources(c.pick, group, context))
        for again, (c, refusal, _) in zip(groups, asked, strict=True)
    ]
    # One failed draft was shown, so one is taken, whatever else the reply may hold.
    found = [
        _read_candidates(c.pick, (c.use,), again, reply, most=1)
        for again, (c, _, _), reply in zip(groups, asked, replies, strict=True)
    ]
    drafts = [candidate for each in found if not isinstance(each, Refusal) for candidate in each]
    return drafts, [each for each in found if isinstance(each, Refusal)]


def _read_candidates(
    pick: Pick, use: Sequence[tuple[int, ...]], group: Group, reply: Reply, *, most: int | None = None
) -> list[Candidate] | Refusal:
    """The candidates in a reply, at most `most`; a refusal where there is none.

    `use` are the knowledge points that its drafts were to use, by their rows, as the group has them.
    """
    drafts = read_drafts(reply, group)
    if isinstance(drafts, Refusal):
        return drafts
    if not drafts:
        return Refusal("no_draft", ErrorClass.KNOWLEDGE_GAP, group.id)
    return [Candidate(draft, pick, use=use[match_use_group(draft, group)]) for draft in drafts[:most]]


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
        difficulty=pick.difficulty,
    )


def _group_sources(pick: Pick, group: Group, context: SynthesisContext) -> GroupSources:
    rows = zip(pick.seeds, group.seeds, strict=True)
    return {
        "extractions": {seed.id: context.library.extraction(row) for row, seed in rows},
        "passages": context.library.passages_of(group.seeds),
    }


def _examine_candidates(
    candidates: Sequence[Candidate], outlook: Outlook, context: SynthesisContext
) -> PickWork[list[Candidate]]:
    # The cheapest look comes first, so that each next one is paid only for what passed all before it: checks in memory
    # cost nothing, drafts that passed share one review, and no unseen attempt is paid for what a judge refused. What
    # the fresh reading finds is what the pool will hold.
    reviewed = yield from _review_candidates(_check_candidates(candidates, outlook, context), context)
    return (yield from _answer_unseen(reviewed, context)) if context.settings.attempts else reviewed


def _check_candidates(candidates: Sequence[Candidate], outlook: Outlook, context: SynthesisContext) -> list[Candidate]:
    """The candidates after every check that costs nothing."""
    cases = [_draft_in_context(candidate, context) for candidate in candidates]
    refusals = check_drafts(cases, known=context.known, among=outlook.known, benchmarks=context.benchmarks)
    checked: list[Candidate] = []
    for candidate, case, refusal in zip(candidates, cases, refusals, strict=True):
        draft = candidate.draft
        # Whether it is wanted is asked last: that is no fault of the draft, and must not hide one that
        # writing it anew would cure. The points are those that it claims; nobody read it yet.
        place = locate_answer_evidence(draft.evidence, draft.answer, case.passages)
        sound = replace(candidate, refusal=refusal, place=place)
        checked.append(sound if refusal else _refuse_claimed(sound, outlook, context))
    return checked


def _refuse_claimed(candidate: Candidate, outlook: Outlook, context: SynthesisContext) -> Candidate:
    """The candidate, refused if it would not stay by what it claims to hold; not if one of its points is new."""
    # Asked before a judge is paid. The pool only grows, so what it had no need of when the part began it has none of
    # when the draft is decided.
    draft, inventory = candidate.draft, context.inventory
    if not inventory.knows_all(draft.knowledge_points, among=len(outlook.counts.cells)):
        return candidate
    claimed = replace(candidate, points=inventory.rows(draft.knowledge_points))
    refusal, gain = decide_place(claimed, outlook.counts, outlook.limits, context.settings)
    return candidate if refusal is None else replace(candidate, refusal=refusal, gain=gain)


def _draft_in_context(candidate: Candidate, context: SynthesisContext) -> DraftInContext:
    seeds = [context.library.seed(row) for row in candidate.pick.seeds]
    passages = {passage.id: passage for passage in context.library.passages_of(seeds)}
    answers = answer_aliases(candidate.draft.answer, seeds)
    return DraftInContext(candidate.draft, answers, passages, seeds, seeds[0].lang)


def _review_candidates(candidates: Sequence[Candidate], context: SynthesisContext) -> PickWork[list[Candidate]]:
    """The candidates after judges, with what a fresh reading finds in those that pass; dissent of judges is kept."""
    sound = [c for c in candidates if c.refusal is None]
    if not sound:
        return list(candidates)
    if not context.settings.judges:
        replies = yield [_extraction_request(c, context) for c in sound]
        reviewed = [_read_anew(c, read_extraction(reply)) for c, reply in zip(sound, replies, strict=True)]
    else:
        reviewed = yield from _judge_and_read(sound, context)
    found = {c.draft.id: c for c in reviewed}
    return [found.get(c.draft.id, c) for c in candidates]


def _judge_and_read(sound: Sequence[Candidate], context: SynthesisContext) -> PickWork[list[Candidate]]:
    """The candidates of one pick after the first judge, who reads them anew in the same call, and all others."""
    drafts, passages, more = [c.draft for c in sound], _passages_of(sound[0], context), context.settings.judges - 1
    review = ask_review(drafts, passages=passages, name=drafts[0].id)
    others = [ask_judgement(draft, passages=passages, judge=n + 1) for draft in drafts for n in range(more)]
    first, *later = yield [review, *others]
    judged: list[Candidate] = []
    for place, (candidate, found) in enumerate(zip(sound, read_review(first, drafts), strict=True)):
        others_found = [read_judgement(reply) for reply in later[place * more : (place + 1) * more]]
        judgement = found if isinstance(found, Refusal) else found.judgement
        ruling = combine_judgements([judgement, *others_found], passages=passages)
        candidate = replace(candidate, refusal=ruling.refusal, passed=ruling.passed)
        extraction = found if isinstance(found, Refusal) else found.extraction
        judged.append(candidate if candidate.refusal else _read_anew(candidate, extraction))
    return judged


def _answer_unseen(candidates: Sequence[Candidate], context: SynthesisContext) -> PickWork[list[Candidate]]:
    """The candidates after attempts to answer their questions that did not see our answers."""
    attempts = context.settings.attempts
    sound = [c for c in candidates if c.refusal is None]
    replies = yield [
        ask_answer(c.draft, passages=_passages_of(c, context), attempt=n) for c in sound for n in range(attempts)
    ]
    refusals: dict[str, Refusal | None] = {}
    for place, c in enumerate(sound):
        answers = [read_answer(reply) for reply in replies[place * attempts : (place + 1) * attempts]]
        refusals[c.draft.id] = check_attempts_agree(_draft_in_context(c, context).answers, answers)
    return [replace(c, refusal=c.refusal or refusals.get(c.draft.id)) for c in candidates]


def _read_anew(candidate: Candidate, extraction: Extraction | Refusal) -> Candidate:
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
    level = measure_difficulty(
        logic,
        knowledge_points=points,
        question=held.question,
        answering=resting,
        topic_entities=extraction.topic_entities,
    ).level
    shape = shape_of_logic(logic).name
    return replace(candidate, extraction=extraction, refusal=refusal, shape=shape, says=says, level=level)


def _extraction_request(candidate: Candidate, context: SynthesisContext) -> Request:
    draft = candidate.draft
    return ask_extraction(
        draft.id,
        question=draft.question,
        answer=draft.answer,
        passages=_passages_of(candidate, context),
        claimed=draft.knowledge_points,
    )


def _passages_of(candidate: Candidate, context: SynthesisContext) -> list[Passage]:
    return context.library.passages_of(map(context.library.seed, candidate.pick.seeds))
