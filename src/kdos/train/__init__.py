"""Facts in; what small models of them remember, out."""

from kdos.train.continued import ContinuedTraining, PretrainedModel
from kdos.train.ensemble import count_parameters
from kdos.train.experiment import (
    REPLAY_SHARES,
    TRIAL_ARMS,
    ExperimentDesign,
    Trial,
    TrialArm,
    cells_from_rows,
    run_design,
    run_trials,
)
from kdos.train.facts import SUBJECTS, VALUES, Triple, fact_tokens, made_up_world
from kdos.train.pools import Universe, read_universe
from kdos.train.proxies import (
    CHOICE_OPTIONS,
    FACTS_PER_STEP,
    MODELS_PER_GROUP,
    FactRecall,
    Lab,
    MeasuredRow,
    TrainingSpec,
    evaluate_proxy,
    shuffled_epochs,
    train_proxies,
)
from kdos.train.sweep import BLIND_ARM, Setting, Sweep, run_sweep

__all__ = [
    "BLIND_ARM", "CHOICE_OPTIONS", "FACTS_PER_STEP", "MODELS_PER_GROUP", "REPLAY_SHARES", "SUBJECTS", "TRIAL_ARMS",
    "VALUES", "ContinuedTraining", "ExperimentDesign", "FactRecall", "Lab", "MeasuredRow", "PretrainedModel",
    "Setting", "Sweep", "TrainingSpec", "Trial", "TrialArm", "Triple", "Universe", "cells_from_rows",
    "count_parameters", "evaluate_proxy", "fact_tokens", "made_up_world", "read_universe", "run_design",
    "run_sweep", "run_trials", "shuffled_epochs", "train_proxies",
]  # fmt: skip
