"""The loop under a drafter whose ground truth is known: what steering and accepting are worth.

    python benchmarks/loop_simulator.py ablation       # all arms and targets, one KP a draft
    python benchmarks/loop_simulator.py ablation_many  # the same with 3 to 5 a draft
    python benchmarks/loop_simulator.py full           # 50,000 knowledge points over 4,096 cells
    python benchmarks/loop_simulator.py unreachable    # a tenth of the cells yields nothing
    python benchmarks/loop_simulator.py concurrency    # rounds of 1, 32 and 1,024 picks

Measuring, picking, accepting and stopping are the product's own steps; only the drafter is
simulated. A call gives one draft; it holds the knowledge points that were asked for, one or 3 to
5, each of which drifts with probability DRIFT to one that is popular; it is sound with the mean
probability of the cells asked for; what is asked of an unreachable cell lands elsewhere. `oracle`
is the fewest calls for which the same pool can be expected by one who knows all this. Writes one
JSON a part to benchmarks/results/.
"""

import argparse
import importlib.metadata
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import orjson
from scipy.optimize import linprog
from scipy.sparse import csr_array, diags_array, hstack, vstack
from scipy.stats import t as student

from kdos.arrays import BoolArray, Float64Array, Int32Array, Int64Array
from kdos.chance import keyed_generator
from kdos.config import BudgetConfig, Config, SourceConfig, SynthesizeConfig
from kdos.pool import Draft, ErrorClass, Refusal
from kdos.sampler import Deficit, Pick, SeedLinks, steer_picks
from kdos.synthesize import LoopState, SynthesisContext, loop_steps, run_rounds
from kdos.synthesize.loop import Candidate, LoopSteps
from kdos.targets import level_target, noise_floor, tempered_target
from kdos.targets.distribution import mean_log_density

DRIFT = 0.25
SOUND = (16.0, 4.0)
"""Parameters of the beta distribution that a cell's probability of a sound draft comes from."""
FAMILY = 8
"""Cells that documents are about together."""
PASSAGE, DOCUMENT = 6, 5
"""Knowledge points of a passage, and passages of a document."""
ARMS = ("blind", "steer only", "accept only", "both", "smallest first", "resampled blind")
TARGETS = ("natural", "sqrt", "uniform", "level")
MOST_CALLS = 8
"""Calls at which an arm is cut off, in the calls of the blind run."""
SECANTS = 8
"""Turns of the secant rule at most; it takes four or five."""
SURPLUS = 10
"""Pools' worth of samples that the blind run for resampling is not to stop before."""
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class World:
    """The ground truth. `popular` holds rows of KPs as often as they are drifted to."""

    links: SeedLinks
    counts: Int64Array
    log_volumes: Float64Array
    sound: Float64Array
    dead: BoolArray
    popular: Int64Array


@dataclass(frozen=True)
class Outcome:
    """How one run ended. `rises` is the most rounds running in which the KL rose."""

    arm: str
    target: str
    points: str
    random_seed: int
    calls: int
    samples: int
    kl: float
    floor: float
    tv: float
    reason: str
    rounds: int
    rises: int
    seconds: float
    oracle: float = float("nan")
    counts: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    unreachable: tuple[int, ...] = ()


@dataclass
class Drafter:
    """Writes what it is asked for, but for drift; counts its calls."""

    world: World
    many: bool
    random_seed: int
    calls: int = 0
    held: list[tuple[int, ...]] = field(default_factory=list)

    def draft(
        self, picks: Sequence[Pick], state: LoopState, _deficit: Deficit
    ) -> tuple[list[Candidate], list[Refusal]]:
        rng = keyed_generator(self.random_seed, "drafter", state.rounds)
        self.calls += len(picks)
        return [self._candidate(pick, rng) for pick in picks], []

    def _candidate(self, pick: Pick, rng: np.random.Generator) -> Candidate:
        world, near = self.world, self.world.links.points_in_cell[pick.cell]
        size = int(rng.integers(3, 6)) if self.many else 1
        asked = list(pick.use[:size])
        asked += [int(near[i]) for i in rng.integers(0, len(near), size - len(asked))]
        cells = world.links.cells[asked]
        drifts = (rng.random(size) < DRIFT) | world.dead[cells]
        away = world.popular[rng.integers(0, len(world.popular), size)]
        points = tuple(np.where(drifts, away, asked).tolist())
        refusal = None
        if rng.random() >= world.sound[cells].mean():
            refusal = Refusal("unsound", ErrorClass.ANSWER)
        else:
            self.held.append(points)
        draft = Draft(pick.id, "", "", (), (), "", (), ())
        return Candidate(draft, pick, refusal=refusal, points=points)


