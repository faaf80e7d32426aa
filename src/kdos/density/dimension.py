"""The intrinsic dimension of a cloud of points, from the distances to their neighbours."""

import numpy as np

from kdos.arrays import Float64Array

DISCARDED_RATIOS = 0.1
"""The largest ratios that 2NN leaves out (Facco et al. 2017)."""


def two_nn_dimension(distances: Float64Array) -> float:
    """Facco et al. 2017: from the ratio of the second neighbour's distance to the first's.

    `distances` has shape (n, >= 2), ascending and positive. Maximum likelihood on the ratios below
    the cut, the rest counted as censored there.
    """
    ratios = np.sort(np.log(distances[:, 1] / distances[:, 0]))
    kept = max(1, int(len(ratios) * (1 - DISCARDED_RATIOS)))
    total = ratios[:kept].sum() + (len(ratios) - kept) * ratios[kept - 1]
    return kept / total if total > 0 else float("inf")
