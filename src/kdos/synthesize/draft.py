"""From picks to candidates: write, check for nothing, judge, and see what each draft really holds.

A stage asks for all of its candidates at once; a candidate that has fallen is carried along with
its refusal, so that drafts in are candidates out. One that fell for a fault of its writing is
written once more, with the reason, and goes the same way as a candidate of its own; after that it
is abandoned (KDoS, synthesis prompt: regenerate, then abandon).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

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
from kdos.logic import Logic, parse, shape_of_logic
from kdos.pool import ErrorClass, Extraction, Passage, Refusal, Seed
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
    read_drafts,
    read_extraction,
    retry_group,
)

RefuseCrowded = Callable[[Sequence[str]], Refusal | None]
"""Why knowledge points that a draft claims lie in cells that are full by now, or None."""


def draft_candidates(
    picks: Sequence[Pick], context: SynthesisContext, *, refuse_crowded: RefuseCrowded
) -> tuple[list[Candidate], list[Refusal]]:
    """The candidates that picks lead to, in the order of the picks, and the calls that failed."""
    candidates, failed = request_drafts(picks, context)
    candidates = examine_candidates(candidates, context, refuse_crowded)
    if not context.settings.mend:
        return candidates, failed
    candidates, redrafted, failed_again = request_redrafts(candidates, context)
    redrafted = examine_candidates(redrafted, context, refuse_crowded)
    return [*candidates, *redrafted], [*failed, *failed_again]


def examine_candidates(
    candidates: Sequence[Candidate], context: SynthesisContext, refuse_crowded: RefuseCrowded
) -> list[Candidate]:
    """The candidates after all that can be found out about them, the cheapest first.

    Free checks, then the vectors of benchmark questions, then judges, then unseen attempts, then a
    fresh reading: each is paid only for what passed all before it.
    """
    checked = check_candidates(candidates, context, refuse_crowded)
    reviewed = review_candidates(check_paraphrases(checked, context), context)
    return reextract_candidates(reviewed, context)


def request_drafts(
    picks: Sequence[Pick], context: SynthesisContext
) -> tuple[list[Candidate], list[Refusal]]:
    """Ask for drafts; a call without a readable one is a refusal."""
    groups = {pick.id: prompt_group(pick, context) for pick in picks}
    replies = _replies_by_id(
        context.ask, (_drafts_request(pick, groups[pick.id], context) for pick in picks)
    )
    return _read_candidates(((pick, groups[pick.id]) for pick in picks), replies)


def request_redrafts(
    candidates: Sequence[Candidate], context: SynthesisContext
) -> tuple[list[Candidate], list[Candidate], list[Refusal]]:
    """Ask once more for each draft that fell for a fault of its writing.

    Returns the candidates, those asked again marked; the new ones; and the calls without any.
    """
    marked = [
        replace(c, again=c.refusal is not None and is_rewritable(c.refusal)) for c in candidates
    ]
    replies = _replies_by_id(context.ask, (_redraft_request(c, context) for c in marked if c.again))
    groups = (
        (c.pick, retry_group(prompt_group(c.pick, context), c.draft)) for c in marked if c.again
    )
    return marked, *_read_candidates(groups, replies, most=1)


def _read_candidates(
    groups: Iterable[tuple[Pick, Group]], replies: Mapping[str, Reply], *, most: int | None = None
) -> tuple[list[Candidate], list[Refusal]]:
    """The candidates in the replies, at most `most` of each; replies without one are refusals."""
    candidates: list[Candidate] = []
    failed: list[Refusal] = []
    for pick, group in groups:
        drafts = read_drafts(replies[f"synthesize/{group.id}"], group)
        if isinstance(drafts, Refusal):
            failed.append(drafts)
        elif not drafts:
            failed.append(Refusal("no_draft", ErrorClass.KNOWLEDGE_GAP, group.id))
        else:
            candidates += [Candidate(draft=each, pick=pick) for each in drafts[:most]]
    return candidates, failed


def prompt_group(pick: Pick, context: SynthesisContext) -> Group:
    """The pick with its rows turned into seeds and texts."""
    texts = context.inventory.texts
    return Group(
        id=pick.id,
        seeds=tuple(context.library.seed(row) for row in pick.seeds),
        use=tuple(texts[row] for row in pick.use),
        avoid=tuple(texts[row] for row in pick.avoid),
        drafts=context.settings.drafts_per_call,
        variant=pick.variant,
    )


def check_candidates(
    candidates: Sequence[Candidate], context: SynthesisContext, refuse_crowded: RefuseCrowded
) -> list[Candidate]:
    """The candidates after every check that costs nothing."""
    cases = [draft_case(candidate, context) for candidate in candidates]
    refusals = check_drafts(cases, known=context.known, benchmarks=context.benchmarks)
    checked: list[Candidate] = []
    for candidate, case, refusal in zip(candidates, cases, refusals, strict=True):
        draft = candidate.draft
        refusal = refusal or refuse_crowded(draft.knowledge_points)
        place = locate_answer_evidence(draft.evidence, draft.answer, case.passages)
        checked.append(replace(candidate, refusal=refusal, place=place))
    return checked


def draft_case(candidate: Candidate, context: SynthesisContext) -> DraftInContext:
    """A candidate's draft and what it is held against."""
    seeds = _candidate_seeds(candidate, context)
    passages = {passage.id: passage for passage in context.library.passages_of(seeds)}
    answers = answer_aliases(candidate.draft.answer, seeds)
    return DraftInContext(candidate.draft, answers, passages, seeds, seeds[0].lang)


