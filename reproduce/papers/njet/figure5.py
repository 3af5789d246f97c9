"""Figure 5: the sigma that a toy network learns for resized MNIST."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from reproduce import figures
from reproduce.jobs.store import Store
from reproduce.papers.common.curves import curves, together
from reproduce.papers.common.trainings import Trainings
from reproduce.papers.njet.cells import accuracy, learned
from reproduce.papers.njet.deviations import toy_deviations
from reproduce.papers.njet.toys import FIGURE_5, MORE_SEEDS, READING, SEEDS, TOY, TOY_JET, toy_jobs
from reproduce.table import Cell, Setting, Table, Value
from reproduce.verdicts.claims import Claim
from reproduce.verdicts.evidence import Evidence
from reproduce.verdicts.logic import Finding, all_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESIZED = (1.0, 1.5, 2.0)  # factors by which digits are resized
AGREES = 0.1  # pixels: about the printed spread, 2 (0.04 + 0.04) / sqrt(3)
SIGMA = "sigma_1"


def trainings(setting: Setting, resized: float) -> Trainings:
    """Return the trainings of a network of one N-Jet layer on digits resized by a factor."""
    setting = replace(setting, seeds=max(SEEDS, setting.seeds))
    return toy_jobs(setting, FIGURE_5, "figure5", replace(TOY, layers=1, jet=TOY_JET), resized)


def _at_twice(resized: float, metrics: Mapping[str, Any]) -> Value:
    return float(metrics[SIGMA] * RESIZED[-1] / resized)


def cells(setting: Setting) -> list[Cell]:
    """Map the row of each size to its trainings."""
    found = []
    for resized in RESIZED:
        row, seeds = f"x{resized:g}", trainings(setting, resized)
        jobs, missing = seeds
        found += [
            learned(row, "sigma", seeds, SIGMA, READING),
            Cell(row, "sigma_at_2x", "trained", jobs, partial(_at_twice, resized), missing=missing, caveat=READING),
            accuracy(row, "accuracy", seeds, READING),
        ]
    return found


def figure(setting: Setting, store: Store) -> Figure | None:
    """Draw sigma against the training step, one line per size; return None if no run is done."""
    found = {resized: curves(trainings(setting, resized)[0], store, f"trajectory/{SIGMA}") for resized in RESIZED}
    jobs = [job for seeds in found.values() for job in seeds]
    if not jobs:
        return None

    lines = [
        figures.trajectories.Trajectory(f"{resized:g}x", resized, *together(seeds.values())) for resized, seeds in found.items() if seeds
    ]
    panel = figures.trajectories.Panel("Resized MNIST", lines, "sigma in pixels", "resized", start=TOY_JET.sigma)
    return figures.trajectories.draw([panel], [figures.caption.of(setting.profile, jobs, store)])


def _follows(evidence: Evidence) -> Finding:
    return all_of(*(evidence.greater((f"x{more:g}", "sigma"), (f"x{less:g}", "sigma")) for less, more in pairwise(RESIZED)))


CLAIMS = (
    Claim(
        "ratio-is-close",
        "(2.0/1.5) sigma_1.5 = 2.81 ± 0.04 ≈ sigma_2.0 = 2.82 ± 0.04",
        "section IV, experiment 1.2(A)",
        f"the two are within {AGREES:g} pixels of each other",
        lambda evidence: evidence.at_most_apart(("x1.5", "sigma_at_2x"), ("x2", "sigma_at_2x"), AGREES),
    ),
    Claim(
        "sigma-follows-size",
        "The learned sigma values follow the input resizing",
        "section IV, experiment 1.2(A)",
        "sigma at 2x exceeds sigma at 1.5x, which exceeds sigma at 1x; no printed sigma at 1x was found",
        _follows,
    ),
)

TABLE = Table("njet.figure5", cells, CLAIMS, partial(toy_deviations, "figure5"), figure=figure, more_seeds=MORE_SEEDS)
