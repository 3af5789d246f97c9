"""The cells that several tables of Pintea et al. 2021 have."""

from __future__ import annotations

from functools import partial

from datamodules.layouts.cifar import CIFAR10
from reproduce.job import Job
from reproduce.metrics import metric, percent
from reproduce.papers.common.trainings import Trainings
from reproduce.papers.njet.specs import Published
from reproduce.papers.njet.trainings import REVISION
from reproduce.specs import Describe
from reproduce.table import Cell, Setting


def accuracy(row: str, column: str, trainings: Trainings) -> Cell:
    """Return a row's accuracy in percent."""
    jobs, missing = trainings
    return Cell(row, column, "trained", jobs, partial(percent, "accuracy"), missing=missing, metric="accuracy")


def sizes(setting: Setting, row: str, column: str, network: Published, name: str) -> Cell:
    """Return what is computed of a published network without training it, whatever the profile: its `parameters` or `map_sizes`."""
    job = Job(Describe(CIFAR10.shape), f"njet-{row}-sizes", network, revision=REVISION, runtime=setting.runtime)
    return Cell(row, column, "exact", (job,), partial(metric, name))


def learned(row: str, column: str, trainings: Trainings, name: str) -> Cell:
    """Return what a training learned besides weights, by its name in the metrics."""
    jobs, missing = trainings
    return Cell(row, column, "trained", jobs, partial(metric, name), missing=missing)
