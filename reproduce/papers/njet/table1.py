"""Table I: accuracy against a fixed sigma, with the subsampling of the plain network and with safe subsampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from reproduce.papers.njet.cells import accuracy
from reproduce.papers.njet.deviations import cifar_deviations
from reproduce.papers.njet.trainings import JET, NIN, R, training_jobs
from reproduce.table import Cell, Setting, Table
from reproduce.verdicts.claims import Claim
from reproduce.verdicts.evidence import Evidence, maximum, spread
from reproduce.verdicts.logic import Finding, all_of

SIGMAS = (0.5, 1.0, 2.0)
COLUMNS = {"baseline": (True, None), "safe": (False, R)}  # whether the poolings stay, and r


def cells(setting: Setting) -> list[Cell]:
    """Map the row of each sigma to trainings of N-Jet NiNs that keep this sigma."""
    return [
        accuracy(
            _row(sigma),
            column,
            training_jobs(
                setting,
                f"nin-{column}-sigma-{sigma:g}".replace(".", "-"),
                replace(NIN, pooling=pooling, jet=replace(JET, sigma=sigma, learn_sigma=False, subsampling=r)),
            ),
        )
        for sigma in SIGMAS
        for column, (pooling, r) in COLUMNS.items()
    ]


def _row(sigma: float) -> str:
    return f"sigma-{sigma:g}"


def _column(column: str, sigmas: Sequence[float] = SIGMAS) -> list[tuple[str, str]]:
    return [(_row(sigma), column) for sigma in sigmas]


def _one_is_best(evidence: Evidence) -> Finding:
    return all_of(*(evidence.greater((_row(1.0), column), maximum(*_column(column, (0.5, 2.0)))) for column in COLUMNS))


CLAIMS = (
    Claim(
        "wrong-sigma-costs",
        "a wrong setting of sigma can influence the classification accuracy up to 3%",
        "section IV, experiment 2.1(A)",
        "under safe subsampling, the highest and the lowest accuracy are more than 1 point apart; the table itself was not found",
        lambda evidence: evidence.greater(spread(*_column("safe")), 1.0),
    ),
    Claim(
        "safe-more-affected",
        "The safe-subsampling setting is affected more by the choice of sigma than the baseline subsampling",
        "section IV, experiment 2.1(A)",
        "the highest and the lowest accuracy are further apart under safe subsampling than under the baseline's subsampling",
        lambda evidence: evidence.greater(spread(*_column("safe")), spread(*_column("baseline"))),
    ),
    Claim(
        "one-is-best",
        "sigma = 1.0 achieves the best performance on this setting",
        "section IV, experiment 2.1(A)",
        "the accuracy at sigma = 1 exceeds those at 0.5 and at 2, under either subsampling",
        _one_is_best,
    ),
)

TABLE = Table("njet.table1", cells, CLAIMS, partial(cifar_deviations, "table1"))
