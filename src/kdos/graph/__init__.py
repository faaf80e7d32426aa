"""Samples and their KPs in; what links them, and paths that meet a target, out."""

from kdos.graph.difficulty import DifficultyMix, one_level_up, realised_matrix, request_mix
from kdos.graph.disciplines import Raking, discipline_memberships, quota_target, rake_samples
from kdos.graph.incidence import (
    Incidence,
    IncidenceBuilder,
    Transitions,
    build_incidence,
    build_transitions,
    incidence_from_lists,
)
from kdos.graph.structure import GraphStructure, component_labels, measure_structure
from kdos.graph.value import (
    as_target,
    density_target,
    log_exposure_ratio,
    log_values,
    loss_target,
    popularity_target,
    spread_over_kps,
)
from kdos.graph.walk import (
    PLAIN_WALK,
    ChainVisits,
    LinkedSeeds,
    Paths,
    WalkRules,
    linked_seeds,
    long_chain,
    sample_paths,
)

__all__ = [
    "PLAIN_WALK",
    "ChainVisits",
    "DifficultyMix",
    "GraphStructure",
    "Incidence",
    "IncidenceBuilder",
    "LinkedSeeds",
    "Paths",
    "Raking",
    "Transitions",
    "WalkRules",
    "as_target",
    "build_incidence",
    "build_transitions",
    "component_labels",
    "density_target",
    "discipline_memberships",
    "incidence_from_lists",
    "linked_seeds",
    "log_exposure_ratio",
    "log_values",
    "long_chain",
    "loss_target",
    "measure_structure",
    "one_level_up",
    "popularity_target",
    "quota_target",
    "rake_samples",
    "realised_matrix",
    "request_mix",
    "sample_paths",
    "spread_over_kps",
]
