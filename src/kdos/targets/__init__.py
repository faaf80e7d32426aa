"""Where the pool should be: a distribution over cells in, quotas and the gap to it out."""

from kdos.targets.distribution import (
    TARGET_EXPONENTS,
    TARGET_NAMES,
    check_target,
    demand_file,
    demand_target,
    effective_points,
    level_target,
    read_target,
    tempered_target,
    waterfill_target,
)
from kdos.targets.exposures import CellQuotas, PointQuotas, choose_facts, count_filled, plan_cell_quotas, spread_quotas
from kdos.targets.gap import Gap, attainable_shares, format_gap, measure_gap, noise_floor, water_filled_quotas

__all__ = [
    "TARGET_EXPONENTS", "TARGET_NAMES", "CellQuotas", "Gap", "PointQuotas", "attainable_shares", "check_target",
    "choose_facts", "count_filled", "demand_file", "demand_target", "effective_points", "format_gap", "level_target",
    "measure_gap", "noise_floor", "plan_cell_quotas", "read_target", "spread_quotas", "tempered_target",
    "water_filled_quotas", "waterfill_target",
]  # fmt: skip
