"""Cells of plain tables: each number is the metric that its column declares in `paper.toml`, from the jobs of its row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from reproduce.papers.common.trainings import Trainings
from reproduce.table import Cell, Setting, Value, metric, percent
from reproduce.verdicts.printed import Column
from reproduce.verdicts.published import load

Jobs = Callable[[Setting, str, str], Trainings | None]


def value_of(column: Column) -> Callable[[Any], Value | None]:
    """Return the function that reads a column's number from a run's metrics; in percent if the column's unit is %.

    Raises:
        ValueError: The column declares no metric.
    """
    if not column.metric:
        raise ValueError(f"Expected the column `{column.key}` to declare its `metric` in paper.toml, but it does not.")
    return partial(percent if column.unit == "%" else metric, column.metric)


def plain_cells(table: str, jobs: Jobs, setting: Setting, *, caveats: Mapping[str, str] = {}) -> list[Cell]:
    """Map every cell of a table's CSV to the metric that its column declares, of the jobs of its row and column.

    Args:
        table: Full name of the table.
        jobs: Function of the setting and the keys of a row and a column. It returns the jobs, one per seed, and a text that names missing
            data; or None if the paper only quotes the number.
        setting: Choices of the user.
        caveats: Reasons, by row, why its numbers cannot be compared with the printed ones; see `Cell`.
    """
    published = load(table)
    cells = []
    for row, key in published.by_key:
        column, found = published.column(key), jobs(setting, row, key)
        assert column is not None
        if found is None:
            cells.append(Cell(row, key, "published", (), lambda _: None))
        else:
            said: dict[str, Any] = {"missing": found[1], "metric": column.metric, "caveat": caveats.get(row, "")}
            cells.append(Cell(row, key, column.kind, found[0], value_of(column), **said))
    return cells
