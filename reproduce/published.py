"""The papers' side: printed numbers, read from `tables/<paper>/paper.toml` and one long CSV per table."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from reproduce.plugins import plugin, plugins

Value = float | list[float]

CSV_HEADER = ("row_key", "row", "column", "unit", "published", "source", "note")


@dataclass(frozen=True)
class Paper:
    """One paper: its folder's name, what a header shows of it, and the names of its tables."""

    id: str
    short: str
    title: str
    authors: tuple[str, ...]
    venue: str
    year: int
    tables: tuple[str, ...]
    bare: bool = False  # whether its tables may be named without it, where another paper has one of that name too


@dataclass(frozen=True)
class Column:
    """One quantity of a table.

    Args:
        key: in the CSV.
        label: for people.
        unit: of its numbers.
        digits: shown behind the point.
        tolerance: declared by this suite; it decides where fewer than three seeds were run.
        tolerance_reason: for people.
        metric: of a run's result, where a cell is just that; a share from 0 to 1 is shown in percent where the unit says so.
        kind: of its cells, where `metric` is given.
    """

    key: str
    label: str
    unit: str
    digits: int
    tolerance: float | None = None
    tolerance_reason: str = ""
    metric: str = ""
    kind: Literal["exact", "trained", "timed"] = "trained"


@dataclass(frozen=True)
class Group:
    """Rows under one heading; `labels` renames columns inside it."""

    title: str
    rows: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PublishedCell:
    """One printed number, as printed: `91.16`, or `91.16±0.12` with its standard deviation.

    Several numbers in one cell are separated by commas (so no thousands separators).
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
        """The number or the list of numbers, or None where nothing is printed."""
        return _plain([float(number) for number, _ in self._parts])

    @property
    def std(self) -> Value | None:
        """The printed standard deviation or deviations, or None where none is printed."""
        return _plain([float(std) for _, std in self._parts]) if "±" in self.printed else None

    @property
    def digits(self) -> int | None:
        """Digits after the decimal point, the most of a list, or None where nothing is printed."""
        return max((max(0, -int(Decimal(number).as_tuple().exponent)) for number, _ in self._parts), default=None)

    @property
    def shown(self) -> tuple[str, ...]:
        """The numbers as printed, one by one, with blanks around `±`."""
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
    groups: tuple[Group, ...]
    cells: tuple[PublishedCell, ...]
    own: bool = False  # whether it is a comparison of this suite's own, of which the paper prints nothing

    @cached_property
    def prints(self) -> bool:
        """Whether the paper prints any of its numbers."""
        return any(cell.printed for cell in self.cells)

    @property
    def nature(self) -> str:
        """What it is, where it is not a table of printed numbers; else nothing."""
        if self.own:
            return "a comparison of our own"
        drawn = self.id.partition(".")[2].startswith("figure")
        return "" if self.prints else "a figure: the paper prints no numbers" if drawn else "its printed numbers were not found"

    @property
    def heading(self) -> str:
        """The title, with what it is where it is not a table of printed numbers."""
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
        """The column of that key, or None where the table has none."""
        return next((column for column in self.columns if column.key == key), None)

    def label(self, row_key: str, column: str) -> str:
        """The label of a column in that row: its group's name for it, else the column's, else the key itself."""
        for group in self.groups:
            if row_key in group.rows and column in group.labels:
                return group.labels[column]
        known = self.column(column)
        return known.label if known else column

    def digits(self, row_key: str, column: str) -> int:
        """Digits to show: those printed in the cell, or the column's where they are more ("about 2"); 4 of an unknown column."""
        cell, known = self.by_key.get((row_key, column)), self.column(column)
        printed = cell.digits if cell is not None else None
        return max(printed or 0, known.digits if known else 0 if printed is not None else 4)


def papers() -> list[Paper]:
    """Read the entries of all papers that there are, in the order of their names."""
    return [paper(id) for id in plugins()]


def paper(id: str) -> Paper:
    """Read a paper's entry.

    Raises:
        ValueError: there is no such paper, or its paper.toml is broken.
    """
    return _paper(id, _toml(plugin(id).published / "paper.toml"))


def table_ids() -> list[str]:
    """List the full names of all tables.

    Returns:
        Names `paper.table`, paper by paper.
    """
    return [f"{paper.id}.{table}" for paper in papers() for table in paper.tables]


