"""Published tables, read from `tables/<paper>/paper.toml` and one long CSV per table."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, replace
from decimal import InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from reproduce.plugins import plugin, plugins
from reproduce.verdicts.printed import Column, Paper, PublishedCell, PublishedTable, RowGroup

Declared = TypeVar("Declared", Column, RowGroup)

CSV_HEADER = ("row_key", "row", "column", "unit", "published", "source", "note")


def papers() -> list[Paper]:
    """Read the entries of all papers, in the order of their names."""
    return [paper(id) for id in plugins()]


def paper(id: str) -> Paper:
    """Read a paper's entry.

    Raises:
        ValueError: No such paper exists, or its paper.toml is broken.
    """
    return _paper(id, _toml(plugin(id).published / "paper.toml"))


def table_ids() -> list[str]:
    """List the full names of all tables.

    Returns:
        Names `paper.table`, paper by paper.
    """
    return [f"{paper.id}.{table}" for paper in papers() for table in paper.tables]


def resolve(name: str) -> str:
    """Return the full name of a table.

    `paper.table` is a full name already. `table` alone must be the name of exactly one table, or of exactly one table of `bare` papers.

    Raises:
        ValueError: No such table is known, or several are.
    """
    id, dot, table = name.partition(".")
    if dot and id in plugins() and table in paper(id).tables:
        return name  # without reading the other papers
    known = table_ids()
    if dot:
        hint = "" if id in plugins() else "; add the paper of a folder by --paper"
        raise ValueError(f"Expected `table` to be one of {', '.join(known)}, but got '{name}'{hint}.")
    owners = [paper for paper in papers() if name in paper.tables]
    chosen = owners if len(owners) == 1 else [paper for paper in owners if paper.bare]
    if len(chosen) != 1:
        said = [f"{paper.id}.{name}" for paper in owners] or known
        raise ValueError(f"Expected `table` to be one of {', '.join(said)}, but got '{name}'.")
    return f"{chosen[0].id}.{name}"


def resolve_all(names: Sequence[str]) -> list[str]:
    """Return the full names of the tables that a user typed, each once; a paper's name stands for all of its tables.

    Raises:
        ValueError: No such table or paper is known.
    """
    whole = {name: [f"{name}.{table}" for table in paper(name).tables] for name in names if name in plugins()}
    return list(dict.fromkeys(id for name in names for id in whole.get(name) or [resolve(name)]))


def load(name: str) -> PublishedTable:
    """Read one published table.

    Args:
        name: Name of the table, as for `resolve`.

    Returns:
        Checked table: columns are declared, cells are unique, groups are complete, and every empty number has a note.

    Raises:
        ValueError: The name is unknown, or the files contradict each other.
    """
    table_id = resolve(name)
    paper_id, _, table = table_id.partition(".")
    folder = plugin(paper_id).published
    declared = _toml(folder / "paper.toml")
    entry = declared["tables"][table]
    _check_keys(entry, ("title", "columns"), f"[tables.{table}] of {folder / 'paper.toml'}")
    columns = tuple(_read(Column, column, f"a column of {table_id} in {folder / 'paper.toml'}") for column in entry["columns"])
    read = [_read(RowGroup, group, f"a group of {table_id} in {folder / 'paper.toml'}") for group in entry.get("groups", [])]
    groups = tuple(replace(group, rows=tuple(group.rows)) for group in read)
    cells = _cells(folder / f"{table}.csv", {column.key for column in columns})
    _check_groups(table_id, groups, cells)
    result = PublishedTable(table_id, _paper(paper_id, declared), entry["title"], columns, groups, cells, entry.get("own", False))
    if result.own and result.prints:
        raise ValueError(f"Expected no printed number in `{table}.csv`, which `paper.toml` marks as `own`: remove `own` or the numbers.")
    return result


def _read(kind: type[Declared], values: Mapping[str, Any], where: str) -> Declared:
    """Return a column or group that paper.toml declares, or raise ValueError for an unknown or a missing key."""
    known = {item.name: item.default is MISSING and item.default_factory is MISSING for item in fields(kind)}
    unknown, lacking = sorted(values.keys() - known.keys()), [name for name, needed in known.items() if needed and name not in values]
    if unknown or lacking:
        said = f"but got `{unknown[0]}`" if unknown else f"but got no `{lacking[0]}`"
        raise ValueError(f"Expected {where} to have the keys {', '.join(known)}, {said}.")
    return kind(**values)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"Expected {path} to be TOML, but it is not ({error}).") from error


@lru_cache(maxsize=64)
def _parsed(text: str) -> dict[str, Any]:
    """Parse a text once; listing asks for a paper's text once per table."""
    return tomllib.loads(text)


def _check_keys(declared: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    lacking = [f"`{name}`" for name in names if name not in declared]
    if lacking:
        raise ValueError(f"Expected {where} to have {', '.join(lacking)}, but it does not.")


def _paper(paper_id: str, declared: dict[str, Any]) -> Paper:
    _check_keys(declared, ("short", "title", "authors", "venue", "year", "tables"), f"the paper.toml of {paper_id}")
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
            raise ValueError(
                f"Expected {len(CSV_HEADER)} fields in `{path.name}` line {number}, but got {len(line)}: quote fields with commas."
            )
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
        known = "one number, or several separated by commas, all with ± or all without"
        raise ValueError(f"Expected `published` in {where} to be {known}, but got '{cell.printed}'.") from None
    return cell


def _check_groups(table_id: str, groups: tuple[RowGroup, ...], cells: tuple[PublishedCell, ...]) -> None:
    grouped = [row for group in groups for row in group.rows]
    printed = list(dict.fromkeys(cell.row_key for cell in cells))
    if groups and grouped != printed:
        apart = [*(row for row in printed if row not in grouped), *(row for row in grouped if row not in printed)]
        said = f"but only one of them has {', '.join(apart)}" if apart else f"but got {grouped} in paper.toml"
        raise ValueError(
            f"Expected the groups of `{table_id}` in paper.toml to have the rows of its CSV in the same order, {printed}, {said}."
        )
