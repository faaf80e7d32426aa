"""Adding a hundredth to a pool, three times: cost against measuring anew, and what differs then.

python benchmarks/density_growth.py [--n 1000000]
"""

import argparse
import time

import numpy as np
from density_worlds import mixture, write_down

from kdos.density import Neighbourhood, cell_log_density, fit_space, profile


def timed(run):
    wall, cpu = time.perf_counter(), time.process_time()
    found = run()
    return found, time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=1_000_000)
    n = parser.parse_args().n
    step = n // 100
    points = mixture(n + 3 * step, components=n // 256, d=8).points
    small = fit_space(points[:20_000], embedder="given", dim=None, normalize=False)[0]
    Neighbourhood(points[:19_000], small).add(points[19_000:20_000])
    (space, reference), fit_wall, fit_cpu = timed(
        lambda: fit_space(points[:n], embedder="given", dim=None, normalize=False)
    )
    pool = Neighbourhood(points[:n], space)
    before, old = profile(pool.cells, space), pool.log_density()
    added = [
        timed(lambda at=at: pool.add(points[at : at + step])) for at in range(n, len(points), step)
    ]
    wall, cpu = np.median([took[1:] for took in added], axis=0)
    anew = Neighbourhood(points, space)
    after, count_wall, _ = timed(lambda: before + profile(pool.cells[n:], space))
    apart = np.abs(pool.log_density() - anew.log_density())
    ignored = np.abs(old - anew.log_density()[:n])
    exact = cell_log_density(profile(anew.cells, space).counts, space)
    figures = {
        "n": n,
        "added": [step] * len(added),
        "full": {"wall_s": fit_wall, "cpu_s": fit_cpu},
        "grown": {"wall_s": wall, "cpu_s": cpu, "each_cpu_s": [took[2] for took in added]},
        "counts": {"wall_s": count_wall},
        "share_of_full_cpu": cpu / fit_cpu,
        "cell_density_off": float(np.abs(cell_log_density(after.counts, space) - exact).max()),
        "points_that_differ": float((apart > 1e-6).mean()),
        "mean_difference_nats": float(apart.mean()),
        "mean_difference_if_ignored_nats": float(ignored.mean()),
    }
    write_down("density_growth", figures)
