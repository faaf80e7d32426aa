"""Paths on graphs of knowledge points: how near to the target, how much covered, how fast.

    python benchmarks/graph_walks.py [--graphs zipf,real] [--paths 200000] [--data DATA]

Walks on a synthetic Zipf graph and on the real ones of graph_data.py, ours against the plain
co-occurrence walk, independent draws and, where they are installed, networkx, igraph and PecanPy,
all in one run. PecanPy wants an older NumPy: give the peers an environment of their own. Peers that
are slow are stopped after SECONDS; their TV is that of the paths they made. The time of our walks
and of the plain walk is the median of three. Writes one JSON with versions, and prints it.
"""

import argparse
import importlib.metadata
import os
import platform
import random
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np
import orjson
from graph_data import real_graphs, zipf_graph
from scipy.sparse import csr_array, diags_array

from kdos.graph import (
    PLAIN_WALK,
    Incidence,
    WalkRules,
    build_transitions,
    measure_structure,
    popularity_target,
    quota_target,
    sample_paths,
)

LENGTH = 4
SECONDS = 6.0
RULES = {
    "kdos": WalkRules(),
    "kdos, one attempt": WalkRules(attempts=1),
    "kdos, alpha 2, 8 candidates": WalkRules(alpha=2.0, candidates=8),
    "kdos, one candidate (starts alone)": WalkRules(candidates=1, attempts=1),
}
PEERS = ("networkx", "igraph", "pecanpy")
RESULT = Path(__file__).parent / "results" / "graph_walks.json"


@dataclass(frozen=True)
class Row:
    """One walker on one graph; times in seconds, shares in [0, 1]."""

    graph: str
    walker: str
    paths: int
    seconds: float
    cpu_seconds: float
    paths_per_second: float
    paths_per_cpu_second: float
    build_seconds: float
    tv: float
    coverage: float
    mean_length: float
    lone_share: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graphs", default="zipf,real")
    parser.add_argument("--paths", type=int, default=200_000)
    parser.add_argument("--data", type=Path, help="the folder of the real graphs' data sets")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    rows: list[Row] = []
    about: dict[str, Any] = {}
    for name, graph in graphs(args.graphs.split(","), args.data):
        about[name] = asdict(measure_structure(graph))
        for row in measured(name, graph, args.paths):
            rows.append(row)
            print(f"{row.graph:11} {row.walker:36} {row.paths_per_second:12,.0f} paths/s  "
                  f"TV {row.tv:.3f}  coverage {row.coverage:.3f}", flush=True)  # fmt: skip
    extra = {"disciplines": disciplines(args.paths)} if "zipf" in args.graphs else {}
    result = {**setting(), "graphs": about, "rows": [asdict(row) for row in rows], **extra}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    print(orjson.dumps(result).decode())


def graphs(kinds: list[str], data: Path | None) -> Iterator[tuple[str, Incidence]]:
    if "zipf" in kinds:
        yield "zipf", zipf_graph()[0]
    if "real" in kinds:
        yield from real_graphs(data).items()


def measured(name: str, graph: Incidence, count: int) -> Iterator[Row]:
    """Every walker on one graph."""
    target = popularity_target(graph.popularity)
    popular = popularity_target(graph.popularity, beta=1.0)
    build, way = timed(lambda: build_transitions(graph))
    row = partial(as_row, name, target=target)

    def ours(target: np.ndarray, rules: WalkRules) -> np.ndarray:
        return sample_paths(way, target, count=count, length=LENGTH, random_seed=1, rules=rules).kps

    sample_paths(way, target, count=10, length=LENGTH, random_seed=1)
    most = numba.get_num_threads()
    for threads in sorted({1, most}):
        numba.set_num_threads(threads)
        yield row(f"kdos, {threads} threads", *median(lambda: ours(target, RULES["kdos"])), build)
    for label, rules in list(RULES.items())[1:]:
        yield row(label, *once(lambda rules=rules: ours(target, rules)), build)
    yield row("plain walk (ours)", *median(lambda: ours(popular, PLAIN_WALK)), build)
    rng = np.random.default_rng(1)
    draws = partial(rng.choice, graph.n_kps, (count, LENGTH), p=target)
    yield row("independent draws, no links", *once(draws), 0.0)
    for peer in PEERS:
        try:
            importlib.metadata.version(peer)
        except importlib.metadata.PackageNotFoundError:
            continue
        yield from PEER_WALKS[peer](graph, count, row)


