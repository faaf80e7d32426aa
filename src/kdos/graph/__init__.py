"""Samples and their KPs in; what links them, and paths that meet a target, out."""

from kdos.graph.difficulty import Mix, one_level_up, realised_matrix, request_mix
from kdos.graph.disciplines import Raking, memberships, quota_target, rake
from kdos.graph.incidence import (
    Incidence,
    IncidenceBuilder,
    Routes,
    build_incidence,
    incidence_of,
    routes,
)
from kdos.graph.structure import Structure, components, structure_of
from kdos.graph.value import (
    as_target,
    density_target,
    log_ahead,
    log_values,
    loss_target,
    popularity_target,
    spread,
)
from kdos.graph.walk import (
    PLAIN,
    Chain,
    LinkedSeeds,
    Paths,
    Rules,
    linked_seeds,
    long_chain,
    sample_paths,
)

__all__ = [
    "PLAIN",
    "Chain",
    "Incidence",
    "IncidenceBuilder",
    "LinkedSeeds",
    "Mix",
    "Paths",
    "Raking",
    "Routes",
    "Rules",
    "Structure",
    "as_target",
    "build_incidence",
    "components",
    "density_target",
    "incidence_of",
    "linked_seeds",
    "log_ahead",
    "log_values",
    "long_chain",
    "loss_target",
    "memberships",
    "one_level_up",
    "popularity_target",
    "quota_target",
    "rake",
    "realised_matrix",
    "request_mix",
    "routes",
    "sample_paths",
    "spread",
    "structure_of",
]
