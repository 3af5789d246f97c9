"""Cells of tables 1, 2 and 3: the baselines of a dilation sweep, and the networks that learn f."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from reproduce.jobs.job import Job
from reproduce.papers.adaptive_rf.specs import AdaptiveVGG
from reproduce.papers.adaptive_rf.values import by_section_3_3, learned_receptive_field
from reproduce.papers.common.starts import random_start
from reproduce.papers.common.trainings import Trainings
from reproduce.specs import Describe, Network
from reproduce.table import Cell, Setting, metric
from reproduce.verdicts.published import load


def plain(network: AdaptiveVGG, dilation: int) -> AdaptiveVGG:
    """Return the published baseline with a dilation."""
    return replace(network, dilation=dilation, inflated=False, norm=False)


def baseline_cells(
    setting: Setting, slug: str, revision: int, score: Cell, trainings: Iterable[tuple[str, Network, Trainings]]
) -> list[Cell]:
    """Return the cells of receptive field and score of each baseline.

    Args:
        setting: Choices of the user.
        slug: Start of the slugs of the jobs that compute sizes: `<slug>-<row>-sizes`.
        revision: Revision of the method.
        score: Cell with the score's column and its function of a job's metrics; row and jobs are set here.
        trainings: Row, published network and trainings of each baseline.
    """
    cells = []
    for row, network, (jobs, missing) in trainings:
        size = Job(Describe(), f"{slug}-{row}-sizes", network, revision=revision, runtime=setting.runtime)
        cells.append(Cell(row, "rf_fc6", "exact", (size,), partial(metric, "receptive_field")))
        cells.append(replace(score, row_key=row, jobs=jobs, missing=missing, caveat=random_start(setting)))
    return cells


def modified_cells(
    setting: Setting, table: str, kernel_size: int, score: Cell, trainings: Iterable[tuple[str, int, Trainings]]
) -> list[Cell]:
    """Return the cells of f, both receptive fields and the score of each network that learns f; with several paths, values are lists.

    Args:
        setting: Choices of the user.
        table: Table whose printed receptive fields are checked against its printed f.
        kernel_size: Kernel size of fc6.
        score: Same as in `baseline_cells`.
        trainings: Row, initial dilation and trainings of each network.
    """
    published = load(table)
    cells = []
    for row, dilation, (jobs, missing) in trainings:
        extent = (kernel_size - 1) * dilation + 1
        audited = by_section_3_3(extent, published.by_key[row, "f"].value)
        said: dict[str, Any] = {"missing": missing, "caveat": random_start(setting)}
        cells.append(Cell(row, "f", "trained", jobs, partial(metric, "f"), **said))
        cells.append(Cell(row, "rf_fc6", "exact", (), lambda _, audited=audited: audited, audit=True))  # type: ignore[misc]
        learned = Cell(row, "rf_fc6_learned", "trained", jobs, partial(learned_receptive_field, extent), audited_by="rf_fc6", **said)
        cells.append(learned)
        cells.append(replace(score, row_key=row, jobs=jobs, **said))
    return cells
