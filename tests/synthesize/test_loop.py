"""The loop under a simulated drafter whose ground truth is known."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from kdos.checks import KnownQuestions
from kdos.config import BudgetConfig, Config, SourceConfig, SynthesizeConfig
from kdos.density import Space
from kdos.pool import Draft, ErrorClass, Inventory, Refusal
from kdos.sampler import SeedLinks
from kdos.synthesize import Library, LoopState, SynthesisContext, loop_steps, measure_state, run_rounds
from kdos.synthesize.loop import Candidate
from kdos.targets import tempered_target

N_CELLS, N_POINTS = 64, 3200


def space():
    rng = np.random.default_rng(0)
    return Space(
        embedder="simulated",
        mean=np.zeros(0, np.float32),
        components=np.zeros((0, 0), np.float32),
        normalize=True,
        centroids=rng.normal(size=(N_CELLS, 4)).astype(np.float32),
        groups=np.array([0, N_CELLS]),
        log_volumes=rng.normal(size=N_CELLS),
        intrinsic_dim=4.0,
        k=10,
        r_min=1e-6,
        novel_radius=1.0,
    )


def make_context(config):
    """A context of simulated knowledge points, popular in a few cells."""
    rng = np.random.default_rng(1)
    popularity = 1 / np.arange(1, N_CELLS + 1)
    cells = np.sort(rng.choice(N_CELLS, N_POINTS, p=popularity / popularity.sum()))
    cells = np.concatenate([np.arange(N_CELLS), cells])[:N_POINTS].astype(np.int32)
    counts = np.bincount(cells, minlength=N_CELLS)
    points_of = [np.array([k]) for k in range(N_POINTS)]
    links = SeedLinks(
        cells=cells,
        documents=cells,
        passages=np.arange(N_POINTS, dtype=np.int32),
        points_in_passage=points_of,
        points_of_seed=points_of,
        seeds_of_point=points_of,
        points_in_cell=[np.flatnonzero(cells == c) for c in range(N_CELLS)],
        seeds_in_document=[np.flatnonzero(cells == c) for c in range(N_CELLS)],
    )
    empty = pa.table({"id": pa.array([], pa.string())})
    return SynthesisContext(
        config=config,
        space=space(),
        log_q=tempered_target(space().log_volumes, counts, 0.0),
        library=Library(seeds=empty, extractions=empty, passages=empty),
        links=links,
        inventory=Inventory(
            [f"Point {k} is known." for k in range(N_POINTS)], points=np.zeros((N_POINTS, 4), np.float32), cells=cells
        ),
        known=KnownQuestions(),
        ask=lambda requests: iter(()),
        embed_texts=lambda texts: np.zeros((len(texts), 4), np.float32),
    )


@dataclass(frozen=True)
class Drafter:
    """Writes about the cell it is asked for; drifts to popular points; some cells yield nothing."""

    links: SeedLinks
    drift: float = 0.25
    barren: frozenset[int] = frozenset()
    faulty: frozenset[int] = frozenset()
    verified: float = 0.8

    def draft(self, picks, state, deficit):
        candidates, failed = [], []
        for pick in picks:
            rng = np.random.default_rng([int(part) for part in pick.id.split("-")])
            if pick.cell in self.barren:
                failed.append(Refusal("no_draft", ErrorClass.KNOWLEDGE_GAP, pick.id))
                continue
            drifts = rng.random() < self.drift
            near = np.arange(N_POINTS) if drifts else self.links.points_in_cell[pick.cell]
            points = tuple(int(k) for k in rng.choice(near, min(4, len(near)), replace=False))
            refusal = None
            if pick.cell in self.faulty or rng.random() > self.verified:
                refusal = Refusal("supported", ErrorClass.ANSWER)
            draft = Draft(f"{pick.id}/0", f"What is {pick.id}?", pick.id, (), (), "", (), ())
            candidates.append(Candidate(draft, pick, refusal=refusal, points=points))
        return candidates, failed


def play(*, steer=True, accept="pace", samples=3000, random_seed=3, **drafter):
    config = Config(
        source=SourceConfig(kind="pydocs"),
        budget=BudgetConfig(samples=samples),
        picker="steer" if steer else "scatter",
        synthesize=SynthesizeConfig(accept=accept, drafts_per_call=1),
        random_seed=random_seed,
    )
    context = make_context(config)
    steps = replace(loop_steps(context), draft=Drafter(context.links, **drafter).draft)
    state = LoopState.begin(n_cells=N_CELLS, n_points=N_POINTS)
    rounds, loop = [], run_rounds(state, steps)
    while True:
        try:
            one, state, deficit = next(loop)
            rounds.append((one, state, deficit))
        except StopIteration as stop:
            return rounds, state, measure_state(state, context), stop.value


def test_both_halves_reach_the_noise_floor_and_neither_alone_does():
    drafts = {}
    for steer, accept in ((True, "pace"), (True, "all"), (False, "all")):
        rounds, state, deficit, reason = play(steer=steer, accept=accept)
        drafts[steer, accept] = sum(len(one.candidates) for one, _, _ in rounds)
        assert state.pool.samples == 3000
        reached = deficit.gap.kl <= deficit.gap.floor
        assert reached == (steer and accept == "pace"), (steer, accept, deficit.gap)
        assert (reason == "noise_floor") == reached
    assert drafts[True, "pace"] < 2.2 * drafts[False, "all"]


def test_every_draft_has_a_verdict():
    rounds, state, _, _ = play(samples=500)
    for one, _, _ in rounds:
        assert len(one.verdicts) == len(one.candidates)
        assert len(one.candidates) + len(one.failed) == len(one.picks)
    accepted = [candidate for one, _, _ in rounds for candidate in one.accepted]
    assert state.pool.samples == len(accepted) == 500
    assert state.pool.knowledge_points == sum(len(c.points) for c in accepted)
    assert state.pool.exposures.sum() == state.pool.counts.sum()


def test_cells_that_yield_nothing_are_named_and_the_rest_is_on_target():
    barren = frozenset({1, 5, 40})
    _, state, deficit, reason = play(barren=barren)
    named = set(np.flatnonzero(deficit.unreachable))
    assert {5, 40} <= named <= barren, "cell 1 is so popular that drift alone may fill it"
    assert 0 < deficit.unreachable_mass < 1
    assert state.pool.samples == 3000
    assert reason == "noise_floor"


def test_cells_whose_drafts_fail_again_and_again_are_given_up():
    faulty = frozenset({17, 40})
    rounds, state, deficit, _ = play(faulty=faulty)
    assert set(np.flatnonzero(deficit.unreachable)) == set(faulty)
    rates = state.yields.points_per_pick(drafts=1)
    assert rates[list(faulty)].max() < 0.1
    assert np.median(rates) > 0.5
    assert any(candidate.refusal for one, _, _ in rounds for candidate in one.candidates)


def test_nothing_works_at_all():
    rounds, state, _, reason = play(barren=frozenset(range(N_CELLS)), samples=300)
    assert state.pool.samples == 0
    assert reason in {"unreachable", "no_gain"}
    assert len(rounds) < 100


def test_the_gap_closes_steadily():
    rounds, _, _, _ = play()
    gaps = [deficit.gap.kl for _, _, deficit in rounds]
    rises = [later > earlier for earlier, later in pairwise(gaps)]
    assert not any(all(rises[i : i + 3]) for i in range(len(rises) - 2))


@pytest.mark.parametrize(("accept", "slack"), [("pace", 0.2), ("strict", 0.0)])
def test_no_cell_is_filled_beyond_its_quota_by_more_than_the_slack(accept, slack):
    rounds, *_ = play(accept=accept, samples=800)
    for (_, before, deficit), (_, after, _) in pairwise(rounds):
        limit = np.floor((1 + slack) * deficit.quotas)
        assert (after.pool.counts <= np.maximum(before.pool.counts, limit)).all()


def test_the_same_seed_gives_the_same_pool():
    first, again = play(samples=400), play(samples=400)
    other = play(samples=400, random_seed=4)
    ids = [[c.draft.id for one, _, _ in run[0] for c in one.accepted] for run in (first, again)]
    assert ids[0] == ids[1]
    assert (first[1].pool.counts == again[1].pool.counts).all()
    assert (first[1].pool.exposures != other[1].pool.exposures).any()
