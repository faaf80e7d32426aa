"""Samples and their KPs in; what links them, and paths that meet a target, out.

Its files are loaded at first use: sparse matrices and a compiler take a second to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "Mix": "difficulty",
    "one_level_up": "difficulty",
    "realised_matrix": "difficulty",
    "request_mix": "difficulty",
    "Raking": "disciplines",
    "memberships": "disciplines",
    "quota_target": "disciplines",
    "rake": "disciplines",
    "Incidence": "incidence",
    "IncidenceBuilder": "incidence",
    "Routes": "incidence",
    "build_incidence": "incidence",
    "incidence_of": "incidence",
    "routes": "incidence",
    "Structure": "structure",
    "components": "structure",
    "structure_of": "structure",
    "as_target": "value",
    "density_target": "value",
    "log_ahead": "value",
    "log_values": "value",
    "loss_target": "value",
    "popularity_target": "value",
    "spread": "value",
    "PLAIN": "walk",
    "Chain": "walk",
    "LinkedSeeds": "walk",
    "Paths": "walk",
    "Rules": "walk",
    "linked_seeds": "walk",
    "long_chain": "walk",
    "sample_paths": "walk",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"kdos.graph has no {name!r}")
    return getattr(import_module(f"kdos.graph.{_HOMES[name]}"), name)
