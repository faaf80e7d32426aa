"""Which drafts stay: each is held against the quotas of the cells it would fill (our design)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import Int64Array


@dataclass(frozen=True, slots=True)
class AcceptDecision:
    """`deficit` is the mean log deficit (nats) of the draft's cells; `reason` is "" if it stays."""

    deficit: float
    reason: str

    @property
    def accepted(self) -> bool:
        """Whether the draft stays."""
        return not self.reason


def decide_draft(
    cells: Sequence[int], *, counts: Int64Array, quotas: Int64Array, rule: str, slack: float
) -> AcceptDecision:
    """Whether a draft whose knowledge points lie in `cells` stays.

    `pace` (default): the mean over its cells of log(m + 1/2) - log(n + 1/2) is above zero, and no
    cell goes beyond (1 + slack) * m. `mean`: the first of these alone, so that a draft that fills
    empty cells may overfill others. `strict`: every cell is under its quota. `all`: always.

    Args:
        cells: One cell for each knowledge point; a cell may stand twice.
        counts: n, what each cell holds now, shape (n_cells,).
        quotas: m, what each cell may hold, shape (n_cells,).
        rule: `pace`, `strict`, `mean` or `all`.
        slack: How far `pace` lets a cell go beyond its quota, as a share.
    """
    n, m = counts[list(cells)], quotas[list(cells)]
    # A half on both sides keeps the logarithm finite for an empty cell and for a quota of zero.
    deficit = float(np.mean(np.log(m + 0.5) - np.log(n + 0.5)))
    if rule == "all":
        return AcceptDecision(deficit, "")
    limit = np.floor((1 + slack) * m) if rule == "pace" else m
    # The draft's own points count as they come: two of them in one cell need room for two.
    added = np.array([list(cells[: i + 1]).count(cell) for i, cell in enumerate(cells)])
    if rule != "mean" and np.any(n + added > limit):
        return AcceptDecision(deficit, "crowded")
    if rule != "strict" and deficit <= 0:
        return AcceptDecision(deficit, "no_deficit")
    return AcceptDecision(deficit, "")
