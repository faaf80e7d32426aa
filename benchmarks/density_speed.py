"""The density of every point, codebook included, against the fastest neighbour libraries.

    python benchmarks/density_speed.py [--n 1000000] [--dim 64] [--only kdos,pynndescent]

Every contender runs in a process of its own on the same file; compilation happens before the clock
starts. Figures: wall and CPU seconds, Spearman with the true log density, peak memory over the
size of the input array (all of the process, and what came on top of what it held at the start),
load of the machine at the start. kdos and pynndescent run three times: the median by wall time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from density_worlds import topics, write_down
from scipy.stats import spearmanr

K = 10


def kdos(points):
    from kdos.density import fit_space

    _, reference = fit_space(points, embedder="given", dim=None, normalize=False)
    return reference.radius


def kdos_reduced(points):
    from kdos.density import fit_space

    _, reference = fit_space(points, embedder="given", dim=64, normalize=False)
    return reference.radius


def kdos_sampled(points):
    """Thirty-two members of 2,000 cells stand for all: one density a cell."""
    from kdos.chance import keyed_generator
    from kdos.density import Space
    from kdos.density.cells import sampled_cell_log_density
    from kdos.density.codebook import train_codebook
    from kdos.density.fit import fit_reduction
    from kdos.density.space import project_rows

    dim = 64 if points.shape[1] > 64 else None
    mean, components = fit_reduction(points, dim, keyed_generator(0, "reduction"))
    flat = project_rows(points, mean, components, normalize=False)
    book = train_codebook(flat, min(2000, len(points) // 64), rng=keyed_generator(0), normalize=False)
    cells = book.assign_cells(flat)
    space = Space(
        "given", mean, components, False, book.centroids, book.groups, np.zeros(len(book)), 20.0,
        K, 0.0, 0.0,
    )  # fmt: skip
    found = sampled_cell_log_density(flat, cells, space, rng=np.random.default_rng(0))
    return np.exp(-found[cells] / 20)


def pynndescent(points):
    from pynndescent import NNDescent

    return NNDescent(points, n_neighbors=15, random_state=0).neighbor_graph[1][:, K]


def faiss_ivf(points):
    import faiss

    lists = max(64, int(4 * len(points) ** 0.5))
    index = faiss.index_factory(points.shape[1], f"IVF{lists},Flat")
    index.train(points[: 64 * lists])
    index.add(points)
    index.nprobe = 16
    return np.sqrt(np.maximum(index.search(points, K + 1)[0][:, K], 0))


def faiss_hnsw(points):
    import faiss

    index = faiss.IndexHNSWFlat(points.shape[1], 16)
    index.hnsw.efConstruction = 60
    index.add(points)
    index.hnsw.efSearch = 64
    return np.sqrt(np.maximum(index.search(points, K + 1)[0][:, K], 0))


def hnswlib(points):
    import hnswlib

    index = hnswlib.Index("l2", points.shape[1])
    index.init_index(len(points), M=16, ef_construction=60)
    index.add_items(points, num_threads=2)
    index.set_ef(128)
    return np.sqrt(np.sort(index.knn_query(points, K + 1, num_threads=2)[1], 1)[:, K])


def usearch(points):
    from usearch.index import Index

    index = Index(ndim=points.shape[1], metric="l2sq", connectivity=16, expansion_add=60, expansion_search=40)
    index.add(np.arange(len(points)), points, threads=2)
    return np.sqrt(index.search(points, K + 1, threads=2).distances[:, K])


def scann(points):
    import scann

    leaves = int(len(points) ** 0.5)
    index = (
        scann.scann_ops_pybind.builder(points, K + 1, "squared_l2")
        .tree(num_leaves=leaves, num_leaves_to_search=100, training_sample_size=100_000)
        .score_ah(2)
        .reorder(150)
        .build()
    )
    return np.sqrt(np.maximum(index.search_batched_parallel(points)[1][:, K], 0))


def sklearn_balltree(points):
    from sklearn.neighbors import NearestNeighbors

    tree = NearestNeighbors(n_neighbors=K + 1, algorithm="ball_tree", n_jobs=2).fit(points)
    return tree.kneighbors(points)[0][:, K]


CONTENDERS = {
    f.__name__: f
    for f in (
        kdos, kdos_reduced, kdos_sampled, pynndescent, faiss_ivf, faiss_hnsw, hnswlib, usearch,
        scann, sklearn_balltree,
    )
}  # fmt: skip


THREE_TIMES = {"kdos", "kdos_reduced", "kdos_sampled", "pynndescent"}


def memory(what):
    """Bytes that /proc/self/status gives for this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    raise LookupError(what)


def run_one(name, folder):
    run = CONTENDERS[name]
    points = np.load(folder / "points.npy")
    run(np.ascontiguousarray(points[:: max(1, len(points) // 5000)]))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory("VmRSS")
    wall, cpu, load = time.perf_counter(), time.process_time(), os.getloadavg()[0]
    radius = run(points)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = memory("VmHWM")
    probe, truth = np.load(folder / "probe.npy"), np.load(folder / "truth.npy")
    rank = spearmanr(truth, -radius[probe])[0]
    figures = {
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "spearman": round(float(rank), 4),
        "peak_over_input": round(peak / points.nbytes, 2),
        "added_over_input": round((peak - before) / points.nbytes, 2),
        "load": round(load, 2),
    }
    print(json.dumps(figures))


def run_all(n, dim, names, limit):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        world = topics(n, ambient=dim)
        np.save(folder / "points.npy", world.points)
        probe = np.random.default_rng(0).choice(n, min(n, 20_000), replace=False)
        np.save(folder / "probe.npy", probe)
        np.save(folder / "truth.npy", world.truth(probe))
        del world
        rows = {}
        for name in names:
            command = [sys.executable, __file__, "--one", name, "--folder", place]
            try:
                found = []
                for _ in range(3 if name in THREE_TIMES else 1):
                    done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
                    found.append(json.loads(done.stdout.splitlines()[-1]))
                rows[name] = sorted(found, key=lambda one: one["wall_s"])[len(found) // 2]
            except subprocess.TimeoutExpired:
                rows[name] = {"stopped_after_s": limit}
            except IndexError:
                rows[name] = {"failed": done.stderr[-300:]}
            print(name, rows[name], flush=True)
        return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--only", default=",".join(CONTENDERS))
    parser.add_argument("--limit", type=int, default=240)
    parser.add_argument("--one")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.one:
        run_one(args.one, args.folder)
    else:
        rows = run_all(args.n, args.dim, args.only.split(","), args.limit)
        write_down(
            f"density_speed_{args.n}x{args.dim}",
            {"n": args.n, "dim": args.dim, "k": K, "rows": rows},
            "pynndescent", "faiss-cpu", "hnswlib", "usearch", "scann", "scikit-learn",
        )  # fmt: skip
