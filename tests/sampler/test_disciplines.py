"""Quotas of disciplines inside the target over cells."""

import numpy as np
import pytest

from kdos.errors import ConfigError
from kdos.sampler import discipline_target, link_seeds, plan_disciplines
from kdos.sampler.disciplines import cell_memberships

N_CELLS, N_POINTS = 4, 24
CELLS = (np.arange(N_POINTS) % N_CELLS).astype(np.int32)
HELD = [np.array([k, (k + 1) % N_POINTS, (k + 5) % N_POINTS]) for k in range(N_POINTS)]
ALONE = np.arange(N_POINTS, dtype=np.int32)
DOMAINS = ["law" if seed % 4 == 0 else "physics" for seed in range(N_POINTS)]
LINKS = link_seeds(HELD, cells=CELLS, keys=ALONE.astype(np.uint64), documents=ALONE, passages=ALONE, domains=DOMAINS)
LOG_Q = np.log(np.array([0.4, 0.3, 0.2, 0.1]))


def shares(log_q):
    member = cell_memberships(LINKS, n_cells=N_CELLS)
    return member, dict(zip(["law", "physics"], np.exp(log_q) @ member, strict=True))


def move_target(wanted):
    return discipline_target(LOG_Q, plan_disciplines(wanted, log_q=LOG_Q, links=LINKS), LINKS)


def test_a_cell_belongs_to_the_disciplines_of_its_seeds():
    member, _ = shares(LOG_Q)
    held = np.zeros((N_CELLS, 2))
    for seed, points in enumerate(LINKS.points_of_seed):
        for point in points:
            held[CELLS[point], int(DOMAINS[seed] == "physics")] += 1
    assert member == pytest.approx(held / held.sum(axis=1, keepdims=True))


def test_a_quota_moves_the_target_and_the_others_share_what_is_left():
    _, before = shares(LOG_Q)
    log_q = move_target({"law": 0.3})
    assert np.exp(log_q).sum() == pytest.approx(1)
    _, after = shares(log_q)
    assert before["law"] != pytest.approx(after["law"])
    assert abs(after["law"] - 0.3) < abs(before["law"] - 0.3)
    same = move_target(before)
    assert same == pytest.approx(LOG_Q)


def test_a_discipline_that_no_seed_has_is_named():
    with pytest.raises(ConfigError, match="Got 'poetry'"):
        move_target({"poetry": 0.5})
