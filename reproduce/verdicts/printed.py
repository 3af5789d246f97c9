"""Printed tables of a paper: columns, rows and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Literal

from reproduce.table import Value


@dataclass(frozen=True)
class Paper:
    """A paper: the name of its folder, the entries for a table's header, and the names of its tables."""

    id: str
    short: str
    title: str
    authors: tuple[str, ...]
    venue: str
    year: int
    tables: tuple[str, ...]
    bare: bool = False  # whether `table` alone means this paper's table if another paper has a table of the same name


@dataclass(frozen=True)
class Column:
    """One quantity of a table.

    Args:
        key: Key in the CSV.
        label: Label for readers.
        unit: Unit of its numbers.
        digits: Digits to show after the decimal point.
        tolerance: Tolerance that this suite declares; it decides if fewer than three seeds were run.
        tolerance_reason: Reason for the tolerance, for readers.
        metric: Metric of a run's result, if a cell is just that metric; a share from 0 to 1 is shown in percent if the unit is percent.
        kind: Kind of its cells, if `metric` is given.
        counts_differ: Whether the paper compares rows of it that count different pixels, for example of different splits.
        runs: Number of runs behind each printed number, if the paper says it.
        quantum: Step between two values that its numbers can have; None for the last digit.
    """

    key: str
    label: str
    unit: str
    digits: int
    tolerance: float | None = None
    tolerance_reason: str = ""
    metric: str = ""
    kind: Literal["exact", "trained", "timed"] = "trained"
    counts_differ: bool = False
    runs: int | None = None
    quantum: float | None = None


@dataclass(frozen=True)
class RowGroup:
    """Rows under one heading; `labels` renames columns for these rows."""

    title: str
    rows: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PublishedCell:
    """One printed number, as printed: `91.16`, or `91.16±0.12` with its standard deviation.

    Commas separate several numbers in one cell, so there are no thousands separators.
    """

    row_key: str
    row: str
    column: str
    unit: str
    printed: str
    source: str
    note: str

    @property
    def value(self) -> Value | None:
        """Number or list of numbers; None if nothing is printed."""
        return _plain([float(number) for number, _ in self._parts])

    @property
    def std(self) -> Value | None:
        """Printed standard deviation or list of them; None if none is printed."""
        return _plain([float(std) for _, std in self._parts]) if "±" in self.printed else None

    @property
    def digits(self) -> int | None:
        """Number of digits after the decimal point, in a list the largest; None if nothing is printed."""
        return max((max(0, -int(Decimal(number).as_tuple().exponent)) for number, _ in self._parts), default=None)

    @property
    def shown(self) -> tuple[str, ...]:
        """Numbers as printed, one text per number, with spaces around `±`."""
        return tuple(" ± ".join(part for part in parts if part) for parts in self._parts)

    @property
    def _parts(self) -> list[tuple[str, str]]:
        """Each printed number and its standard deviation, as printed."""
        parts = (part.partition("±") for part in self.printed.split(",") if self.printed)
        return [(number.strip(), std.strip()) for number, _, std in parts]


@dataclass(frozen=True)
class PublishedTable:
    """One published table in the paper's order."""

    id: str
    paper: Paper
    title: str
    columns: tuple[Column, ...]
    groups: tuple[RowGroup, ...]
    cells: tuple[PublishedCell, ...]
    own: bool = False  # whether it is this suite's own comparison; the paper then prints no number of it

    @cached_property
    def prints(self) -> bool:
        """Whether the paper prints any of its numbers."""
        return any(cell.printed for cell in self.cells)

    @property
    def nature(self) -> str:
        """Description of a table without printed numbers; empty for any other table."""
        if self.own:
            return "a comparison of our own"
        drawn = self.id.partition(".")[2].startswith("figure")
        return "" if self.prints else "a figure: the paper prints no numbers" if drawn else "its printed numbers were not found"

    @property
    def heading(self) -> str:
        """Title, with the `nature` of the table if it has one."""
        return f"{self.title} ({self.nature})" if self.nature else self.title

    @cached_property
    def by_key(self) -> dict[tuple[str, str], PublishedCell]:
        """The cells by (row_key, column)."""
        return {(cell.row_key, cell.column): cell for cell in self.cells}

    @cached_property
    def rows(self) -> dict[str, str]:
        """Row labels by row_key, in the paper's order."""
        return {cell.row_key: cell.row for cell in self.cells}

    def column(self, key: str) -> Column | None:
        """Return the column of a key, or None if the table has no such column."""
        return next((column for column in self.columns if column.key == key), None)

    def label(self, row_key: str, column: str) -> str:
        """Return the label of a column in a row: from the row's group, else from the column, else the key itself."""
        for group in self.groups:
            if row_key in group.rows and column in group.labels:
                return group.labels[column]
        known = self.column(column)
        return known.label if known else column

    def digits(self, row_key: str, column: str) -> int:
        """Return the digits to show: those printed in the cell, or the column's if these are more ("about 2"); 4 for an unknown column."""
        cell, known = self.by_key.get((row_key, column)), self.column(column)
        printed = cell.digits if cell is not None else None
        return max(printed or 0, known.digits if known else 0 if printed is not None else 4)

    def quantum(self, row_key: str, column: str) -> float:
        """Return the step between two values that a number can have: the column's, or else one of the last digit."""
        known = self.column(column)
        return known.quantum if known is not None and known.quantum is not None else 10.0 ** -self.digits(row_key, column)


def _plain(numbers: list[float]) -> Value | None:
    return numbers if len(numbers) > 1 else next(iter(numbers), None)
