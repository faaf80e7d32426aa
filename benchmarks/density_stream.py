"""`kdos density` on Parquet shards of vectors, ten times as many rows: time and peak memory.

python benchmarks/density_stream.py [--n 10000000] [--dim 64]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from density_worlds import write_down

SHARD = 250_000
CHILD = """
import json, resource, sys
from kdos.cli import main
code = main(sys.argv[1:])
print(json.dumps(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
sys.exit(code)
"""


def write_shards(folder, n, dim):
    """A mixture of 5,000 Gaussian clusters in 12 dimensions, shard by shard."""
    world = np.random.default_rng(0)
    centres = world.standard_normal((5000, 12)) * 3
    turn = np.linalg.qr(world.standard_normal((dim, 12)))[0].T
    for number, start in enumerate(range(0, n, SHARD)):
        rng = np.random.default_rng([1, number])
        count = min(SHARD, n - start)
        flat = centres[(5000 * rng.random(count) ** 2).astype(int)] + rng.standard_normal((count, 12))
        values = pa.array((flat @ turn).astype(np.float32).reshape(-1))
        table = pa.table({"vector": pa.FixedSizeListArray.from_arrays(values, dim)})
        pq.write_table(table, folder / f"{number:04}.parquet", compression="none")


def timed(folder, out):
    command = [
        sys.executable, "-c", CHILD, "density", str(folder), "--field", "vector", "--json",
        "--points", str(out),
    ]  # fmt: skip
    start = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    spent = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": round(spent, 1),
        "cpu_s": round(after.ru_utime - before.ru_utime, 1),
        "peak_gb": round(json.loads(lines[-1]) * 1024 / 1e9, 2),
        "log10_density": json.loads(lines[0])["log10_density"],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=10_000_000)
    parser.add_argument("--dim", type=int, default=64)
    args = parser.parse_args()
    rows = {}
    for n in (args.n // 100, args.n // 10, args.n):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "shards"
            folder.mkdir()
            write_shards(folder, n, args.dim)
            rows[str(n)] = timed(folder, Path(place) / "points.parquet")
        print(n, rows[str(n)], flush=True)
    del rows[str(args.n // 100)]  # the first run compiles
    few, many = rows.values()
    ratio = {key: round(many[key] / few[key], 2) for key in ("wall_s", "cpu_s")}
    write_down("density_stream", {"dim": args.dim, "rows": rows, "ratio": ratio}, "pyarrow")
