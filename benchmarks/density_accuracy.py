"""Density against the truth on known densities: ranks, level, dimension, beside exact k-NN.

    python benchmarks/density_accuracy.py [--n 100000]

Exact k-NN knows the true dimension of every point; kdos does not.
"""

import argparse

import numpy as np
from density_worlds import curved, dimensions, heavy, mixture, write_down
from scipy.stats import spearmanr

from kdos.density import fit_space
from kdos.density.cells import sampled_cell_log_density
from kdos.density.estimator import digamma, log_ball_volume
from kdos.density.neighbours.search import search_all_points

TEN = np.log(10)


def worlds(n):
    cells = max(64, n // 64)
    for d in (8, 16, 24):
        yield f"mixture, K/4 components, d = {d}", mixture(n, components=cells // 4, d=d)
    yield "mixture, 4K components, d = 8", mixture(n, components=4 * cells, d=8)
    yield "pieces of 4, 8 and 16 dimensions", dimensions(n)
    yield "curved sheet, d = 6", curved(n)
    yield "heavy tails, d = 8", heavy(n)


def exact_log_density(world, rows):
    """k-NN over all points with the true dimension of each."""
    radius = search_all_points(world.points[rows], world.points, k=11, ranks=(11,)).distances[:, 0]
    ball = np.array([log_ball_volume(d) for d in range(25)])
    return digamma(10) - ball[world.dims[rows]] - world.dims[rows] * np.log(radius), radius


def cell_means(values, cells):
    names, place = np.unique(cells, return_inverse=True)
    return np.bincount(place, values) / np.bincount(place, minlength=len(names))


def measured(world):
    space, reference = fit_space(world.points, embedder="given", dim=None, normalize=False)
    rng = np.random.default_rng(0)
    probe = rng.choice(len(world.points), 5000, replace=False)
    truth, found = world.truth(probe), reference.log_density[probe]
    exact, radius = exact_log_density(world, probe)
    large = np.flatnonzero(reference.counts >= 12)
    chosen = np.sort(rng.choice(large, 250, replace=False))
    members = np.flatnonzero(np.isin(reference.cells, chosen))
    cells = reference.cells[members]
    cell_truth = cell_means(world.truth(members), cells)
    some = rng.choice(len(members), min(6000, len(members)), replace=False)
    cell_exact = np.full(len(world.points), np.nan)
    cell_exact[members[some]] = exact_log_density(world, members[some])[0]
    few = cell_means(cell_exact[members[some]], cells[some])
    reached = np.isin(np.unique(cells), cells[some])
    sampled = sampled_cell_log_density(reference.points, reference.cells, space, rng=rng)[chosen]
    return {
        "points": spearmanr(truth, found)[0],
        "points_exact": spearmanr(truth, exact)[0],
        "cells": spearmanr(cell_truth, cell_means(reference.log_density[members], cells))[0],
        "cells_sampled": spearmanr(cell_truth, sampled)[0],
        "cells_exact": spearmanr(cell_truth[reached], few)[0],
        "level": (found - truth).mean() / TEN,
        "level_exact": (exact - truth).mean() / TEN,
        "dimension": space.intrinsic_dim,
        "dimension_true": world.dims.mean(),
        "border": np.log(reference.radius[probe] / radius).mean(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=100_000)
    n = parser.parse_args().n
    rows = {}
    for name, world in worlds(n):
        rows[name] = {key: round(float(value), 4) for key, value in measured(world).items()}
        print(name, rows[name], flush=True)
    write_down(f"density_accuracy_{n}", {"n": n, "rows": rows})
