"""How much of each discipline is wanted: quotas inside the target over cells (our design).

A discipline is a seed's domain; a cell belongs to those that the seeds of its knowledge points do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from kdos.arrays import Float64Array, Int32Array
from kdos.errors import ConfigError
from kdos.graph import as_target, discipline_memberships, quota_target
from kdos.sampler.links import SeedLinks, build_seed_graph

MOST_NAMES_SHOWN = 20
"""Disciplines that a message names."""


@dataclass(frozen=True, slots=True)
class DisciplineNeeds:
    """Samples still wanted of each discipline, shape (n_disciplines,), and the discipline of each knowledge point.

    A target over cells alone meets them but for what cells mix, what drafts hold unasked, and how many points a
    sample of each discipline has: so that starts are drawn by what is still wanted of each.
    """

    needs: Float64Array
    of_point: Int32Array

    def spread(self, weights: Float64Array) -> Float64Array:
        """The weights of knowledge points, shape (n_points,), each discipline's sum in proportion to its need."""
        held = np.bincount(self.of_point, weights, minlength=len(self.needs))
        factors = np.divide(self.needs, held, out=np.zeros_like(held), where=held > 0)
        spread: Float64Array = weights * factors[self.of_point]
        # Where nothing is left of what is needed, the others go on.
        return spread if spread.any() else weights


def plan_disciplines(shares: Mapping[str, float], *, log_q: Float64Array, links: SeedLinks) -> Float64Array:
    """The share that each discipline is to have, shape (n_disciplines,).

    Those that are not named keep their proportions in the target, `log_q` (nats), in what is left.

    Raises:
        ConfigError: A name that no seed has as its domain.
    """
    names = links.disciplines.names
    check_disciplines(shares, names)
    held = np.exp(log_q) @ cell_memberships(links, n_cells=len(log_q))
    free = held * [name not in shares for name in names]
    left = free * (1.0 - sum(shares.values())) / free.sum() if free.sum() > 0 else free
    wanted: Float64Array = left + np.array([shares.get(name, 0.0) for name in names])
    return wanted


def measure_needs(wanted: Float64Array, held: Float64Array, *, samples: float) -> Float64Array:
    """Samples of each discipline that a pool of so many lacks, shape (n_disciplines,): of its share beyond `held`."""
    return np.maximum(wanted * max(samples, held.sum()) - held, 0.0)


def discipline_target(log_q: Float64Array, wanted: Float64Array, links: SeedLinks) -> Float64Array:
    """The target in which each discipline has its share of `wanted`, shape (n_cells,), nats.

    Inside a discipline the target stays as it is.
    """
    member = cell_memberships(links, n_cells=len(log_q))
    with np.errstate(divide="ignore"):
        moved: Float64Array = np.log(as_target(quota_target(np.exp(log_q), member, wanted)))
    return moved


def check_disciplines(shares: Mapping[str, float], domains: Iterable[str]) -> None:
    """Raise a ConfigError unless every discipline that has a share is one of the source's domains."""
    names = sorted({name for name in domains if name})
    unknown = [name for name in shares if name not in names]
    if unknown and not names:
        raise ConfigError(
            f"`disciplines` must be domains of the source. Got {unknown[0]!r}, and nothing in the source has one. "
            "Name the field that holds it in `source.domain`, or leave `disciplines` out."
        )
    if unknown:
        known = ", ".join(names[:MOST_NAMES_SHOWN]) + (", …" if len(names) > MOST_NAMES_SHOWN else "")
        raise ConfigError(f"`disciplines` must be domains of the source. Got {unknown[0]!r}. There are: {known}.")


def cell_memberships(links: SeedLinks, *, n_cells: int) -> Float64Array:
    """How far each cell belongs to each discipline, shape (n_cells, n_disciplines)."""
    graph, disciplines = build_seed_graph(links).incidence, links.disciplines
    # A knowledge point counts in its cell as often as seeds state it.
    points = discipline_memberships(graph, disciplines.of_seed, n_disciplines=len(disciplines.names))
    cells = np.zeros((n_cells, len(disciplines.names)))
    np.add.at(cells, links.cells, points * graph.popularity[:, None])
    # A cell without any belongs to all alike, so that its target is not lost.
    cells += cells.sum(axis=1, keepdims=True) == 0
    return cells / cells.sum(axis=1, keepdims=True)
