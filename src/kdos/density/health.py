"""Texts and their places in a space in; whether it groups them by what they say or by how they say it, out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kdos.arrays import BoolArray, Float32Array, Int64Array, IntegerArray
from kdos.chance import keyed_generator
from kdos.density.estimator import PointSet, build_index, find_neighbours
from kdos.density.space import Space
from kdos.pool.skeleton import read_skeleton

HEALTH_TEXTS = 4096
"""Texts looked at, at most: of so many each is compared with all others, so that neighbours are exact."""
NEIGHBOURS = 10
TEXTS_PER_TEMPLATE = 5
"""Texts that make a skeleton a template: fewer may have come to it by chance (our design)."""
SHUFFLES = 20
"""Shuffles of the cells that tell what chance alone gives."""
LEAST_TEMPLATED = 0.1
"""Share of texts on a common template under which templates tell nothing of a space (our design)."""
GROUPS_WORDINGS = 0.57
"""Share of neighbours on one's own template, beyond chance, from which a space groups wordings: midway between
`lexical`, which does (93 %), and `static`, which does not (21 %; chance 1 %), on 3,000 facts of two wordings each.
Where each relation has one wording the two are harder to tell apart: 80 and 52 % in the documentation of Python."""
KNOWS_FACTS = 0.5
"""Share of wordings that lie next to one of their own fact, from which a space knows facts: midway between `lexical`
(5 %) and `static` (98.8 %) on the same facts."""


@dataclass(frozen=True, slots=True)
class SpaceHealth:
    """Whether a space groups texts by what they say or by how they say it; every figure a share in [0, 1].

    The skeleton of a text is its wording with names, numbers and quotations masked; one that five texts have is a
    template. `templated` is the share of the `texts` looked at that are on one. The figures of templates are of these
    texts, and None where they are fewer than a tenth or all on one.

    `template_information` is I(cell; skeleton) / H(skeleton): how much of the template the cell tells.
    `template_neighbours` is the share of the k = min(10, texts - 1) nearest neighbours that have the same skeleton,
    of those that could: of all k, but for a template with fewer others. `…_by_chance` is what it would be were the
    cells shuffled, or the neighbours any texts: with few texts a cell, even those tell something.
    `own_fact_nearest` is how often a wording's nearest neighbour states its own fact; None where no fact is known in
    two wordings.
    """

    texts: int
    templated: float
    template_information: float | None = None
    template_information_by_chance: float | None = None
    template_neighbours: float | None = None
    template_neighbours_by_chance: float | None = None
    own_fact_nearest: float | None = None

    @property
    def groups_wordings(self) -> bool:
        """Whether the space groups wordings, not knowledge."""
        if self.own_fact_nearest is not None and self.own_fact_nearest < KNOWS_FACTS:
            return True
        found, by_chance = self.template_neighbours, self.template_neighbours_by_chance
        if found is None or by_chance is None:
            return False
        return found - by_chance >= GROUPS_WORDINGS * (1 - by_chance)

    @property
    def verdict(self) -> str:
        """What the figures mean, without them."""
        if self.groups_wordings:
            return "this space groups wordings, not knowledge"
        if self.template_neighbours is None and self.own_fact_nearest is None:
            return "this space was not seen to group wordings"
        return "this space groups knowledge rather than wordings"

    @property
    def sentence(self) -> str:
        """What the figures mean, in one sentence."""
        return f"{self.verdict}: {self._evidence()}"

    def as_json(self) -> dict[str, Any]:
        """The figures and the sentence."""
        return asdict(self) | {"groups_wordings": self.groups_wordings, "sentence": self.sentence}

    def _evidence(self) -> str:
        parts: list[str] = []
        if self.template_neighbours is None:
            parts.append(f"only {self.templated:.0%} of the texts share a template with several others")
        else:
            parts.append(
                f"{self.template_neighbours:.0%} of a text's nearest neighbours share its template "
                f"(chance {self.template_neighbours_by_chance:.0%}) and its cell tells "
                f"{self.template_information:.0%} of the template (chance {self.template_information_by_chance:.0%})"
            )
        if self.own_fact_nearest is not None:
            parts.append(f"{self.own_fact_nearest:.0%} of wordings lie next to one of their own fact")
        return "; ".join(parts)


def measure_health(
    texts: Sequence[str],
    points: Float32Array,
    space: Space,
    *,
    facts: IntegerArray | None = None,
    random_seed: int = 0,
) -> SpaceHealth | None:
    """How texts lie in a space, from a sample of at most 4,096 of them; None where fewer than two differ.

    `points`, shape (n, dim), are theirs (`Space.project`). `facts`, shape (n,), numbers the fact that each states,
    where wordings of one fact are known: those of a fact are then drawn together, and facts of several wordings
    first. A grouping that was itself made by distance in this space flatters `own_fact_nearest`.
    """
    rows = _draw_rows(texts, facts, keyed_generator(random_seed, "health", "texts"))
    if len(rows) < 2:
        return None
    points = np.ascontiguousarray(points[rows])
    # As one cell: each is compared with all others, as the few points of any index are.
    pool = PointSet(points, np.zeros(len(rows), np.int32))
    k = min(NEIGHBOURS, len(rows) - 1)
    near = find_neighbours(pool, build_index(pool, space.codebook), k=k).rows
    skeletons = np.unique([read_skeleton(texts[row]) for row in map(int, rows)], return_inverse=True)[1]
    own = None if facts is None else _share_next_to_own_fact(near[:, 0], facts[rows])
    templated = np.bincount(skeletons)[skeletons] >= TEXTS_PER_TEMPLATE
    found: dict[str, float] = {}
    if templated.mean() >= LEAST_TEMPLATED and len(np.unique(skeletons[templated])) > 1:
        found = _measure_templates(near, skeletons, space.assign_cells(points), templated, random_seed)
    return SpaceHealth(len(rows), float(templated.mean()), own_fact_nearest=own, **found)


def _draw_rows(texts: Sequence[str], facts: IntegerArray | None, rng: np.random.Generator) -> Int64Array:
    """Rows of different texts, ascending: drawn by chance, those of a fact together, facts of several first."""
    order = rng.permutation(len(texts))
    if facts is not None and len(facts):
        wordings, drawn = np.bincount(facts), rng.permutation(int(facts.max()) + 1)
        order = np.lexsort((np.arange(len(texts)), drawn[facts], wordings[facts] == 1))
    order = order[:HEALTH_TEXTS]
    first = {texts[row]: row for row in reversed(order.tolist())}
    return np.sort(np.fromiter(first.values(), np.int64, len(first)))


def _share_next_to_own_fact(nearest: IntegerArray, facts: IntegerArray) -> float | None:
    """How often the nearest of a wording is of its fact, among facts of several; None where there is none."""
    several = np.bincount(facts)[facts] > 1
    return float((facts[nearest] == facts)[several].mean()) if several.any() else None


def _measure_templates(
    near: IntegerArray, skeletons: Int64Array, cells: IntegerArray, templated: BoolArray, random_seed: int
) -> dict[str, float]:
    """How much neighbours and cells tell of the skeleton, and what chance would, of the templated texts."""
    same = (skeletons[near] == skeletons[:, None])[templated]
    others = np.bincount(skeletons)[skeletons[templated]] - 1
    k = near.shape[1]
    n_possible = np.minimum(others, k).sum()
    rng = keyed_generator(random_seed, "health", "shuffles")
    skeleton, cell = skeletons[templated], cells[templated]
    entropy = _entropy(skeleton)
    shuffled = [_information(rng.permutation(cell), skeleton) for _ in range(SHUFFLES)]
    return {
        "template_information": _information(cell, skeleton) / entropy,
        "template_information_by_chance": float(np.mean(shuffled)) / entropy,
        "template_neighbours": float(same.sum() / n_possible),
        "template_neighbours_by_chance": float(k * others.sum() / (len(skeletons) - 1) / n_possible),
    }


def _information(one: IntegerArray, other: IntegerArray) -> float:
    """The mutual information of two labellings, nats."""
    both = one.astype(np.int64) * (int(other.max()) + 1) + other
    return max(_entropy(one) + _entropy(other) - _entropy(both), 0.0)


def _entropy(labels: IntegerArray) -> float:
    """The entropy of how often each label occurs, nats."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log(shares)).sum())
