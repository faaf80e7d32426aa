import os
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from kdos.errors import KdosError
from kdos.train import (
    Lab,
    TrainingSpec,
    Trial,
    evaluate_proxy,
    made_up_world,
    run_trials,
    shuffled_epochs,
    train_proxies,
)
from kdos.train.experiment import plan_trial
from kdos.train.facts import held_out_wordings
from kdos.train.proxies import scheduled_wordings

FACTS = np.arange(40)


def spec(name: str, *, presentations: int = 25_600, facts: np.ndarray = FACTS) -> TrainingSpec:
    schedule = shuffled_epochs(facts, presentations, np.random.default_rng(0))
    return TrainingSpec((name,), made_up_world(0, subjects=64), (schedule,))


def test_a_model_keeps_what_it_was_shown_and_nothing_else() -> None:
    taught = spec("taught")
    ensemble = train_proxies([taught, spec("other")], width=16)
    known, unknown = (evaluate_proxy(ensemble, 0, taught, facts) for facts in (FACTS, FACTS + 200))

    assert known.exact.mean() > 0.9
    assert known.choice.mean() >= known.exact.mean()
    assert known.paraphrase.mean() > 0.5
    assert unknown.exact.mean() < 0.2
    assert known.nats.mean() < 1 < unknown.nats.mean()


def test_a_model_is_the_same_whoever_it_is_trained_with() -> None:
    alone = train_proxies([spec("a", presentations=640)], width=16)
    together = train_proxies([spec("b", presentations=640), spec("a", presentations=640)], width=16)
    ours, theirs = (
        evaluate_proxy(ensemble, place, spec("a"), FACTS).nats for ensemble, place in ((alone, 0), (together, 1))
    )

    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_a_fact_is_never_shown_in_its_held_out_wording() -> None:
    one = spec("a", presentations=6400)
    wordings = scheduled_wordings(one, 0)

    assert (wordings != held_out_wordings(512)[one.schedule[0]]).all()
    assert len(set(zip(one.schedule[0], wordings, strict=True))) == 3 * len(FACTS)


def test_exposures_differ_by_one_at_most() -> None:
    exposures = np.bincount(shuffled_epochs(FACTS, 1001, np.random.default_rng(0)))
    assert set(exposures) == {25, 26}


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_a_share_of_the_presentations_shows_base_facts(share: float) -> None:
    trial = Trial(16, 2000, 50, 0, arm="mixed", base=30, share=share)
    spec = plan_trial(trial)

    assert np.isin(spec.training.schedule[-1], spec.base).mean() == share
    assert np.isin(spec.training.schedule[-1], spec.taught).mean() == 1 - share


def test_continued_training_forgets_without_replay() -> None:
    trials = [Trial(16, 12_800, 60, 0, arm="continued", base=120, share=share) for share in (0.0, 0.5)]
    (lost,), (kept,) = (run_trials([trial]) for trial in trials)

    assert lost["base_recall"] < kept["base_recall"]
    assert lost["recall"] > 0.5


def test_a_process_that_is_ended_from_outside_is_named(tmp_path: Path) -> None:
    with closing(Lab(tmp_path, workers=1)) as lab, pytest.raises(KdosError, match="ended from outside"):
        lab.measure_groups(os._exit, [3], name="dies")
