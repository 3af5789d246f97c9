"""Cells of plain tables: each number is a metric of the row's own jobs, as the columns in `paper.toml` declare."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from reproduce.papers.common.trainings import Trainings
from reproduce.table import Cell, Setting, Value, metric, percent
from reproduce.verdicts.printed import Column
from reproduce.verdicts.published import load

Jobs = Callable[[Setting, str, str], Trainings | None]


def value_of(column: Column) -> Callable[[Any], Value | None]:
    """Return what a column takes from a run's metrics: in percent where its unit says so.

    Raises:
        ValueError: the column declares no metric.
    """
    if not column.metric:
        raise ValueError(f"Expected the column `{column.key}` to declare its `metric` in paper.toml, but it does not.")
    return partial(percent if column.unit == "%" else metric, column.metric)


def plain_cells(table: str, jobs: Jobs, setting: Setting) -> list[Cell]:
    """Map every cell of a table's CSV to the metric that its column declares, of the jobs of its row and column.

    Args:
        table: its full name.
        jobs: from the setting and the keys of a row and a column to jobs, one a seed, and what is missing to run them; None where the paper
            only quotes a number.
        setting: what the user chose.
    """
    published = load(table)
    cells = []
    for row, key in published.by_key:
        column, found = published.column(key), jobs(setting, row, key)
        assert column is not None
        if found is None:
            cells.append(Cell(row, key, "published", (), lambda _: None))
        else:
            cells.append(Cell(row, key, column.kind, found[0], value_of(column), missing=found[1], metric=column.metric))
    return cells
