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
from kdos.sampler import Order, SeedLinks, link_seeds
from kdos.sampler.feedback import POINTS_PER_SAMPLE
from kdos.synthesize import Library, LoopState, PickWindow, SynthesisContext, loop_steps, measure_state, run_loop
from kdos.synthesize.loop import Candidate, DraftedPick
from kdos.targets import tempered_target

N_CELLS, N_POINTS, IN_PASSAGE = 64, 3200, 16


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


def make_context(config, *, tau=1.0):
    """A context of simulated knowledge points, popular in a few cells; four seeds in each passage."""
    rng = np.random.default_rng(1)
    popularity = 1 / np.arange(1, N_CELLS + 1)
    cells = rng.choice(N_CELLS, N_POINTS, p=popularity / popularity.sum())
    cells = np.concatenate([np.arange(N_CELLS), cells])[:N_POINTS].astype(np.int32)
    counts = np.bincount(cells, minlength=N_CELLS)
    n_seeds = N_POINTS // 4
    links = link_seeds(
        [np.arange(4) + 4 * seed for seed in range(n_seeds)],
        cells=cells,
        keys=rng.permutation(N_POINTS).astype(np.uint64),
        documents=(np.arange(n_seeds) // 8).astype(np.int32),
        passages=(np.arange(n_seeds) * 4 // IN_PASSAGE).astype(np.int32),
    )
    log_q = tempered_target(space().log_volumes, counts, tau)
    empty = pa.table({"id": pa.array([], pa.string())})
    return SynthesisContext(
        config=config,
        space=space(),
        order=Order(log_q, config.exposures, np.ones(N_POINTS, bool), config.budget.samples),
        library=Library(seeds=empty, extractions=empty, passages=empty),
        links=links,
        inventory=Inventory(
            [f"Point {k} is known." for k in range(N_POINTS)], points=np.zeros((N_POINTS, 4), np.float32), cells=cells
        ),
        known=KnownQuestions(),
        embed_texts=lambda texts: np.zeros((len(texts), 4), np.float32),
    )


@dataclass(frozen=True)
class Drafter:
    """Uses what it is asked to; each point drifts to any other with some chance; some points never come."""

    links: SeedLinks
    drift: float = 0.25
    barren: frozenset[int] = frozenset()
    verified: float = 0.9

    def draft(self, pick, outlook):
        rng = np.random.default_rng(int(pick.id))
        drafts = [self._write(pick, number, use, rng) for number, use in enumerate(pick.use)]
        yield []  # nobody is asked
        failed = [Refusal("no_draft", ErrorClass.KNOWLEDGE_GAP, pick.id)] * sum(not d.points for d in drafts)
        return DraftedPick([each for each in drafts if each.points], failed)

    def _write(self, pick, number, use, rng):
        points = [int(rng.integers(N_POINTS)) if rng.random() < self.drift else point for point in use]
        points = tuple(dict.fromkeys(point for point in points if point not in self.barren))
        refusal = Refusal("supported", ErrorClass.ANSWER) if rng.random() > self.verified else None
        draft = Draft(f"{pick.id}/{number}", f"What is {pick.id} {number}?", f"{pick.id}{number}", (), (), "", (), ())
        answering = points[0] if points else None
        return Candidate(draft, pick, use=use, refusal=refusal, points=points, answering=answering)


def play(*, steer=True, accept="pace", samples=None, random_seed=3, exposures=1, tau=1.0, window=16, **drafter):
    config = Config(
        source=SourceConfig(kind="pydocs"),
        budget=BudgetConfig(samples=samples),
        exposures=exposures,
        picker="steer" if steer else "scatter",
        synthesize=SynthesizeConfig(accept=accept, window=window),
        random_seed=random_seed,
    )
    context = make_context(config, tau=tau)
    steps = replace(loop_steps(context), draft=Drafter(context.links, **drafter).draft)
    state = LoopState.begin(n_cells=N_CELLS, n_points=N_POINTS)
    parts, loop = [], run_loop(state, steps, PickWindow(None))
    while True:
        try:
            one, state, deficit = next(loop)
            parts.append((one, state, deficit))
        except StopIteration as stop:
            return parts, state, measure_state(state, context), stop.value


def test_both_halves_cover_more_than_either_alone_and_than_none():
    covered = {}
    for steer, accept in ((True, "pace"), (True, "all"), (False, "pace"), (False, "all")):
        parts, state, _, reason = play(steer=steer, accept=accept, samples=800)
        drafts = sum(len(one.candidates) for one, _, _ in parts)
        covered[steer, accept] = state.pool.distinct_among(N_POINTS) / N_POINTS
        assert state.pool.samples == 800
        assert reason == "budget"
        if steer and accept == "pace":
            assert drafts < 1.25 * 800 / 0.9, "drafts that a judge refuses are not the loop's"
    assert covered[True, "pace"] > covered[True, "all"] > covered[False, "all"]
    assert covered[True, "pace"] > covered[False, "pace"]
    assert covered[True, "pace"] >= 0.85
    assert covered[False, "all"] <= 0.75


def test_without_a_cap_the_amount_follows_the_content():
    _, state, deficit, reason = play()
    assert reason == "covered"
    assert state.pool.distinct_among(N_POINTS) >= 0.97 * N_POINTS
    assert deficit.gap.kl <= deficit.gap.floor
    assert state.pool.samples < N_POINTS / 4 * 2
    twice = play(exposures=2)
    assert twice[3] == "covered"
    assert twice[1].pool.samples > 1.4 * state.pool.samples


def test_every_draft_has_a_verdict():
    parts, state, _, _ = play(samples=300)
    for one, _, _ in parts:
        assert len(one.verdicts) == len(one.candidates)
        assert len(one.candidates) + len(one.failed) == sum(len(pick.use) for pick in one.picks)
    accepted = [candidate for one, _, _ in parts for candidate in one.accepted]
    assert state.pool.samples == len(accepted) == 300
    assert state.pool.knowledge_points == sum(len(c.points) for c in accepted)
    assert state.pool.exposures.sum() == state.pool.counts.sum()
    assert state.pool.answered.sum() == 300
    assert state.pool.answered.max() == 1, "no answer is asked for twice"


def test_points_that_never_come_are_named_and_the_rest_is_covered():
    barren = frozenset(range(0, N_POINTS, 10))
    _, state, deficit, reason = play(barren=barren)
    assert reason == "covered" if deficit.reachable else "unreachable"
    named = set(np.flatnonzero(deficit.unreachable).tolist())
    assert barren <= named | set(np.flatnonzero(deficit.missing).tolist())
    assert deficit.unreachable_mass == pytest.approx(len(named) / N_POINTS)
    assert state.pool.distinct_among(N_POINTS) >= 0.97 * (N_POINTS - len(barren))


def test_nothing_works_at_all():
    parts, state, _, reason = play(barren=frozenset(range(N_POINTS)))
    assert state.pool.samples == 0
    assert reason in {"unreachable", "no_gain"}
    assert sum(len(one.picks) for one, _, _ in parts) < 400, "it does not go on paying for nothing"


def test_coverage_rises_with_every_round():
    parts, _, _, _ = play(samples=600)
    distinct = [state.pool.distinct_among(N_POINTS) for _, state, _ in parts]
    assert all(later >= earlier for earlier, later in pairwise(distinct))


@pytest.mark.parametrize(("accept", "slack"), [("pace", 0.2), ("strict", 0.2)])
def test_no_cell_is_filled_beyond_its_quota_by_more_than_the_slack_or_a_draft(accept, slack):
    parts, *_ = play(accept=accept, samples=300, tau=0.0)
    cells = make_context(Config(SourceConfig("pydocs"))).links.cells

    def held(state):
        """Knowledge points of each cell that the pool holds."""
        return np.bincount(cells[np.flatnonzero(state.pool.exposures)], minlength=N_CELLS)

    for (_, before, deficit), (_, after, _) in pairwise(parts):
        quotas = deficit.cells.quotas
        limit = np.floor(np.maximum((1 + slack) * quotas, quotas + POINTS_PER_SAMPLE))
        assert (held(after) <= np.maximum(held(before), limit)).all()


def test_the_same_seed_gives_the_same_pool():
    first, again = play(samples=200), play(samples=200)
    other = play(samples=200, random_seed=4)
    ids = [[c.draft.id for one, _, _ in run[0] for c in one.accepted] for run in (first, again)]
    assert ids[0] == ids[1]
    assert (first[1].pool.exposures == again[1].pool.exposures).all()
    assert (first[1].pool.exposures != other[1].pool.exposures).any()
