#!/usr/bin/env bash
# The infusion law up to 3 million parameters, on one GPU, in one call of about ten minutes.
# Five sizes; the largest is held out of the law. The same command resumes.
#
#   pip install 'kdos[train]' && runs/infusion_gpu.sh [DIR]
set -euo pipefail
out=${1:-runs/infusion-gpu}
python -c 'import sys, torch; sys.exit(None if torch.cuda.is_available() else "a GPU must be at hand; for a CPU: kdos train --proxy --out DIR")'
kdos train --proxy --out "$out" --workers 1 --together 32 \
  --widths 64,96,144,224,360 --presentations 3072000 --points 7 --seeds 3 --subjects 65536
kdos scaling fit "$out/measurements.csv" --holdout-largest --out "$out-law.json" | tee "$out-fit.json"
