"""Training a codebook and finding every point's cell, beside k-means libraries.

    python benchmarks/density_codebook.py [--n 100000]

Inertia is the mean squared distance of a point to its own centroid, found exactly for all.
"""

import argparse
import time

import numpy as np
from density_worlds import topics, write_down

from kdos.density.codebook import train_codebook
from kdos.density.neighbours.search import search_all_points


def kdos(points, cells):
    book = train_codebook(points, cells, rng=np.random.default_rng(0), normalize=False)
    book.assign_cells(points)
    return book.centroids


def superkmeans(points, cells):
    from superkmeans import SuperKMeans

    model = SuperKMeans(n_clusters=cells, dimensionality=points.shape[1])
    centroids = model.train(points)
    model.assign(points, centroids)
    return np.asarray(centroids)


def faiss(points, cells):
    import faiss

    model = faiss.Kmeans(points.shape[1], cells, niter=10, seed=1)
    model.train(points)
    model.index.search(points, 1)
    return model.centroids


def sklearn_minibatch(points, cells):
    from sklearn.cluster import MiniBatchKMeans

    model = MiniBatchKMeans(cells, batch_size=8192, max_iter=5, n_init=1, random_state=0)
    model.fit(points)
    model.predict(points)
    return model.cluster_centers_.astype(np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=100_000)
    n = parser.parse_args().n
    points, cells = topics(n, ambient=64).points, n // 64
    kdos(points[:70_000], 1100)
    rows = {}
    for run in (kdos, superkmeans, faiss, sklearn_minibatch):
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            centroids = run(points, cells)
        except Exception as error:
            rows[run.__name__] = {"failed": repr(error)[:200]}
            continue
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        inertia = np.square(search_all_points(points, centroids, k=1).distances).mean()
        rows[run.__name__] = {"wall_s": round(wall, 2), "cpu_s": round(cpu, 2), "inertia": round(float(inertia), 4)}
        print(run.__name__, rows[run.__name__], flush=True)
    figures = {"n": n, "cells": cells, "rows": rows}
    write_down("density_codebook", figures, "superkmeans", "faiss-cpu", "scikit-learn")
