"""Adding a hundredth to a pool: cost against measuring anew, and how far the numbers differ.

python benchmarks/density_growth.py [--n 1000000]
"""

import argparse
import time

import numpy as np
from density_worlds import mixture, write_down

from kdos.density import cell_log_density, fit_space, grown, neighbourhood, profile


def timed(run):
    wall, cpu = time.perf_counter(), time.process_time()
    found = run()
    return found, time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=1_000_000)
    n = parser.parse_args().n
    points = mixture(n + n // 100, components=n // 256, d=8).points
    small = fit_space(points[:20_000], embedder="given", dim=None, normalize=False)[0]
    grown(neighbourhood(points[:19_000], small), points[19_000:20_000], small)
    (space, reference), fit_wall, fit_cpu = timed(
        lambda: fit_space(points[:n], embedder="given", dim=None, normalize=False)
    )
    old = neighbourhood(points[:n], space)
    new, wall, cpu = timed(lambda: grown(old, points[n:], space))
    anew = neighbourhood(points, space)
    before = profile(old.cells, space)
    after, count_wall, _ = timed(lambda: before + profile(new.cells[n:], space))
    apart = np.abs(new.log_density(space) - anew.log_density(space))
    ignored = np.abs(old.log_density(space) - anew.log_density(space)[:n])
    exact = cell_log_density(profile(anew.cells, space).counts, space)
    figures = {
        "n": n,
        "added": len(points) - n,
        "full": {"wall_s": fit_wall, "cpu_s": fit_cpu},
        "grown": {"wall_s": wall, "cpu_s": cpu},
        "counts": {"wall_s": count_wall},
        "share_of_full_cpu": cpu / fit_cpu,
        "cell_density_off": float(np.abs(cell_log_density(after.counts, space) - exact).max()),
        "points_that_differ": float((apart > 1e-6).mean()),
        "mean_difference_nats": float(apart.mean()),
        "mean_difference_if_ignored_nats": float(ignored.mean()),
    }
    write_down("density_growth", figures)
