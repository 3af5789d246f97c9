"""Our own comparison: the cost of a training step against f. Section 5.1 calls this cost unaffordable, but gives no number."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from lightning_modules.layers.windows import inflated_size
from reproduce import figures
from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.papers.adaptive_rf.helen import SCALES, training_jobs
from reproduce.papers.adaptive_rf.specs import StepCost
from reproduce.specs import SGD, Constant
from reproduce.table import Cell, Deviation, Profile, Setting, Table
from reproduce.verdicts.claims import Claim
from reproduce.verdicts.evidence import Evidence
from reproduce.verdicts.logic import Finding, all_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FACTORS = (0.5, 0.71, 1.0, 1.41, 2.0, 2.83, 4.0)  # in steps of about the square root of two; section 4.2 allows 0.25 to 4
CELLS = 62  # cells of pool5 along an axis, in every profile
DILATION = 8
ROUNDS: dict[Profile, int] = {"paper": 20, "small": 7, "demo": 7}
ONE = FACTORS.index(1.0)

Metrics = Mapping[str, Any]


def cost_jobs(setting: Setting) -> tuple[tuple[Job, ...], str]:
    """Return jobs that measure table 1's training steps at a learning rate of zero, one per seed, and a text that names missing data."""
    task = StepCost(FACTORS, ROUNDS[setting.profile])
    trainings, missing = training_jobs(setting, DILATION, inflated=True)
    recipe = replace(SCALES[setting.profile].recipe, steps=task.steps, optimizer=SGD(0.0), schedule=Constant())
    return tuple(
        replace(job, task=task, slug=f"adaptive-rf-cost-{setting.profile}", recipe=recipe, start=None) for job in trainings
    ), missing


def cells_ratio(factor: float) -> float:
    """Return the number of cells that fc6 sees, divided by their number at f = 1."""
    return (inflated_size(CELLS, factor) / CELLS) ** 2


def seconds(metrics: Metrics) -> list[float]:
    """Return the seconds of a step for each factor: the median over rounds."""
    return [statistics.median(rounds) for rounds in metrics["seconds"]]


def memory(metrics: Metrics) -> list[float]:
    """Return the peak memory of a step in MiB for each factor."""
    peaks: list[float] = metrics["memory_mib"]
    return peaks


def _at(values: Any, index: int, metrics: Metrics) -> float:
    return float(values(metrics)[index])


def _ratio(values: Any, index: int, metrics: Metrics) -> float:
    return float(values(metrics)[index] / values(metrics)[ONE])


def _quartile(which: int, index: int, metrics: Metrics) -> float:
    rounds: list[float] = metrics["seconds"][index]
    return statistics.quantiles(rounds, n=4, method="inclusive")[which]


def fit(values: Sequence[float]) -> dict[str, float]:
    """Fit values = a + b f^2 by least squares; return a, b and R^2, the explained share of the variance."""
    squares = [factor**2 for factor in FACTORS]
    line = statistics.linear_regression(squares, values)
    return {"constant": line.intercept, "slope": line.slope, "r2": statistics.correlation(squares, values) ** 2}


def _fitted(values: Any, name: str, metrics: Metrics) -> float:
    return fit(values(metrics))[name]


def cells(setting: Setting) -> list[Cell]:
    """Map the rows, one per factor, to one job per seed, which measures all factors."""
    jobs, missing = cost_jobs(setting)

    def timed(row: str, column: str, value: Any) -> Cell:
        return Cell(row, column, "timed", jobs, value, missing=missing)

    found = [timed("before", "memory", lambda metrics: metrics["memory_before_mib"])]
    for index, factor in enumerate(FACTORS):
        row = _row(factor)
        found.append(Cell(row, "cells_ratio", "exact", (), lambda _, factor=factor: cells_ratio(factor)))  # type: ignore[misc]
        for column, ratio, values in (("seconds", "time_ratio", seconds), ("memory", "memory_ratio", memory)):
            found += [timed(row, column, partial(_at, values, index)), timed(row, ratio, partial(_ratio, values, index))]
    for quantity, values in (("time", seconds), ("memory", memory)):
        found += [timed("fit", f"{quantity}_{name}", partial(_fitted, values, name)) for name in ("constant", "slope", "r2")]
    return found


