"""Where the pool should be, and what it lacks: a distribution over cells in, quotas and gap out."""

from kdos.targets.deficit import Gap, measure_gap, noise_floor
from kdos.targets.quota import quotas
from kdos.targets.shape import (
    TARGETS,
    demand_file,
    demand_target,
    effective_points,
    level_target,
    read_target,
    tempered_target,
    waterfill_target,
)

__all__ = [
    "TARGETS",
    "Gap",
    "demand_file",
    "demand_target",
    "effective_points",
    "level_target",
    "measure_gap",
    "noise_floor",
    "quotas",
    "read_target",
    "tempered_target",
    "waterfill_target",
]