def check_paraphrases(
    candidates: Sequence[Candidate], context: SynthesisContext
) -> list[Candidate]:
    """The candidates after a look for benchmark questions in other words, all at once."""
    if context.refuse_paraphrases is None:
        return list(candidates)
    # One call for all drafts: an embedder takes many texts at once.
    sound = [candidate.draft for candidate in candidates if candidate.refusal is None]
    found = dict(zip((d.id for d in sound), context.refuse_paraphrases(sound), strict=True))
    return [replace(c, refusal=c.refusal or found.get(c.draft.id)) for c in candidates]


def review_candidates(
    candidates: Sequence[Candidate], context: SynthesisContext
) -> list[Candidate]:
    """The candidates after judges and then unseen attempts; dissent among judges is kept.

    Two passes, so that no attempt is paid for what a judge refused.
    """
    reviewed = list(candidates)
    for judges, attempts in ((context.settings.judges, 0), (0, context.settings.attempts)):
        cases = [(each, _review_case(each, context)) for each in reviewed]
        pairs = review_cases(cases, judges=judges, attempts=attempts, ask=context.ask)
        reviewed = [
            replace(
                each,
                refusal=each.refusal or review.refusal,
                passed=review.passed or each.passed,
            )
            for each, review in pairs
        ]
    return reviewed


def _review_case(candidate: Candidate, context: SynthesisContext) -> ReviewCase | None:
    if candidate.refusal is not None:
        return None
    seeds = _candidate_seeds(candidate, context)
    answers = answer_aliases(candidate.draft.answer, seeds)
    return ReviewCase(candidate.draft, answers, context.library.passages_of(seeds))


def reextract_candidates(
    candidates: Sequence[Candidate], context: SynthesisContext
) -> list[Candidate]:
    """The candidates with the knowledge points that a fresh reading finds in them."""
    requests = (_extraction_request(c, context) for c in candidates if c.refusal is None)
    replies = _replies_by_id(context.ask, requests)

    def read(candidate: Candidate) -> Candidate:
        if candidate.refusal is not None:
            return candidate
        extraction = read_extraction(replies[f"extract/{candidate.draft.id}"])
        if isinstance(extraction, Refusal):
            return replace(candidate, refusal=extraction)
        # From here on the draft holds what the reading found, not what its writer claimed.
        held = replace(
            candidate.draft,
            knowledge_points=extraction.knowledge_points,
            logic=extraction.logic,
        )
        logic = parse(held.logic)
        refusal = check_knowledge_points(held) or check_logic(held, logic)
        name = shape_of_logic(logic).name if isinstance(logic, Logic) else ""
        return replace(candidate, extraction=extraction, refusal=refusal, shape=name)

    return [read(candidate) for candidate in candidates]


def _drafts_request(pick: Pick, group: Group, context: SynthesisContext) -> Request:
    passages = context.library.passages_of(group.seeds)
    return ask_drafts(
        group, extractions=_group_extractions(pick, group, context), passages=passages
    )


def _redraft_request(candidate: Candidate, context: SynthesisContext) -> Request:
    assert candidate.refusal is not None
    group = prompt_group(candidate.pick, context)
    return ask_redraft(
        group,
        candidate.draft,
        candidate.refusal,
        extractions=_group_extractions(candidate.pick, group, context),
        passages=context.library.passages_of(group.seeds),
    )


def _group_extractions(
    pick: Pick, group: Group, context: SynthesisContext
) -> dict[str, Extraction]:
    """What each seed of the group holds."""
    rows = zip(pick.seeds, group.seeds, strict=True)
    return {seed.id: context.library.extraction(row) for row, seed in rows}


def _extraction_request(candidate: Candidate, context: SynthesisContext) -> Request:
    draft = candidate.draft
    return ask_extraction(
        draft.id,
        question=draft.question,
        answer=draft.answer,
        passages=_candidate_passages(candidate, context),
        claimed=draft.knowledge_points,
    )


def _candidate_seeds(candidate: Candidate, context: SynthesisContext) -> list[Seed]:
    return [context.library.seed(row) for row in candidate.pick.seeds]


def _candidate_passages(candidate: Candidate, context: SynthesisContext) -> list[Passage]:
    """The passages a draft was written from."""
    return context.library.passages_of(_candidate_seeds(candidate, context))


def _replies_by_id(ask: Ask, requests: Iterable[Request]) -> dict[str, Reply]:
    """All replies by their request's id."""
    return {reply.request.id: reply for reply in ask(requests)}
