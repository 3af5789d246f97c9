"""Cells of plain tables: each number is a metric of the row's own jobs, as the columns in `paper.toml` declare."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from reproduce.metrics import metric, percent
from reproduce.papers.common.trainings import Trainings
from reproduce.published import Column, load
from reproduce.table import Cell, Setting, Value

Jobs = Callable[[Setting, str], Trainings | None]


def value_of(column: Column) -> Callable[[Any], Value]:
    """Return what a column takes from a run's metrics: in percent where its unit says so.

    Raises:
        ValueError: the column declares no metric.
    """
    if not column.metric:
        raise ValueError(f"Expected the column `{column.key}` to declare its `metric` in paper.toml, but it does not.")
    return partial(percent if column.unit == "%" else metric, column.metric)


def plain_cells(table: str, jobs: Jobs, setting: Setting) -> list[Cell]:
    """Map every printed cell of a table to the metric that its column declares, of its row's jobs.

    Args:
        table: its full name.
        jobs: from the setting and a row's key to its jobs, one a seed, and what is missing to run them; None where it is only quoted.
        setting: what the user chose.
    """
    published = load(table)
    found = {row: jobs(setting, row) for row in published.rows}
    cells = []
    for row, key in published.by_key:
        column, trained = published.column(key), found[row]
        assert column is not None
        if trained is None:
            cells.append(Cell(row, key, "published", (), lambda _: None))
        else:
            cells.append(Cell(row, key, column.kind, trained[0], value_of(column), missing=trained[1], metric=column.metric))
    return cells