def _row(factor: float) -> str:
    return f"f-{factor:g}"


def beside(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells that only the json shows: the quartiles over rounds."""
    return [
        replace(cell, column=column, value=partial(_quartile, which, index))
        for index, cell in enumerate(cell for cell in cells if cell.column == "seconds")
        for which, column in ((0, "seconds_lower_quartile"), (2, "seconds_upper_quartile"))
    ]


def samples(setting: Setting, store: Store) -> tuple[dict[float, list[float]], dict[float, list[float]]]:
    """Return median seconds and peak memory in bytes of a step, by factor, one value per finished job; both empty if no job is done."""
    jobs, _ = cost_jobs(setting)
    results = [result["metrics"] for result in (store.run(job).result for job in jobs) if result is not None]
    if not results:
        return {}, {}
    times = {factor: [seconds(metrics)[index] for metrics in results] for index, factor in enumerate(FACTORS)}
    peaks = {factor: [memory(metrics)[index] * 2**20 for metrics in results] for index, factor in enumerate(FACTORS)}
    return times, peaks


def figure(setting: Setting, store: Store) -> Figure | None:
    """Draw time and memory of a step against f; return None if no job is done."""
    seconds, memory = samples(setting, store)
    if not seconds:
        return None
    from reproduce.papers.adaptive_rf.drawing import cost

    jobs, _ = cost_jobs(setting)
    return cost(seconds, memory, [figures.caption.of(setting.profile, [job for job in jobs if store.run(job).done], store)])


def _grows(column: str, evidence: Evidence) -> Finding:
    return all_of(*(evidence.greater((_row(more), column), (_row(less), column)) for less, more in ((1, 2), (2, 4))))


QUOTE = (
    "using extremely greater initial dilations requires learning greater f, which means unaffordable memory load and time cost as feature "
    "maps become much larger accordingly"
)
CLAIMS = tuple(
    Claim(
        id,
        QUOTE,
        "section 5.1",
        f"the part about {part}: {subject} at f = 4 than at f = 2, and at f = 2 than at f = 1",
        partial(_grows, column),
    )
    for id, column, part, subject in (
        ("maps-grow", "cells_ratio", "the feature maps", "fc6 sees more cells"),
        ("time-grows", "seconds", "the time", "a step takes longer"),
        ("memory-grows", "memory", "the memory", "the peak memory of a step is higher"),
    )
)


def deviations(setting: Setting) -> list[Deviation]:
    """Describe what was measured, and how."""
    scale = SCALES[setting.profile]
    network, recipe = scale.network, scale.recipe
    texts = {
        "own": 'This is our own comparison: the paper calls the cost "unaffordable" and prints no number for it.',
        "step": (
            f"We measure steps of table 1's training from an initial dilation of {DILATION}: forward, loss, backward and SGD, without data "
            f"loading. The batch has {recipe.batch_size} pictures of {scale.data.size} pixels. The network is VGG-16 at {network.width:g} "
            f"of its width, with {network.head_channels} channels in fc6 and fc7, in {setting.precision}. Weights are random and the "
            "learning rate is zero, so all steps are alike."
        ),
        "time": (
            f"One process per seed takes one step at each value of f in turn, {ROUNDS[setting.profile]} times. The table shows medians, "
            "the json also quartiles. The command runs nothing else meanwhile, but other load on the machine disturbs the times."
        ),
        "memory": (
            "Peak memory of one step. On a GPU it is the memory that torch allocated. Else it is the resident memory of the process, with "
            "libraries, data and the allocator's overhead; free memory is returned to the system before the step. The row `before` is the "
            "memory in use before the first step."
        ),
        "device": "The numbers are of the device named above. To measure on another device, use `runs rerun`.",
        "cells": (
            "The cells of fc6 are the cells of its input, floor(61 f) + 1 along an axis (equation 2). The column divides their number by "
            "that at f = 1, which is 62 along an axis."
        ),
    }
    return [Deviation(id, text) for id, text in texts.items()]


TABLE = Table("adaptive_rf.cost", cells, CLAIMS, deviations, beside, figure)
