"""What becomes of drafts: a verdict for each, in the order of their picks, and the pool's counts as they grow."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from kdos.arrays import Float64Array
from kdos.checks import check_logic_shape, check_near_duplicate
from kdos.config import SynthesizeConfig
from kdos.logic import LEVELS
from kdos.pool import ErrorClass, Refusal, Verdict
from kdos.sampler import RunningCounts, decide_draft
from kdos.synthesize.context import SynthesisContext
from kdos.synthesize.loop import Candidate, DraftedPick, Outlook


class PartAcceptance:
    """The acceptance of one part: counts grow with every accepted draft, so that a part cannot overfill what it fills.

    What cells may hold is that of the part's begin. Those that stay join the questions that are known, and the
    knowledge points that a fresh reading found the inventory.
    """

    def __init__(self, outlook: Outlook, context: SynthesisContext) -> None:
        pool, self._limits, self._context = outlook.state.pool, outlook.limits, context
        self._counts = RunningCounts(pool, outlook.deficit, context.inventory.cells)
        self._samples = pool.samples
        self._levels, self._came = outlook.levels, Counter[int]()
        self._embedded_ahead: set[str] = set()

    @property
    def is_full(self) -> bool:
        """Whether the pool holds as many samples as it may."""
        most = self._context.order.samples
        return most is not None and self._samples >= most

    def decide(
        self, drafted: DraftedPick, *, soon: Iterable[DraftedPick]
    ) -> tuple[Sequence[Candidate], list[Verdict]]:
        """The candidates with their knowledge points, new ones added to the inventory, and a verdict for each."""
        context = self._context
        self._embed_ahead(drafted, soon)
        refused = _refuse_paraphrases(drafted.candidates, context)
        # New points join the inventory though their draft may be refused yet: what it knows is a place for each text,
        # and the pool counts exposures apart.
        held = [_held_points(candidate) for candidate in refused]
        if context.inventory.add_unknown((text for texts in held for text in texts), context.locate_texts):
            self._counts.see_points(context.inventory.cells)
        pairs = zip(refused, held, strict=True)
        candidates = [_locate_points(c, texts, context) if texts else c for c, texts in pairs]
        return candidates, [self._decide_candidate(candidate) for candidate in candidates]

    def _embed_ahead(self, drafted: DraftedPick, soon: Iterable[DraftedPick]) -> None:
        """Where vectors come from a server, ask it together for those of this pick and of those decided soon."""
        embed_ahead, ahead = self._context.embed_ahead, self._embedded_ahead
        if embed_ahead is None or ahead.issuperset(self._texts_to_embed(drafted)):
            return
        texts = dict.fromkeys(text for each in (drafted, *soon) for text in self._texts_to_embed(each))
        embed_ahead([text for text in texts if text not in ahead])
        ahead.update(texts)

    def _texts_to_embed(self, drafted: DraftedPick) -> list[str]:
        """What of a pick has to be embedded when it is decided: new knowledge points, and questions to compare."""
        inventory = self._context.inventory
        sound = [candidate for candidate in drafted.candidates if candidate.refusal is None]
        points = [text for each in sound for text in _held_points(each)]
        new = [text for text in points if not inventory.knows_all([text], among=len(inventory))]
        return new + [each.draft.question for each in sound if self._context.refuse_paraphrases]

    def _decide_candidate(self, candidate: Candidate) -> Verdict:
        context, draft, gain = self._context, candidate.draft, candidate.gain
        # The repetition is looked for again: a draft that was decided meanwhile may be the one.
        refusal = candidate.refusal or _refuse_repeated(candidate, context)
        if refusal is None and self.is_full:
            refusal = Refusal("pool_full", ErrorClass.DISTRIBUTION)
        # The deficit comes last: it is no fault of the draft, and its reason must not hide one.
        if refusal is None:
            refusal, gain = decide_place(candidate, self._counts, self._limits, context.settings)
        if refusal is None and self._is_level_full(candidate.level):
            refusal = Refusal("level_full", ErrorClass.DISTRIBUTION, LEVELS[candidate.level or 0])
        if refusal is None:
            self._samples += 1
            self._came[candidate.level or 0] += 1
            context.known.add_question(draft.question, [draft.answer], name=draft.id)
            context.shapes.add_shapes([candidate.shape])
            self._counts.add_sample(candidate.points, candidate.answering)
        cells = tuple(context.inventory.cells[list(candidate.points)].tolist())
        return Verdict(draft.id, refusal, cells=cells, deficit=gain)

    def _is_level_full(self, level: int | None) -> bool:
        """Whether the pool has as many samples of this level as it may."""
        if self._levels is None or self._context.settings.accept == "all":
            return False
        return self._came[level or 0] >= self._levels.room[level or 0]


def decide_place(
    candidate: Candidate, counts: RunningCounts, limits: Float64Array, settings: SynthesizeConfig
) -> tuple[Refusal | None, float]:
    """Why the pool has no place for a candidate, or None; and its gain, nats. `limits` are those of the cells."""
    found = decide_draft(
        candidate.points,
        answering=candidate.answering,
        offered=candidate.use,
        counts=counts,
        limits=limits,
        rule=settings.accept,
    )
    refusal = None if found.accepted else Refusal(found.reason, ErrorClass.DISTRIBUTION)
    return refusal, found.gain


def _held_points(candidate: Candidate) -> tuple[str, ...]:
    """The knowledge points that a fresh reading found in a candidate that still stands."""
    return candidate.extraction.knowledge_points if candidate.extraction and not candidate.refusal else ()


def _locate_points(candidate: Candidate, texts: Sequence[str], context: SynthesisContext) -> Candidate:
    inventory = context.inventory
    says = inventory.rows([candidate.says] if candidate.says in texts else [])
    return replace(candidate, points=inventory.rows(texts), answering=says[0] if says else None)


def _refuse_paraphrases(candidates: Sequence[Candidate], context: SynthesisContext) -> Sequence[Candidate]:
    """The candidates after a look for benchmark questions in other words."""
    if context.refuse_paraphrases is None:
        return candidates
    sound = [candidate.draft for candidate in candidates if candidate.refusal is None]
    found = dict(zip((d.id for d in sound), context.refuse_paraphrases(sound), strict=True))
    return [replace(c, refusal=c.refusal or found.get(c.draft.id)) for c in candidates]


def _refuse_repeated(candidate: Candidate, context: SynthesisContext) -> Refusal | None:
    """Whether the pool has this question, or enough samples of this shape of logic."""
    draft = candidate.draft
    return check_near_duplicate(draft, [draft.answer], context.known) or check_logic_shape(
        candidate.shape, context.shapes, most=context.settings.same_shape
    )
