"""Build a balanced corpus from your own documents, and see how its gap to the target closed.

python examples/build_a_corpus.py FOLDER 500 runs/mine

FOLDER holds .txt or .md files, and may be a JSONL or Parquet file with a field `text` instead. The
built-in engine writes the samples here; name a server under `engine` for a language model.
"""

import sys
from pathlib import Path

import kdos

source, samples, out = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
fields = {} if source.is_dir() else {"text": "text"}

made = kdos.run(
    {
        "source": {"kind": "text", "path": str(source), **fields},
        "engine": {"kind": "rules"},
        "target": "natural",
        "budget": {"samples": samples},
        "random_seed": 7,
    },
    out,
)
print(f"stopped by {made.summary['stop_reason']} at {made.summary['kl']:.4f} nats")
print("gap by part:", [round(gap, 4) for gap in made.kl_by_part()])
for sample in made.samples().slice(0, 3).to_pylist():
    print(f"Q: {sample['question']}\nA: {sample['answer']}  ({sample['document']})")
print(f"open {made.report}")