def co_occurrence(graph: Incidence) -> csr_array:
    """The KP-KP graph that peers walk on: weight sum over samples of 1 / (size - 1)."""
    sizes = graph.sizes
    held = csr_array(
        (np.ones(len(graph.sample_kps)), graph.sample_kps, graph.sample_starts), shape=(graph.n_samples, graph.n_kps)
    )
    weight = np.divide(1.0, sizes - 1.0, out=np.zeros(len(sizes)), where=sizes > 1)
    links = csr_array(held.T @ diags_array(weight) @ held)
    links.setdiag(0)
    links.eliminate_zeros()
    return links


def walk_networkx(graph: Incidence, count: int, row: Callable[..., Row]) -> Iterator[Row]:
    """A Python loop over networkx neighbours; on a graph of over a million links it is left out."""
    import networkx

    links = co_occurrence(graph)
    if links.nnz > 1_000_000:
        return
    build, net = timed(lambda: networkx.from_scipy_sparse_array(links))
    starts = popular_starts(graph, count)
    rng = np.random.default_rng(1)

    def path(start: int) -> list[int]:
        kps = [start]
        while len(kps) < LENGTH and len(net[kps[-1]]):
            near = net[kps[-1]]
            rising = np.cumsum([edge["weight"] for edge in near.values()])
            kps.append(list(near)[int(np.searchsorted(rising, rng.random() * rising[-1]))])
        return kps

    yield row("networkx, Python loop", *for_a_while(path, starts), build)


def walk_igraph(graph: Incidence, count: int, row: Callable[..., Row]) -> Iterator[Row]:
    """igraph's random_walk, by weight."""
    import igraph

    links = co_occurrence(graph).tocoo()
    upper = links.row < links.col
    edges = np.column_stack([links.row[upper], links.col[upper]])
    build, net = timed(lambda: igraph.Graph(n=graph.n_kps, edges=edges))
    weights = links.data[upper].tolist()
    igraph.set_random_number_generator(random.Random(1))
    starts = popular_starts(graph, count)
    for label, given in (("igraph random_walk, weighted", weights), ("igraph random_walk", None)):

        def path(start: int, given: list[float] | None = given) -> list[int]:
            return net.random_walk(start, LENGTH - 1, weights=given, stuck="return")

        yield row(label, *for_a_while(path, starts), build)


def walk_pecanpy(graph: Incidence, count: int, row: Callable[..., Row]) -> Iterator[Row]:
    """PecanPy's static first-order walks by alias tables; it starts from every KP alike."""
    from pecanpy.pecanpy import PreCompFirstOrder

    links = co_occurrence(graph)
    net = PreCompFirstOrder(p=1, q=1, workers=numba.get_num_threads(), random_state=1)
    net.data, net.indices = links.data.astype(np.float32), links.indices.astype(np.uint32)
    net.indptr = links.indptr.astype(np.uint32)
    net.set_node_ids([str(kp) for kp in range(graph.n_kps)])
    build, _ = timed(net.preprocess_transition_probs)
    turns = max(1, round(count / graph.n_kps))
    net.simulate_walks(1, LENGTH - 1)

    def walks() -> np.ndarray:
        found = net.simulate_walks(turns, LENGTH - 1)
        return padded([[int(kp) for kp in path] for path in found])

    yield row("PecanPy, static first order", *once(walks), build)