class NoQuestions:
    """Knows no question: two drafts are never the same here."""

    def find_match(self, *_question: Any) -> None:
        return None

    def add_question(self, *_question: Any, **_name: Any) -> None:
        return None


def make_world(n_cells: int, *, random_seed: int, many: bool, unreachable: float = 0.0) -> World:
    """Cells of Zipf popularity and lognormal volume, ten knowledge points a cell."""
    rng = np.random.default_rng(random_seed)
    popularity = (rng.permutation(n_cells) + 1.0) ** -0.9
    n_points = 10 * n_cells
    drawn = rng.choice(n_cells, n_points - n_cells, p=popularity / popularity.sum())
    cells = np.concatenate([np.arange(n_cells), drawn])
    cells = cells[np.lexsort((rng.random(n_points), cells // FAMILY))].astype(np.int32)
    passages = (np.arange(n_points) // (PASSAGE if many else 1)).astype(np.int32)
    documents = (passages // (DOCUMENT if many else 1)).astype(np.int32)
    alone = [np.array([point]) for point in range(n_points)]
    dead = rng.random(n_cells) < unreachable
    links = SeedLinks(
        cells=cells,
        documents=documents,
        passages=passages,
        points_of_seed=alone,
        seeds_of_point=alone,
        points_in_cell=grouped(cells, n_cells),
        points_in_passage=grouped(passages, int(passages.max()) + 1),
        seeds_in_document=grouped(documents, int(documents.max()) + 1),
    )
    return World(
        links=links,
        counts=np.bincount(cells, minlength=n_cells),
        log_volumes=rng.normal(size=n_cells),
        sound=rng.beta(*SOUND, n_cells),
        dead=dead,
        popular=np.flatnonzero(~dead[cells]),
    )


def grouped(keys: Int32Array, n_keys: int) -> list[Int64Array]:
    order = np.argsort(keys, kind="stable")
    return np.split(order, np.searchsorted(keys[order], np.arange(1, n_keys)))


def target_of(world: World, name: str, *, budget: int) -> Float64Array:
    """log q of a named target; `level` is the level that tau = 1/4 has, found by bisection."""
    tau = {"natural": 1.0, "sqrt": 0.5, "uniform": 0.0}.get(name)
    if tau is not None:
        return tempered_target(world.log_volumes, world.counts, tau)
    quarter = tempered_target(world.log_volumes, world.counts, 0.25)
    level = mean_log_density(quarter, world.log_volumes, budget=budget)
    return level_target(world.log_volumes, world.counts, level, budget=budget)


def play(
    world: World, arm: str, target: str, *, samples: int, random_seed: int, many: bool,
    most_calls: int, picks: int | None = None,
) -> Outcome:  # fmt: skip
    """One run of the product's loop, until it stops by itself or has had `most_calls`."""
    log_q = target_of(world, target, budget=samples * (4 if many else 1))
    settings = SynthesizeConfig(
        accept="pace" if arm in ("both", "accept only") else "all", drafts_per_call=1, picks_per_round=picks
    )
    context = SynthesisContext(
        config=Config(
            source=SourceConfig("pydocs"),
            picker="steer" if arm in ("both", "steer only") else "scatter",
            budget=BudgetConfig(samples=samples),
            synthesize=settings,
            random_seed=random_seed,
        ),
        log_q=log_q,
        links=world.links,
        inventory=cast(Any, SimpleNamespace(cells=world.links.cells)),
        known=cast(Any, NoQuestions()),
        **cast(Any, dict.fromkeys(("space", "library", "ask", "embed_texts"))),
    )
    drafter = Drafter(world, many, random_seed)
    steps = replace(loop_steps(context), draft=drafter.draft)
    if arm == "smallest first":
        steps = replace(steps, steer=smallest_first(steps, world, random_seed))
    begin = time.process_time()
    state, deficit, reason, gaps = run(steps, world, drafter, most_calls)
    result = Outcome(
        arm, target, "3-5" if many else "1", random_seed, drafter.calls, state.pool.samples,
        kl=deficit.gap.kl, floor=deficit.gap.floor, tv=deficit.gap.tv, reason=reason, rounds=state.rounds,
        rises=longest_rise(gaps), seconds=time.process_time() - begin, counts=state.pool.counts,
        unreachable=tuple(np.flatnonzero(deficit.unreachable).tolist()),
    )  # fmt: skip
    if arm == "resampled blind":
        return resampled(result, drafter.held, world, log_q, samples // SURPLUS)
    if arm != "both":
        return result
    fewest = oracle(world, state.pool.counts, samples, random_seed=random_seed, many=many)
    return replace(result, oracle=fewest)


def run(
    steps: LoopSteps, world: World, drafter: Drafter, most_calls: int
) -> tuple[LoopState, Deficit, str, list[float]]:
    state = LoopState.begin(n_cells=len(world.counts), n_points=len(world.links.cells))
    deficit, gaps = steps.measure(state), list[float]()
    turns = run_rounds(state, steps)
    while drafter.calls < most_calls:
        try:
            _, state, deficit = next(turns)
        except StopIteration as stop:
            return state, deficit, stop.value, gaps
        gaps.append(deficit.gap.kl)
    return state, deficit, "cut off", gaps


def longest_rise(gaps: Sequence[float]) -> int:
    longest = now = 0
    for before, after in pairwise(gaps):
        now = now + 1 if after > before else 0
        longest = max(longest, now)
    return longest


def smallest_first(steps: LoopSteps, world: World, random_seed: int) -> Callable[[LoopState, Deficit], list[Pick]]:
    """Fill the emptiest cells up to a common height, whatever the target says."""

    def pick(state: LoopState, deficit: Deficit) -> list[Pick]:
        size, counts = len(steps.steer(state, deficit)), state.pool.counts
        low, high = 0, int(counts.max()) + size
        while low < high:
            middle = (low + high) // 2
            enough = np.maximum(middle - counts, 0).sum() >= size
            low, high = (low, middle) if enough else (middle + 1, high)
        return steer_picks(
            low - counts, state.yields, world.links, exposures=state.pool.exposures, picks=size,
            drafts=1, random_seed=random_seed, round_number=state.rounds + 1,
        )  # fmt: skip

    return pick


def resampled(
    result: Outcome, held: Sequence[tuple[int, ...]], world: World, log_q: Float64Array, samples: int
) -> Outcome:
    """DSIR's rule on a blind pool: keep by importance, log q - log p, with Gumbel noise."""
    cells = [world.links.cells[list(points)] for points in held]
    blind = np.bincount(np.concatenate(cells), minlength=len(log_q)) + 0.5
    weight = log_q - np.log(blind / blind.sum())
    rng = keyed_generator(result.random_seed, "gumbel")
    score = np.array([weight[c].sum() for c in cells]) + rng.gumbel(size=len(cells))
    kept = np.argsort(-score)[:samples]
    counts = np.bincount(np.concatenate([cells[i] for i in kept]), minlength=len(log_q))
    share = counts / counts.sum()
    some = share > 0
    return replace(
        result,
        samples=len(kept),
        kl=float((share[some] * (np.log(share[some]) - log_q[some])).sum()),
        floor=noise_floor(log_q, int(counts.sum())),
        tv=float(0.5 * np.abs(share - np.exp(log_q)).sum()),
        reason="resampled",
    )


def oracle(world: World, counts: Int64Array, samples: int, *, random_seed: int, many: bool) -> float:
    """The fewest calls for this very pool, by one who knows all rates (docs/simulator.md)."""
    popular = np.bincount(world.links.cells[world.popular], minlength=len(counts))
    pi = popular / popular.sum()
    if many:
        return oracle_many(world, counts, samples, pi, random_seed=random_seed)
    return oracle_one(world, counts, pi)


def oracle_one(world: World, counts: Int64Array, pi: Float64Array) -> float:
    """One knowledge point a draft: a linear program in the calls to each cell.

    a_c (1 - d) s_c + d pi_c S >= n_c with S = sum a_c s_c the sound drafts; least sum a_c.
    """
    cost = np.append(np.ones(len(counts)), 0.0)
    arrive = np.where(world.dead, 0.0, (1 - DRIFT) * world.sound)
    lost = np.where(world.dead, 1.0, DRIFT)
    column = csr_array((-DRIFT * pi)[:, None])
    fills = hstack([diags_array(-arrive), column])
    drifted = csr_array(np.append(-world.sound * lost / DRIFT, 1.0)[None, :])
    found = linprog(cost, vstack([fills, drifted]).tocsr(), np.append(-counts, 0.0))
    return float(found.fun)


def oracle_many(world: World, counts: Int64Array, samples: int, pi: Float64Array, *, random_seed: int) -> float:
    """3 to 5 a draft, kept or refused as a whole: a bound from below, in hindsight.

    It sees where all points of t drafts have drifted before it says which to keep, may keep
    fractions, and asks in each draft for whatever is still wanted. The least t of which it keeps
    enough is found by the secant rule.
    """
    most = 4 * samples
    rng = keyed_generator(random_seed, "oracle")
    size = rng.integers(3, 6, most)
    draft = np.repeat(np.arange(most), size)
    draft = draft[rng.random(len(draft)) < DRIFT]
    drifted = csr_array(
        (np.ones(len(draft)), (rng.choice(len(pi), len(draft), p=pi), draft)), shape=(len(pi), most)
    ).tocsc()

    def kept(t: int) -> float:
        limits = vstack([drifted[:, :t], csr_array(size[None, :t].astype(float))])
        room = np.append(counts, counts.sum())
        return -float(linprog(-np.ones(t), limits, room, bounds=(0, 1), method="highs-ipm").fun)

    low, high = samples, 2 * samples
    for _ in range(SECANTS):
        kept_low, kept_high = kept(low), kept(high)
        slope = (kept_high - kept_low) / (high - low)
        low, high = high, min(max(round(high + (samples - kept_high) / slope), samples), most)
        if abs(high - low) < 0.002 * samples:
            break
    return high / float((counts / counts.sum() * world.sound).sum())


def table(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Means and half-widths of 95 % intervals (Student's t) over random seeds, an arm and target
    a row."""
    rows: list[dict[str, Any]] = []
    keys = dict.fromkeys((o.points, o.target, o.arm) for o in outcomes)
    blind = {(o.points, o.target, o.random_seed): o.calls for o in outcomes if o.arm == "blind"}
    for key in keys:
        held = [o for o in outcomes if (o.points, o.target, o.arm) == key]
        rates = {
            "calls": [o.calls for o in held],
            "kl": [o.kl for o in held],
            "kl_over_floor": [o.kl / o.floor for o in held],
            "tv": [o.tv for o in held],
            "calls_over_blind": [o.calls / blind.get((o.points, o.target, o.random_seed), np.nan) for o in held],
            "calls_over_oracle": [o.calls / o.oracle for o in held],
            "rises": [o.rises for o in held],
        }
        means = {name: float(np.mean(values)) for name, values in rates.items()}
        width = {
            f"{name}_ci": float(student.ppf(0.975, len(held) - 1) * np.std(values, ddof=1) / len(held) ** 0.5)
            for name, values in rates.items()
            if len(held) > 1
        }
        reasons = dict.fromkeys(o.reason for o in held)
        rows.append(
            {"points": key[0], "target": key[1], "arm": key[2], "runs": len(held), **means,
             **width, "reasons": list(reasons)}
        )  # fmt: skip
    return rows


def contest(
    *, n_cells: int, samples: int, seeds: int, arms: Sequence[str], targets: Sequence[str],
    many: bool,
) -> list[Outcome]:  # fmt: skip
    """Every arm on every target, each with the same worlds; blind first, for it sets the limits."""
    found: list[Outcome] = []
    for random_seed in range(seeds):
        world = make_world(n_cells, random_seed=random_seed, many=many)
        for target in targets:
            calls: dict[str, int] = {}
            for arm in arms:
                most = MOST_CALLS * calls.get("blind", samples * 2)
                wanted = samples
                if arm == "resampled blind":
                    most, wanted = calls["both"], SURPLUS * samples
                outcome = play(
                    world, arm, target, samples=wanted, random_seed=random_seed, many=many,
                    most_calls=most, picks=samples // 100 if arm == "resampled blind" else None,
                )  # fmt: skip
                calls[arm] = outcome.calls
                found.append(outcome)
                show(outcome)
    return found


def show(o: Outcome) -> None:
    print(
        f"{o.points:>3} KPs {o.target:8} {o.arm:16} seed {o.random_seed}: {o.calls:8,} calls  "
        f"KL {o.kl:.4f} ({o.kl / o.floor:.2f} floors)  TV {o.tv:.3f}  oracle {o.oracle:9,.0f}  "
        f"{o.reason}, {o.rounds} rounds, {o.seconds:.0f} s",
        flush=True,
    )


def ablation(seeds: int) -> dict[str, Any]:
    """All arms at 512 cells and 6,250 knowledge points: as many to a cell as in `full`."""
    found = contest(n_cells=512, samples=6250, seeds=seeds, arms=ARMS, targets=TARGETS, many=False)
    return {"rows": table(found)}


def ablation_many(seeds: int) -> dict[str, Any]:
    """The same with 3 to 5 knowledge points a draft."""
    found = contest(n_cells=512, samples=1562, seeds=seeds, arms=ARMS, targets=TARGETS, many=True)
    return {"rows": table(found)}


def full(seeds: int) -> dict[str, Any]:
    """The headline: 50,000 knowledge points, 4,096 cells, blind against both."""
    found: list[Outcome] = []
    for many, samples in ((False, 50_000), (True, 12_500)):
        found += contest(
            n_cells=4096, samples=samples, seeds=seeds, arms=("blind", "both"),
            targets=("sqrt", "uniform"), many=many,
        )  # fmt: skip
    return {"rows": table(found)}


def unreachable(seeds: int) -> dict[str, Any]:
    """Which of the dead cells are named, which living ones wrongly, and what the rest is like."""
    rows: list[dict[str, Any]] = []
    for random_seed in range(seeds):
        world = make_world(1024, random_seed=random_seed, many=False, unreachable=0.1)
        outcome = play(
            world, "both", "uniform", samples=12_500, random_seed=random_seed, many=False,
            most_calls=200_000,
        )  # fmt: skip
        show(outcome)
        log_q = target_of(world, "uniform", budget=12_500)
        named = np.isin(np.arange(1024), outcome.unreachable)
        rows.append(
            {
                "random_seed": random_seed,
                "calls": outcome.calls,
                "samples": outcome.samples,
                "reason": outcome.reason,
                "kl_over_floor_of_the_rest": outcome.kl / outcome.floor,
                "dead": int(world.dead.sum()),
                "dead_mass": float(np.exp(log_q[world.dead]).sum()),
                "dead_named": int((named & world.dead).sum()),
                "dead_mass_named": float(np.exp(log_q[named & world.dead]).sum()),
                "living_named": int((named & ~world.dead).sum()),
                "calls_over_oracle": outcome.calls / outcome.oracle,
            }
        )
    return {"rows": rows}


def concurrency(seeds: int) -> dict[str, Any]:
    """The same run in rounds of 1, 32 and 1,024 picks."""
    rows: list[dict[str, Any]] = []
    for random_seed in range(seeds):
        world = make_world(128, random_seed=random_seed, many=False)
        for picks in (1, 32, 1024):
            outcome = play(
                world, "both", "uniform", samples=6000, random_seed=random_seed, many=False,
                most_calls=50_000, picks=picks,
            )  # fmt: skip
            show(outcome)
            rows.append({"random_seed": random_seed, "picks_in_flight": picks} | brief(outcome))
    return {"rows": rows}


def brief(outcome: Outcome) -> dict[str, Any]:
    kept = ("calls", "samples", "kl", "floor", "tv", "reason", "rounds")
    return {name: value for name, value in asdict(outcome).items() if name in kept}


PARTS = {
    "ablation": (ablation, 5),
    "ablation_many": (ablation_many, 5),
    "full": (full, 5),
    "unreachable": (unreachable, 5),
    "concurrency": (concurrency, 5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--seeds", type=int)
    args = parser.parse_args()
    measure, seeds = PARTS[args.part]
    begin = time.perf_counter()
    found = measure(args.seeds or seeds)
    result = {
        "command": f"python benchmarks/loop_simulator.py {args.part}",
        "seeds": args.seeds or seeds,
        "seconds": time.perf_counter() - begin,
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("kdos", "numpy", "scipy")},
        },
        **found,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"loop_{args.part}.json"
    path.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    print(orjson.dumps(result).decode())


if __name__ == "__main__":
    main()
