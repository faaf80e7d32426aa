"""From picks to candidates: write, check for nothing, judge, and see what each draft really holds.

A stage asks for all of its candidates at once; a candidate that has fallen is carried along with
its refusal, so that drafts in are candidates out. One that fell for a fault of its writing is
written once more, with the reason, and goes the same way as a candidate of its own; after that it
is abandoned (KDoS, synthesis prompt: regenerate, then abandon).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from kdos.checks import (
    BenchmarkIndex,
    DraftInContext,
    KnownQuestions,
    answer_aliases,
    check_attempts_agree,
    check_drafts,
    check_knowledge_points,
    check_logic,
    combine_judgements,
    is_rewritable,
    locate_answer,
)
from kdos.logic import Logic, parse, shape_of_logic
from kdos.pool import Draft, ErrorClass, Extraction, Inventory, Passage, Refusal, Seed
from kdos.sampler import Pick
from kdos.synthesize.library import Library
from kdos.synthesize.loop import Candidate
from kdos.tasks import (
    Ask,
    Group,
    Reply,
    Request,
    ask_answer,
    ask_drafts,
    ask_extraction,
    ask_judgement,
    ask_redraft,
    read_answer,
    read_drafts,
    read_extraction,
    read_judgement,
    retry_group,
)


@dataclass(frozen=True)
class Desk:
    """What drafting works with.

    `ask` sends requests, `known` are the questions of the pool, `benchmarks` those nobody may train
    on; `refuse_paraphrases` looks for the latter in other words. `refuse_crowded` says whether
    knowledge points that a draft claims are crowded by now, before anybody is paid to judge it.
    `judges` and `attempts` are how many are asked about each draft.
    """

    ask: Ask
    library: Library
    inventory: Inventory
    known: KnownQuestions
    refuse_crowded: Callable[[Sequence[str]], Refusal | None]
    drafts_per_call: int
    judges: int
    attempts: int
    mend: bool
    benchmarks: BenchmarkIndex | None = None
    refuse_paraphrases: Callable[[Sequence[Draft]], list[Refusal | None]] | None = None


def draft_candidates(picks: Sequence[Pick], desk: Desk) -> tuple[list[Candidate], list[Refusal]]:
    """The candidates that picks lead to, in the order of the picks, and the calls that failed."""
    candidates, failed = request_drafts(picks, desk)
    candidates = examine_candidates(candidates, desk)
    if not desk.mend:
        return candidates, failed
    candidates, rewritten, failed_again = request_redrafts(candidates, desk)
    return [*candidates, *examine_candidates(rewritten, desk)], [*failed, *failed_again]


def examine_candidates(candidates: Sequence[Candidate], desk: Desk) -> list[Candidate]:
    """The candidates after all that can be found out about them."""
    checked = check_paraphrases(check_candidates(candidates, desk), desk)
    return reextract_candidates(attempt_candidates(judge_candidates(checked, desk), desk), desk)


def request_drafts(picks: Sequence[Pick], desk: Desk) -> tuple[list[Candidate], list[Refusal]]:
    """Ask for drafts; a call without a readable one is a refusal."""
    groups = {pick.id: prompt_group(pick, desk) for pick in picks}
    replies = _replies_by_id(
        desk.ask, (_drafts_request(pick, groups[pick.id], desk) for pick in picks)
    )
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


def request_redrafts(
    candidates: Sequence[Candidate], desk: Desk
) -> tuple[list[Candidate], list[Candidate], list[Refusal]]:
    """Ask once more for each draft that fell for a fault of its writing.

    Returns the candidates, those asked again marked; the new ones; and the calls without any.
    """
    marked = [
        replace(c, again=c.refusal is not None and is_rewritable(c.refusal)) for c in candidates
    ]
    replies = _replies_by_id(desk.ask, (_redraft_request(c, desk) for c in marked if c.again))
    rewritten: list[Candidate] = []
    failed: list[Refusal] = []
    for candidate in marked:
        if candidate.again:
            group = retry_group(prompt_group(candidate.pick, desk), candidate.draft)
            drafts = read_drafts(replies[f"synthesize/{group.id}"], group)
            if isinstance(drafts, Refusal):
                failed.append(drafts)
            elif not drafts:
                failed.append(Refusal("no_draft", ErrorClass.KNOWLEDGE_GAP, group.id))
            else:
                rewritten += [Candidate(draft=each, pick=candidate.pick) for each in drafts[:1]]
    return marked, rewritten, failed


def prompt_group(pick: Pick, desk: Desk) -> Group:
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


def check_candidates(candidates: Sequence[Candidate], desk: Desk) -> list[Candidate]:
    """The candidates after every check that costs nothing."""
    cases = [draft_case(candidate, desk) for candidate in candidates]
    refusals = check_drafts(cases, known=desk.known, benchmarks=desk.benchmarks)
    checked: list[Candidate] = []
    for candidate, case, refusal in zip(candidates, cases, refusals, strict=True):
        draft = candidate.draft
        refusal = refusal or desk.refuse_crowded(draft.knowledge_points)
        place = locate_answer(draft.evidence, draft.answer, case.passages)
        checked.append(replace(candidate, refusal=refusal, place=place))
    return checked


def draft_case(candidate: Candidate, desk: Desk) -> DraftInContext:
    """A candidate's draft and what it is held against."""
    seeds = _candidate_seeds(candidate, desk)
    passages = {passage.id: passage for passage in desk.library.passages_of(seeds)}
    answers = answer_aliases(candidate.draft.answer, seeds)
    return DraftInContext(candidate.draft, answers, passages, seeds, seeds[0].lang)