PEER_WALKS = {"networkx": walk_networkx, "igraph": walk_igraph, "pecanpy": walk_pecanpy}


def popular_starts(graph: Incidence, count: int) -> list[int]:
    share = graph.popularity / graph.popularity.sum()
    return np.random.default_rng(2).choice(graph.n_kps, count, p=share).tolist()


def for_a_while(path: Callable[[int], list[int]], starts: list[int]) -> tuple[float, float, np.ndarray]:
    """Paths one by one, until the starts or the time are used up."""
    begin, cpu = time.perf_counter(), time.process_time()
    found: list[list[int]] = []
    for start in starts:
        found.append(path(start))
        if time.perf_counter() - begin > SECONDS:
            break
    return time.perf_counter() - begin, time.process_time() - cpu, padded(found)


def padded(paths: list[list[int]]) -> np.ndarray:
    kps = np.full((len(paths), LENGTH), -1)
    for row, path in enumerate(paths):
        kps[row, : len(path)] = path[:LENGTH]
    return kps


def median(work: Callable[[], np.ndarray]) -> tuple[float, float, np.ndarray]:
    """Wall and processor seconds of the middle one of three runs, and what it made."""
    return sorted((once(work) for _ in range(3)), key=lambda run: run[0])[1]


def once(work: Callable[[], np.ndarray]) -> tuple[float, float, np.ndarray]:
    """Wall and processor seconds of the work, and what it made."""
    cpu = time.process_time()
    seconds, kps = timed(work)
    return seconds, time.process_time() - cpu, kps


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    made = work()
    return time.perf_counter() - begin, made


def as_row(
    graph: str, walker: str, seconds: float, cpu: float, kps: np.ndarray, build: float,
    *, target: np.ndarray,
) -> Row:  # fmt: skip
    visits = np.bincount(kps[kps >= 0], minlength=len(target))
    held = (kps >= 0).sum(axis=1)
    return Row(
        graph,
        walker,
        paths=len(kps),
        seconds=seconds,
        cpu_seconds=cpu,
        paths_per_second=len(kps) / seconds,
        paths_per_cpu_second=len(kps) / max(cpu, 1e-3),
        build_seconds=build,
        tv=float(0.5 * np.abs(visits / visits.sum() - target).sum()),
        coverage=float((visits > 0).mean()),
        mean_length=float(held.mean()),
        lone_share=float((held == 1).mean()),
    )


def disciplines(count: int) -> dict[str, float]:
    """20 disciplines of the synthetic graph, 5 of them at twice the share: the worst error."""
    graph, topic = zipf_graph()
    label = topic % 20
    base = popularity_target(graph.popularity)
    member = np.eye(20)[label]
    quotas = (base @ member) * np.where(np.arange(20) < 5, 2.0, 1.0)
    target = quota_target(base, member, quotas)
    way = build_transitions(graph)
    worst: dict[str, float] = {}
    for name, strata in (("soft", None), ("stratified starts", label)):
        paths = sample_paths(way, target, count=count, length=LENGTH, random_seed=1, strata=strata)
        visits = np.bincount(label, weights=paths.visits(graph.n_kps))
        starts = np.bincount(label[paths.kps[:, 0]])
        for what, got in (("visits", visits), ("starts", starts)):
            error = np.abs(got / got.sum() / (quotas / quotas.sum()) - 1).max()
            worst[f"{name}: worst relative error of {what}"] = float(error)
    return worst


def setting() -> dict[str, Any]:
    """The machine, the versions and the command."""
    known = ("kdos", "numpy", "scipy", "numba", "networkx", "igraph", "pecanpy")
    versions: dict[str, str] = {"python": platform.python_version()}
    for name in known:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "command": "python benchmarks/graph_walks.py",
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "length": LENGTH,
        "versions": versions,
    }


if __name__ == "__main__":
    main()
