"""The cells of a dilation sweep beside the networks that learn f: tables 1 and 2."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from lightning_modules.layers.receptive_field import inflated_receptive_field
from reproduce.job import Job
from reproduce.papers.adaptive_rf.helen import start_weights
from reproduce.papers.adaptive_rf.values import learned_receptive_field, metric
from reproduce.published import load
from reproduce.specs import AdaptiveVGG
from reproduce.table import Cell, Setting

Trainings = tuple[tuple[Job, ...], str]  # and what is missing to run them


def random_start(setting: Setting) -> str:
    """Return the caveat of numbers that lack the published start weights."""
    return "started from random weights" if setting.profile == "paper" and start_weights(setting) is None else ""


def baseline_cells(
    setting: Setting, network: AdaptiveVGG, slug: str, revision: int, score: Cell, trainings: Iterable[tuple[int, Trainings]]
) -> list[Cell]:
    """Return receptive field and score of each baseline.

    Args:
        setting: what the user chose.
        network: the published one; its dilation is set here.
        slug: of the jobs that compute sizes: `<slug>-baseline-8-sizes`.
        revision: of the method.
        score: the score's column, and its value from a job's metrics; its row and jobs are set here.
        trainings: by dilation.
    """
    cells = []
    for dilation, (jobs, missing) in trainings:
        row = f"baseline-{dilation}"
        plain = replace(network, dilation=dilation, inflated=False, norm=False)
        size = Job("describe", f"{slug}-{row}-sizes", plain, revision=revision, runtime=setting.runtime)
        cells.append(Cell(row, "rf_fc6", "exact", (size,), partial(metric, "receptive_field")))
        cells.append(replace(score, row_key=row, jobs=jobs, missing=missing, caveat=random_start(setting)))
    return cells


def modified_cells(
    setting: Setting, table: str, kernel_size: int, score: Cell, trainings: Iterable[tuple[str, int, Trainings]]
) -> list[Cell]:
    """Return f, both receptive fields and the score of each network that learns f.

    Args:
        setting: what the user chose.
        table: whose printed f is held against its printed receptive field.
        kernel_size: of fc6.
        score: as for `baseline_cells`.
        trainings: by row and initial dilation.
    """
    published = load(table)
    cells = []
    for row, dilation, (jobs, missing) in trainings:
        extent = (kernel_size - 1) * dilation + 1
        printed = published.by_key[row, "f"].value
        assert isinstance(printed, float)  # a test holds the rows to the CSV
        audited = float(inflated_receptive_field(printed, extent))
        said: dict[str, Any] = {"missing": missing, "caveat": random_start(setting)}
        cells.append(Cell(row, "f", "trained", jobs, partial(metric, "f"), **said))
        cells.append(Cell(row, "rf_fc6", "exact", (), lambda _, audited=audited: audited, audit=True))  # type: ignore[misc]
        cells.append(Cell(row, "rf_fc6_learned", "trained", jobs, partial(learned_receptive_field, extent), **said))
        cells.append(replace(score, row_key=row, jobs=jobs, **said))
    return cells
