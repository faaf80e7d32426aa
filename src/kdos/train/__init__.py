"""Facts in; what small models of them remember, out."""

from kdos.train.continued import ContinuedTraining, PretrainedModel
from kdos.train.ensemble import count_parameters
from kdos.train.experiment import ExperimentDesign, Trial, cells_from_rows, run_design, run_trials
from kdos.train.facts import (
    RELATIONS,
    SUBJECTS,
    VALUES,
    FactWorld,
    Triple,
    fact_sentence,
    fact_tokens,
    made_up_world,
    with_common_values,
    world_from_triples,
)
from kdos.train.lab import MODELS_PER_GROUP, Lab, MeasuredRow
from kdos.train.proxies import (
    FACTS_PER_STEP,
    FactRecall,
    TrainingSpec,
    evaluate_proxy,
    shuffled_epochs,
    train_proxies,
)
from kdos.train.sweep import Sweep, run_sweep

__all__ = [
    "FACTS_PER_STEP",
    "MODELS_PER_GROUP",
    "RELATIONS",
    "SUBJECTS",
    "VALUES",
    "ContinuedTraining",
    "ExperimentDesign",
    "FactRecall",
    "FactWorld",
    "Lab",
    "MeasuredRow",
    "PretrainedModel",
    "Sweep",
    "TrainingSpec",
    "Trial",
    "Triple",
    "cells_from_rows",
    "count_parameters",
    "evaluate_proxy",
    "fact_sentence",
    "fact_tokens",
    "made_up_world",
    "run_design",
    "run_sweep",
    "run_trials",
    "shuffled_epochs",
    "train_proxies",
    "with_common_values",
    "world_from_triples",
]
