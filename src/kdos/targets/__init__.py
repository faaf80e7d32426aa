"""Where the pool should be: a distribution over cells in, quotas and the gap to it out."""

from kdos.targets.distribution import (
    TARGET_EXPONENTS,
    TARGET_NAMES,
    demand_file,
    demand_target,
    effective_points,
    level_target,
    read_target,
    tempered_target,
    waterfill_target,
)
from kdos.targets.gap import Gap, measure_gap, noise_floor, water_filled_quotas

__all__ = [
    "TARGET_EXPONENTS", "TARGET_NAMES", "Gap", "demand_file", "demand_target", "effective_points", "level_target",
    "measure_gap", "noise_floor", "read_target", "tempered_target", "water_filled_quotas", "waterfill_target",
]  # fmt: skip
