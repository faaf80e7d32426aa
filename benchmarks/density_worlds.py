"""Points drawn from densities that are known exactly, and what a benchmark writes down."""

import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, logsumexp

AMBIENT = 64


class World(NamedTuple):
    """`points` shape (n, dim); `truth(rows)` is the log density there (nats, points per unit of
    volume of the piece that they lie on), `dims` shape (n,) the dimension of that piece."""

    points: np.ndarray
    truth: Callable[[np.ndarray], np.ndarray]
    dims: np.ndarray


def frame(rng, d, ambient=AMBIENT):
    """Orthonormal directions, shape (d, ambient)."""
    return np.linalg.qr(rng.standard_normal((ambient, d)))[0].T


def mixture(n, *, components, d, seed=3):
    """A Gaussian mixture in d dimensions with Zipf weights and widths of log-normal scale 0.35."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((components, d)) * 4
    widths = np.exp(0.35 * rng.standard_normal(components))
    weights = 1 / np.arange(1, components + 1)
    weights /= weights.sum()
    which = rng.choice(components, n, p=weights)
    flat = centres[which] + widths[which, None] * rng.standard_normal((n, d))

    def truth(rows):
        parts = np.array_split(rows, max(1, len(rows) * components // 10**7))
        found = [mixture_density(flat[part], centres, widths, weights) for part in parts]
        return np.concatenate(found) + np.log(n)

    return World((flat @ frame(rng, d)).astype(np.float32), truth, np.full(n, d))


def mixture_density(flat, centres, widths, weights):
    d = flat.shape[1]
    square = np.square(flat).sum(1)[:, None] + np.square(centres).sum(1) - 2 * flat @ centres.T
    each = np.log(weights) - d / 2 * np.log(2 * np.pi) - d * np.log(widths) - square / widths**2 / 2
    return logsumexp(each, axis=1)


def dimensions(n, *, seed=3):
    """Sixty Gaussian pieces of 4, 8 and 16 dimensions, each on a flat of its own."""
    rng = np.random.default_rng(seed)
    pieces = 60
    which = rng.integers(0, pieces, n)
    points, log_density = np.empty((n, AMBIENT), np.float32), np.empty(n)
    dims = np.array([4, 8, 16])[which % 3]
    for piece in range(pieces):
        rows, d = np.flatnonzero(which == piece), (4, 8, 16)[piece % 3]
        flat, width = rng.standard_normal((len(rows), d)), np.exp(0.35 * rng.standard_normal())
        points[rows] = width * flat @ frame(rng, d) + rng.standard_normal(AMBIENT) * 4
        normal = d / 2 * np.log(2 * np.pi) + d * np.log(width) + np.log(pieces)
        log_density[rows] = -np.square(flat).sum(1) / 2 - normal
    return World(points, lambda rows: log_density[rows] + np.log(n), dims)


def curved(n, *, d=6, seed=3):
    """A mixture on a curved 6-dimensional sheet: x = uA + sin(uB)C, its Jacobian known."""
    rng = np.random.default_rng(seed)
    centres, width = rng.standard_normal((40, d)) * 1.5, 0.4
    flat = centres[rng.integers(0, 40, n)] + width * rng.standard_normal((n, d))
    a, b = frame(rng, d), rng.standard_normal((d, AMBIENT)) * 0.8
    c = rng.standard_normal((AMBIENT, AMBIENT)) / 8 * 0.35

    def truth(rows):
        here = flat[rows]
        slope = a[None] + np.einsum("dk,nk,ke->nde", b, np.cos(here @ b), c)
        stretch = np.linalg.slogdet(slope @ slope.transpose(0, 2, 1))[1] / 2
        even = np.full(40, width), np.full(40, 1 / 40)
        return mixture_density(here, centres, *even) - stretch + np.log(n)

    return World((flat @ a + np.sin(flat @ b) @ c).astype(np.float32), truth, np.full(n, d))


def heavy(n, *, d=8, freedom=3, seed=3):
    """Student's t with 3 degrees of freedom in 8 dimensions."""
    rng = np.random.default_rng(seed)
    flat = rng.standard_normal((n, d)) / np.sqrt(rng.chisquare(freedom, n) / freedom)[:, None]
    normal = gammaln((freedom + d) / 2) - gammaln(freedom / 2) - d / 2 * np.log(freedom * np.pi)

    def truth(rows):
        far = np.log1p(np.square(flat[rows]).sum(1) / freedom)
        return normal - (freedom + d) / 2 * far + np.log(n)

    return World((flat @ frame(rng, d)).astype(np.float32), truth, np.full(n, d))


def topics(n, *, ambient, seed=3):
    """Forty topics on 24 directions each, 2,000 Zipf clusters in all: as embeddings are."""
    rng = np.random.default_rng(seed)
    d, per_topic = 24, 50
    weights = 1 / np.arange(1, 2001)
    weights /= weights.sum()
    which = rng.choice(2000, n, p=weights)
    points, log_density = np.empty((n, ambient), np.float32), np.empty(n)
    for topic in range(40):
        centres = rng.standard_normal((per_topic, d))
        widths = np.exp(0.35 * rng.standard_normal(per_topic)) * 0.25
        at, turn = rng.standard_normal(ambient), frame(rng, d, ambient)
        rows = np.flatnonzero(which % 40 == topic)
        place = which[rows] // 40
        flat = centres[place] + widths[place, None] * rng.standard_normal((len(rows), d))
        points[rows] = flat @ turn + at
        log_density[rows] = mixture_density(flat, centres, widths, weights[topic::40])
    return World(points, lambda rows: log_density[rows] + np.log(n), np.full(n, d))


def write_down(name, figures, *packages):
    """Keep the figures with the versions that made them; print them too."""
    made_by = {"python": platform.python_version(), "machine": platform.processor()}
    for package in ("numpy", "numba", "scipy", *packages):
        try:
            made_by[package] = version(package)
        except PackageNotFoundError:
            made_by[package] = "absent"
    record = {"benchmark": name, "when": time.strftime("%Y-%m-%d"), "versions": made_by} | figures
    path = Path(__file__).parent / "results" / f"{name}.json"
    path.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record))
