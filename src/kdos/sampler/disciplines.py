"""How much of each discipline is wanted: quotas inside the target over cells (our design).

A discipline is a seed's domain; a cell belongs to those that the seeds of its knowledge points do.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from kdos.arrays import Float64Array
from kdos.errors import ConfigError
from kdos.graph import as_target, discipline_memberships, quota_target
from kdos.sampler.links import SeedLinks
from kdos.sampler.walk import build_seed_graph

MOST_NAMES_SHOWN = 20
"""Disciplines that a message names."""


def discipline_target(
    log_q: Float64Array, shares: Mapping[str, float], *, domains: Sequence[str], links: SeedLinks
) -> Float64Array:
    """The target in which each named discipline has its share, shape (n_cells,), nats.

    Disciplines that are not named keep their proportions in what is left. Inside a discipline the
    target stays as it is. `domains` holds the discipline of each seed.

    Raises:
        ConfigError: A name that no seed has as its domain.
    """
    names = sorted(set(domains))
    check_disciplines(shares, names)
    member = cell_memberships(names, n_cells=len(log_q), domains=domains, links=links)
    q: Float64Array = np.exp(log_q)
    held = q @ member
    named = np.array([name in shares for name in names])
    rest = 1.0 - sum(shares.values())
    # What is not named shares the rest in the proportions that it has in the target already.
    free = held * ~named
    left = free * rest / free.sum() if free.sum() > 0 else free
    quotas = left + np.array([shares.get(name, 0.0) for name in names])
    with np.errstate(divide="ignore"):
        wanted: Float64Array = np.log(as_target(quota_target(q, member, quotas)))
    return wanted


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


def cell_memberships(names: list[str], *, n_cells: int, domains: Sequence[str], links: SeedLinks) -> Float64Array:
    """How far each cell belongs to each discipline, shape (n_cells, n_disciplines)."""
    numbers = {name: number for number, name in enumerate(names)}
    of_seed = np.array([numbers[name] for name in domains])
    graph = build_seed_graph(links).incidence
    # A knowledge point counts in its cell as often as seeds state it.
    points = discipline_memberships(graph, of_seed, n_disciplines=len(names))
    cells = np.zeros((n_cells, len(names)))
    np.add.at(cells, links.cells, points * graph.popularity[:, None])
    # A cell without any belongs to all alike, so that its target is not lost.
    cells += cells.sum(axis=1, keepdims=True) == 0
    return cells / cells.sum(axis=1, keepdims=True)
