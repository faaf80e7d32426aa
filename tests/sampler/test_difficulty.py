"""Requests for levels of difficulty by what came of those before."""

import numpy as np
import pytest

from kdos.chance import keyed_generator
from kdos.sampler import Levelled, LevelRecord, LevelRequest, measure_needs, plan_levels

WANTED = np.array([0.1, 0.2, 0.3, 0.25, 0.15])


def play(samples, *, too_easy, kept=0.9, disciplines=2, wanted=WANTED, batch=40, window=200):
    """A pool made batch by batch, with requests in flight whose outcome is not known yet."""
    rng = keyed_generator(1, "levels")
    record, flying, asked_count = LevelRecord.empty(disciplines), [], 0
    while record.held.sum() < samples:
        plan = plan_levels(record, wanted, in_flight=flying, samples=samples)
        while len(flying) < window:
            discipline = asked_count % disciplines
            flying.append(LevelRequest(discipline, plan.next_level(discipline), 1))
            asked_count += 1
        decided, flying = flying[:batch], flying[batch:]
        came = [
            Levelled(d, level, max(level - int(rng.random() < too_easy[d]), 0))
            for d, level, _ in decided
            if rng.random() < kept
        ]
        record = record.extend(decided, came)
    return record


def test_levels_come_as_wanted_though_drafts_are_too_easy():
    record = play(4_000, too_easy=(0.3, 0.4))
    for held in record.held:
        assert 0.5 * np.abs(held / held.sum() - WANTED).sum() < 0.03
    naive = (1 - 0.4) * WANTED + 0.4 * np.append(WANTED[1:], 0) + 0.4 * WANTED[0] * np.eye(5)[0]
    assert 0.5 * np.abs(naive - WANTED).sum() > 0.05


def test_what_one_discipline_cannot_reach_others_take_over():
    record = LevelRecord.empty(2)
    # The first never came out harder than D1, whatever was asked.
    hard = [LevelRequest(0, 2, 100), LevelRequest(1, 2, 100)]
    record = record.extend(hard, [Levelled(0, 2, 0)] * 100 + [Levelled(1, 2, 2)] * 100)
    plan = plan_levels(record, np.array([0.5, 0, 0.5, 0, 0]), in_flight=[], samples=400)
    hard = (record.held + plan.missing)[:, 2]
    assert hard[1] > 1.5 * hard[0]
    assert (record.held + plan.missing).sum() == pytest.approx(400, rel=0.01)


def test_a_level_that_is_full_is_asked_for_no_more():
    record = LevelRecord.empty(1).extend([LevelRequest(0, 0, 50)], [Levelled(0, 0, 0)] * 50)
    plan = plan_levels(record, np.array([0.5, 0.5, 0, 0, 0]), in_flight=[], samples=100)
    assert [plan.next_level(0) for _ in range(20)].count(1) == 20
    assert plan.should_rewrite(0, asked=1, came=0)
    assert not plan.should_rewrite(0, asked=0, came=0)


def test_what_is_in_flight_counts_as_what_it_should_bring():
    flying = [LevelRequest(0, 1, 2)] * 20
    plan = plan_levels(LevelRecord.empty(1), np.array([0.5, 0.5, 0, 0, 0]), in_flight=flying, samples=60)
    assert plan.missing[0, 1] < plan.missing[0, 0]


def test_picks_of_a_plan_keep_its_shares_from_the_first_on():
    plan = plan_levels(LevelRecord.empty(1), WANTED, in_flight=[], samples=1_000)
    chosen = [plan.next_level(0) for _ in range(100)]
    assert np.abs(np.bincount(chosen, minlength=5) / 100 - plan.shares[0]).max() <= 0.02


def test_needs_of_disciplines_are_what_their_shares_lack():
    needs = measure_needs(np.array([0.5, 0.3, 0.2]), np.array([30.0, 0, 40]), samples=100)
    assert needs.tolist() == pytest.approx([20, 30, 0])
