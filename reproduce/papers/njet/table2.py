"""Table II: accuracy and run time against r of safe subsampling."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise

from reproduce.papers.common.trainings import Trainings
from reproduce.papers.njet.cells import accuracy
from reproduce.papers.njet.deviations import cifar_deviations
from reproduce.papers.njet.speed import ratio, speed_jobs, step_seconds
from reproduce.papers.njet.trainings import JET, NJET_NIN, R, training_jobs
from reproduce.table import Cell, Setting, Table
from reproduce.verdicts.claims import Claim
from reproduce.verdicts.evidence import Evidence
from reproduce.verdicts.logic import Finding, all_of

RS = (2.0, 4.0, 6.0)


def trainings(setting: Setting, r: float) -> Trainings:
    """Return the trainings of N-Jet NiN with an r; for r = 4 they are those of table III."""
    name = "njet-nin" if r == R else f"njet-nin-r-{r:g}"
    return training_jobs(setting, name, replace(NJET_NIN, jet=replace(JET, subsampling=r)))


def cells(setting: Setting) -> list[Cell]:
    """Map the row of each r to its trainings, and to jobs that time steps with their final sigmas."""
    found = []
    for r in RS:
        row, (jobs, missing) = f"r-{r:g}", trainings(setting, r)
        timed = speed_jobs(setting, f"njet-nin-r-{r:g}", jobs)
        found += [
            accuracy(row, "accuracy", (jobs, missing)),
            Cell(row, "seconds", "timed", timed, step_seconds, missing=missing),
            Cell(row, "ratio", "timed", timed, ratio, missing=missing),
        ]
    return found


def _grows(column: str, evidence: Evidence) -> Finding:
    return all_of(*(evidence.greater((f"r-{more:g}", column), (f"r-{less:g}", column)) for less, more in pairwise(RS)))


QUOTE = (
    "As the value of r increases the accuracy also increases, however also the feature map sizes in the layers of the network increase, "
    "which affect the overall computational time"
)
CLAIMS = tuple(
    Claim(id, QUOTE, "section IV, experiment 2.2(A)", tested, partial(_grows, column))
    for id, column, tested in (
        ("accuracy-grows", "accuracy", "the accuracy at r = 6 exceeds that at r = 4, which exceeds that at r = 2"),
        (
            "time-grows",
            "ratio",
            "relative to a step of the plain network, a training step takes longer at r = 6 than at r = 4, and at r = 4 than at r = 2",
        ),
    )
)

TABLE = Table("njet.table2", cells, CLAIMS, partial(cifar_deviations, "table2"))
