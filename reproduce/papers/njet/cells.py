"""The cells that several tables of Pintea et al. 2021 have."""

from __future__ import annotations

from functools import partial

from reproduce.job import Job
from reproduce.papers.njet.trainings import REVISION, Published, Trainings
from reproduce.papers.values import metric, percent
from reproduce.table import Cell, Setting


def accuracy(row: str, column: str, trainings: Trainings) -> Cell:
    """Return a row's accuracy in percent."""
    jobs, missing = trainings
    return Cell(row, column, "trained", jobs, partial(percent, "accuracy"), missing=missing)


def sizes(setting: Setting, row: str, column: str, network: Published, name: str) -> Cell:
    """Return what is computed of a published network without training it, whatever the profile: its `parameters` or `map_sizes`."""
    job = Job("describe", f"njet-{row}-sizes", network, revision=REVISION, runtime=setting.runtime)
    return Cell(row, column, "exact", (job,), partial(metric, name))


def learned(row: str, column: str, trainings: Trainings, name: str) -> Cell:
    """Return what a training learned besides weights, by its name in the metrics."""
    jobs, missing = trainings
    return Cell(row, column, "trained", jobs, partial(metric, name), missing=missing)
