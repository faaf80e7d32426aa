"""Facts in; what small models of them remember, out."""

from kdos.train.continued import Course, Student
from kdos.train.ensemble import parameters
from kdos.train.experiment import Design, cells_of, run_design
from kdos.train.facts import (
    RELATIONS,
    SUBJECTS,
    VALUES,
    Triple,
    World,
    made_up_world,
    sentence,
    tokens,
    with_common_values,
    world_of,
)
from kdos.train.lab import TOGETHER, Lab, Row
from kdos.train.lessons import FACTS_A_STEP, Memory, Pupil, in_epochs, remember, teach
from kdos.train.sweep import Sweep, run_sweep
from kdos.train.trials import Trial, run_trials

__all__ = [
    "FACTS_A_STEP",
    "RELATIONS",
    "SUBJECTS",
    "TOGETHER",
    "VALUES",
    "Course",
    "Design",
    "Lab",
    "Memory",
    "Pupil",
    "Row",
    "Student",
    "Sweep",
    "Trial",
    "Triple",
    "World",
    "cells_of",
    "in_epochs",
    "made_up_world",
    "parameters",
    "remember",
    "run_design",
    "run_sweep",
    "run_trials",
    "sentence",
    "teach",
    "tokens",
    "with_common_values",
    "world_of",
]
