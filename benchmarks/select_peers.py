"""Selecting 10^5 of 10^6 rows over 4,000 cells: distance to the target and time, beside peers.

python benchmarks/select_peers.py
"""

import time

import numpy as np
from density_worlds import write_down

from kdos.density import Space
from kdos.select import Candidates
from kdos.targets import measure_gap, read_target

N, CELLS, BUDGET = 1_000_000, 4000, 100_000


def world():
    rng = np.random.default_rng(0)
    share = 1 / np.arange(1, CELLS + 1) ** 0.8
    cells = rng.choice(CELLS, N, p=share / share.sum()).astype(np.int32)
    volumes = rng.standard_normal(CELLS) * 1.5
    points = rng.standard_normal((CELLS, 8)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    none = np.zeros(0, np.float32)
    space = Space(
        "given", none, none.reshape(0, 0), False, points, np.array([0, CELLS]), volumes, 8.0, 10,
        0.0, 1.0,
    )  # fmt: skip
    counts = np.bincount(cells, minlength=CELLS)
    return Candidates(space, np.arange(N), cells, counts)


def timed(run, times=3):
    wall, cpu = [], []
    for _ in range(times):
        start, used = time.perf_counter(), time.process_time()
        found = run()
        wall.append(round(time.perf_counter() - start, 3))
        cpu.append(round(time.process_time() - used, 3))
    return found, {"wall_s": sorted(wall)[times // 2], "cpu_s": sorted(cpu)[times // 2]}


def gumbel(pool, log_weight):
    """DSIR's rule: the largest of log weight plus Gumbel noise."""
    noise = np.random.default_rng(1).gumbel(size=N)
    return np.argpartition(-(log_weight[pool.cells] + noise), BUDGET)[:BUDGET]


def choice(pool, log_weight):
    """NumPy's weighted draw without replacement."""
    p = np.exp(log_weight[pool.cells] - log_weight.max())
    return np.random.default_rng(1).choice(N, BUDGET, replace=False, p=p / p.sum())


def poisson(pool, log_weight):
    """Independent acceptance with the expected count right."""
    p = np.exp(log_weight[pool.cells] - log_weight.max())
    rng = np.random.default_rng(1)
    return np.flatnonzero(rng.random(N) < np.minimum(1, p * BUDGET / p.sum()))


def smallest_first(pool, _):
    """Fill the smallest cells first, as loops over cluster counts do."""
    counts = np.bincount(pool.cells, minlength=CELLS)
    return np.argsort(counts[pool.cells], kind="stable")[:BUDGET]


def uniform(_, __):
    """No steering at all."""
    return np.random.default_rng(1).choice(N, BUDGET, replace=False)


def compared(pool, counts, target):
    log_q = read_target(target, log_volumes=pool.space.log_volumes, counts=counts, budget=BUDGET)
    log_weight = log_q - np.log(np.maximum(counts, 1))
    found, spent = timed(lambda: pool.choose(BUDGET, target))
    rows = {f"{target}: kdos": {"kl": found.kl, "tv": found.tv, "rows": BUDGET} | spent}
    rows[f"{target}: optimum"] = {"kl": found.kl_optimum}
    for name, peer in PEERS.items():
        taken, spent = timed(lambda peer=peer: peer(pool, log_weight))
        held = np.bincount(pool.cells[taken], minlength=CELLS)
        gap = measure_gap(held, log_q)
        rows[f"{target}: {name}"] = {"kl": gap.kl, "tv": gap.tv, "rows": len(taken)} | spent
    return rows


PEERS = {
    "Gumbel top-k (DSIR)": gumbel,
    "numpy choice": choice,
    "Poisson": poisson,
    "smallest cells first": smallest_first,
    "unsteered": uniform,
}

if __name__ == "__main__":
    pool = world()
    counts = np.bincount(pool.cells, minlength=CELLS)
    rows = {}
    for target in ("uniform", "sqrt"):
        rows |= compared(pool, counts, target)
    write_down("select_peers", {"n": N, "cells": CELLS, "budget": BUDGET, "rows": rows})
