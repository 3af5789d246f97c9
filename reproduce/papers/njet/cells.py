"""Cells that several tables of Pintea et al. 2021 share."""

from __future__ import annotations

from functools import partial

from datamodules.layouts.cifar import CIFAR10
from reproduce.jobs.job import Job
from reproduce.papers.common.trainings import Trainings
from reproduce.papers.njet.specs import Published
from reproduce.papers.njet.trainings import REVISION
from reproduce.specs import Describe
from reproduce.table import Cell, Setting, metric, percent


def accuracy(row: str, column: str, trainings: Trainings, caveat: str = "") -> Cell:
    """Return the cell of a row's accuracy, in percent."""
    jobs, missing = trainings
    return Cell(row, column, "trained", jobs, partial(percent, "accuracy"), missing=missing, metric="accuracy", caveat=caveat)


def sizes(setting: Setting, row: str, network: Published) -> Trainings:
    """Return the job that computes a published network's parameters and map sizes without training; it is the same in every profile."""
    return (Job(Describe(CIFAR10.shape), f"njet-{row}-sizes", network, revision=REVISION, runtime=setting.runtime),), ""


def learned(row: str, column: str, trainings: Trainings, name: str, caveat: str = "") -> Cell:
    """Return the cell of a learned quantity; `name` is its key in the metrics."""
    jobs, missing = trainings
    return Cell(row, column, "trained", jobs, partial(metric, name), missing=missing, caveat=caveat)
