"""Samples and their KPs in; what links them, and paths that meet a target, out."""

from kdos.graph.composition import (
    discipline_memberships,
    quota_target,
    rake_samples,
    rake_table,
    realised_matrix,
    request_mix,
)
from kdos.graph.incidence import (
    Incidence,
    IncidenceBuilder,
    Transitions,
    build_incidence,
    build_transitions,
    incidence_from_lists,
    measure_structure,
)
from kdos.graph.value import as_target, density_target, loss_target, popularity_target, spread_over_kps
from kdos.graph.walk import PLAIN_WALK, Paths, WalkRules, linked_seeds, long_chain, sample_paths

__all__ = [
    "PLAIN_WALK", "Incidence", "IncidenceBuilder", "Paths", "Transitions", "WalkRules", "as_target", "build_incidence",
    "build_transitions", "density_target", "discipline_memberships", "incidence_from_lists", "linked_seeds",
    "long_chain", "loss_target", "measure_structure", "popularity_target", "quota_target",
    "rake_samples", "rake_table", "realised_matrix", "request_mix", "sample_paths", "spread_over_kps",
]  # fmt: skip