def resolve(name: str) -> str:
    """Turn `paper.table` into itself, and `table` into the full name of the one table, or the one of a `bare` paper, that is called so.

    Raises:
        ValueError: where no such table is known, or several are.
    """
    known = table_ids()
    if name in known:
        return name
    if "." in name:
        raise ValueError(f"Expected `table` to be one of {', '.join(known)}, but got '{name}'.")
    owners = [paper for paper in papers() if name in paper.tables]
    chosen = owners if len(owners) == 1 else [paper for paper in owners if paper.bare]
    if len(chosen) != 1:
        said = [f"{paper.id}.{name}" for paper in owners] or known
        raise ValueError(f"Expected `table` to be one of {', '.join(said)}, but got '{name}'.")
    return f"{chosen[0].id}.{name}"


def resolve_all(names: Iterable[str]) -> list[str]:
    """Turn what a user typed into tables' full names, each once; a paper's name stands for all of its tables.

    Raises:
        ValueError: where no such table or paper is known.
    """
    whole = {paper.id: [f"{paper.id}.{table}" for table in paper.tables] for paper in papers()}
    return list(dict.fromkeys(id for name in names for id in whole.get(name) or [resolve(name)]))


def load(name: str) -> PublishedTable:
    """Read one published table.

    Args:
        name: as `resolve` takes it.

    Returns:
        The table, checked: columns declared, cells unique, groups complete, every empty number explained.

    Raises:
        ValueError: where the name is unknown or the files contradict each other.
    """
    table_id = resolve(name)
    paper_id, _, table = table_id.partition(".")
    folder = plugin(paper_id).published
    declared = _toml(folder / "paper.toml")
    entry = declared["tables"][table]
    columns = tuple(Column(**column) for column in entry["columns"])
    groups = tuple(Group(group["title"], tuple(group["rows"]), group.get("labels", {})) for group in entry.get("groups", []))
    cells = _cells(folder / f"{table}.csv", {column.key for column in columns})
    _check_groups(table_id, groups, cells)
    result = PublishedTable(table_id, _paper(paper_id, declared), entry["title"], columns, groups, cells, entry.get("own", False))
    if result.own and result.prints:
        raise ValueError(f"Expected no printed number in `{table}.csv`, which `paper.toml` calls our own: leave out `own`, or the numbers.")
    return result


def _plain(numbers: list[float]) -> Value | None:
    return numbers if len(numbers) > 1 else next(iter(numbers), None)


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _paper(paper_id: str, declared: dict[str, Any]) -> Paper:
    return Paper(
        id=paper_id,
        short=declared["short"],
        title=declared["title"],
        authors=tuple(declared["authors"]),
        venue=declared["venue"],
        year=declared["year"],
        tables=tuple(declared["tables"]),
        bare=declared.get("bare", False),
    )


def _cells(path: Path, columns: set[str]) -> tuple[PublishedCell, ...]:
    with path.open(encoding="utf-8", newline="") as handle:
        lines = list(csv.reader(handle, strict=True))
    if tuple(lines[0]) != CSV_HEADER:
        raise ValueError(f"Expected `{path.name}` to start with the header {','.join(CSV_HEADER)}, but got {','.join(lines[0])}.")
    cells = []
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(CSV_HEADER):
            raise ValueError(f"Expected {len(CSV_HEADER)} fields in `{path.name}` line {number}, but got {len(line)}: quote commas.")
        cells.append(_checked(PublishedCell(*line), f"`{path.name}` line {number}", columns))
    keys = [(cell.row_key, cell.column) for cell in cells]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"Expected every cell of `{path.name}` once, but got {key} {keys.count(key)} times.")
    return tuple(cells)


def _checked(cell: PublishedCell, where: str, columns: set[str]) -> PublishedCell:
    if cell.column not in columns:
        raise ValueError(f"Expected `column` in {where} to be one of {', '.join(sorted(columns))}, but got '{cell.column}'.")
    if not cell.printed and not cell.note:
        raise ValueError(f"Expected `note` in {where} to say why no number is known, but got nothing.")
    try:
        _ = cell.value, cell.std, cell.digits
    except (ValueError, InvalidOperation):
        known = "a number or several with commas, all with ± or none"
        raise ValueError(f"Expected `published` in {where} to be {known}, but got '{cell.printed}'.") from None
    return cell


def _check_groups(table_id: str, groups: tuple[Group, ...], cells: tuple[PublishedCell, ...]) -> None:
    grouped = [row for group in groups for row in group.rows]
    printed = list(dict.fromkeys(cell.row_key for cell in cells))
    if groups and grouped != printed:
        raise ValueError(f"Expected the groups of `{table_id}` to hold the rows {printed} in this order, but got {grouped}.")
