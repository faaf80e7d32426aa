"""What a round asks for, given the deficit and what comes unasked."""

import numpy as np

from kdos.sampler import reserve_for_drift


def test_a_cell_that_drift_fills_is_asked_for_last():
    deficit, expected = np.array([40, 40, 40]), np.array([0.0, 10.0, 20.0])

    def asked(picks, deficit=deficit):
        reserved = reserve_for_drift(deficit, expected, picks=picks, drafts=1)
        return np.maximum(deficit - reserved, 0).tolist()

    assert asked(10) == [40, 10, 0]
    assert asked(11) == [40, 20, 0]
    assert asked(17) == [40, 30, 20]
    assert asked(19) == [40, 40, 40]
    assert asked(1, deficit=np.array([0, 10, 20])) == [0, 10, 20]
