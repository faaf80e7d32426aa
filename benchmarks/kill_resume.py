"""Kill the demo at random moments, resume it each time, and compare the dataset's bytes.

    python benchmarks/kill_resume.py --kills 20 --out OUT

A demo that ends before it could be killed often enough is compared, and begun anew.
"""

import argparse
import hashlib
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import kdos


def demo(folder, *, workers=1, seconds=None):
    """Run the demo; False if it was killed after `seconds`."""
    command = [sys.executable, "-m", "kdos", "demo", "--out", str(folder), "--workers", str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    if process.returncode:
        raise SystemExit(f"the demo failed with exit code {process.returncode}")
    return True


def dataset_hash(folder):
    digest = hashlib.sha256()
    for path in sorted((folder / "dataset").glob("*.parquet")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--shortest", type=float, default=3.0, help="seconds before a kill")
    parser.add_argument("--longest", type=float, default=25.0)
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/kill_resume.json"))
    args = parser.parse_args()
    rng = random.Random(args.random_seed)
    with tempfile.TemporaryDirectory() as base:
        root = Path(base)
        begun = time.monotonic()
        demo(root / "whole")
        seconds = time.monotonic() - begun
        wanted = dataset_hash(root / "whole")
        demo(root / "two", workers=2)
        same_for_two = dataset_hash(root / "two") == wanted
        kills, hashes, at = 0, [], []
        while kills < args.kills or not hashes:
            folder = root / f"killed-{len(hashes)}"
            while True:
                pause = rng.uniform(args.shortest, args.longest) if kills < args.kills else None
                if demo(folder, seconds=pause):
                    break
                kills += 1
                at.append(round(pause, 2))
            hashes.append(dataset_hash(folder))
    result = {
        "kdos": kdos.__version__,
        "python": platform.python_version(),
        "seconds_uninterrupted": round(seconds, 1),
        "sha256": wanted,
        "two_workers_identical": same_for_two,
        "kills": kills,
        "killed_after_seconds": at,
        "runs_compared": len(hashes),
        "identical": sum(each == wanted for each in hashes),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))
    raise SystemExit(0 if same_for_two and all(each == wanted for each in hashes) else 1)


if __name__ == "__main__":
    main()