def check_paraphrases(candidates: Sequence[Candidate], desk: Desk) -> list[Candidate]:
    """The candidates after a look for benchmark questions in other words, all at once."""
    if desk.refuse_paraphrases is None:
        return list(candidates)
    sound = [candidate.draft for candidate in candidates if candidate.refusal is None]
    found = dict(zip((d.id for d in sound), desk.refuse_paraphrases(sound), strict=True))
    return [replace(c, refusal=c.refusal or found.get(c.draft.id)) for c in candidates]


def judge_candidates(candidates: Sequence[Candidate], desk: Desk) -> list[Candidate]:
    """The candidates after judges have seen them with their passages; dissent is kept."""
    asked = {
        c.draft.id: [
            ask_judgement(c.draft, passages=_candidate_passages(c, desk), judge=n)
            for n in range(desk.judges)
        ]
        for c in candidates
        if c.refusal is None and desk.judges
    }
    replies = _replies_by_id(desk.ask, (request for each in asked.values() for request in each))

    def judged(candidate: Candidate) -> Candidate:
        requests = asked.get(candidate.draft.id)
        if requests is None:
            return candidate
        judgements = [read_judgement(replies[request.id]) for request in requests]
        ruling = combine_judgements(judgements, passages=_candidate_passages(candidate, desk))
        return replace(candidate, refusal=ruling.refusal, passed=ruling.passed)

    return [judged(candidate) for candidate in candidates]


def attempt_candidates(candidates: Sequence[Candidate], desk: Desk) -> list[Candidate]:
    """The candidates whose question was answered alike by those who did not see the answer."""
    asked = {
        c.draft.id: [
            ask_answer(c.draft, passages=_candidate_passages(c, desk), attempt=n)
            for n in range(desk.attempts)
        ]
        for c in candidates
        if c.refusal is None and desk.attempts
    }
    replies = _replies_by_id(desk.ask, (request for each in asked.values() for request in each))

    def attempted(candidate: Candidate) -> Candidate:
        requests = asked.get(candidate.draft.id)
        if requests is None:
            return candidate
        answers = [read_answer(replies[request.id]) for request in requests]
        forms = answer_aliases(candidate.draft.answer, _candidate_seeds(candidate, desk))
        return replace(candidate, refusal=check_attempts_agree(forms, answers))

    return [attempted(candidate) for candidate in candidates]


def reextract_candidates(candidates: Sequence[Candidate], desk: Desk) -> list[Candidate]:
    """The candidates with the knowledge points that a fresh reading finds in them."""
    requests = (_extraction_request(c, desk) for c in candidates if c.refusal is None)
    replies = _replies_by_id(desk.ask, requests)

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
        logic = parse(held.logic)
        refusal = check_knowledge_points(held) or check_logic(held, logic)
        name = shape_of_logic(logic).name if isinstance(logic, Logic) else ""
        return replace(candidate, extraction=extraction, refusal=refusal, shape=name)

    return [read(candidate) for candidate in candidates]


def _drafts_request(pick: Pick, group: Group, desk: Desk) -> Request:
    passages = desk.library.passages_of(group.seeds)
    return ask_drafts(group, extractions=_group_extractions(pick, group, desk), passages=passages)


def _redraft_request(candidate: Candidate, desk: Desk) -> Request:
    assert candidate.refusal is not None
    group = prompt_group(candidate.pick, desk)
    return ask_redraft(
        group,
        candidate.draft,
        candidate.refusal,
        extractions=_group_extractions(candidate.pick, group, desk),
        passages=desk.library.passages_of(group.seeds),
    )


def _group_extractions(pick: Pick, group: Group, desk: Desk) -> dict[str, Extraction]:
    """What each seed of the group holds."""
    rows = zip(pick.seeds, group.seeds, strict=True)
    return {seed.id: desk.library.extraction(row) for row, seed in rows}


def _extraction_request(candidate: Candidate, desk: Desk) -> Request:
    draft = candidate.draft
    return ask_extraction(
        draft.id,
        question=draft.question,
        answer=draft.answer,
        passages=_candidate_passages(candidate, desk),
        claimed=draft.knowledge_points,
    )


def _candidate_seeds(candidate: Candidate, desk: Desk) -> list[Seed]:
    return [desk.library.seed(row) for row in candidate.pick.seeds]


def _candidate_passages(candidate: Candidate, desk: Desk) -> list[Passage]:
    """The passages a draft was written from."""
    return desk.library.passages_of(_candidate_seeds(candidate, desk))


def _replies_by_id(ask: Ask, requests: Iterable[Request]) -> dict[str, Reply]:
    """All replies by their request's id."""
    return {reply.request.id: reply for reply in ask(requests)}
