"""Measure a dataset you have, see where it is thin and crowded, and cut it to an even one.

python examples/measure_a_dataset.py questions.jsonl 1000 even.parquet
"""

import sys

import kdos

path, budget, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]

measured = kdos.density(path)
low, high = measured.summary["log10_density_ci"]
print(f"{measured.summary['n']:,} rows, log10 density {low:.2f} to {high:.2f}")
for title, cells in (("thin", measured.thin(3)), ("crowded", measured.crowded(3))):
    for cell in cells:
        print(f"{title}: {cell.count} rows about {' '.join(cell.terms)}, as: {cell.examples[0]}")

chosen = measured.select(budget, "uniform", dedup="near")
for target in ("uniform", "sqrt", "natural"):  # nothing is measured again
    again = chosen.again(budget, target)
    print(f"{target}: {again.summary['kl']:.4f} nats, least {again.summary['kl_optimum']:.4f}")
print(f"{chosen.save(out):,} rows to {out}")
