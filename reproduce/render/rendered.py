"""What every format shows: the header, the cells as formatted lines in the paper's order, and the notes under them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from reproduce.claims import ClaimResult
    from reproduce.published import PublishedTable

OWN_ROWS = "Rows beside the paper's"
VERDICTS_WITH_TOLERANCE = ("within", "outside")


class Deviation(Protocol):
    """A place where the suite differs from the paper: anything with an id and one sentence."""

    @property
    def id(self) -> str:
        """A short name."""

    @property
    def text(self) -> str:
        """One sentence with the value used."""


@dataclass(frozen=True)
class Rendered:
    """A compared table with everything that is said of it; `data`, `seeds` and `device` say in words what was run."""

    table: PublishedTable
    profile: str
    data: str
    seeds: tuple[int, ...]
    device: str
    cells: pd.DataFrame
    claims: Sequence[ClaimResult] = ()
    deviations: Sequence[Deviation] = ()

    def __post_init__(self) -> None:
        if not (self.profile and self.data):
            raise ValueError(f"Expected `profile` and `data` to say what was run, but got '{self.profile}' and '{self.data}'.")


@dataclass(frozen=True)
class Line:
    """One cell, formatted; `note` numbers its reason, 0 where it has none."""

    quantity: str
    published: str
    reproduced: str
    difference: str
    verdict: str
    tolerance: str
    note: int

    @property
    def judged(self) -> str:
        """The verdict with its tolerance and the mark of its note."""
        mark = f"[{self.note}]" if self.note else ""
        return " ".join(part for part in (self.verdict, self.tolerance, mark) if part)


@dataclass(frozen=True)
class Block:
    """One row of the table with its lines."""

    label: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Section:
    """Rows under one heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Body:
    """The cells as text; `hidden` counts those that only the json holds."""

    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    hidden: int


def body(rendered: Rendered) -> Body:
    """Format the cells of a table, group by group.

    Equal reasons share one numbered note. Scores that the paper's table lacks stay out of its rows; a user's own rows are shown whole.

    Args:
        rendered: the table.

    Returns:
        The sections, the notes in order of their numbers, and how many cells were left out.
    """
    table = rendered.table
    titles = {row: group.title for group in table.groups for row in group.rows}
    records = [{str(key): value for key, value in record.items()} for record in rendered.cells.to_dict("records")]
    shown = [record for record in records if record["row_key"] not in table.rows or table.column(record["column"])]
    numbers: dict[str, int] = {}
    for record in shown:
        if record["reason"]:
            numbers.setdefault(record["reason"], len(numbers) + 1)
    sections: dict[str, dict[str, list[Line]]] = {}
    labels: dict[str, str] = {}
    for record in shown:
        key = record["row_key"]
        title = titles.get(key, "" if key in table.rows else OWN_ROWS)
        labels[key] = record["row"]
        sections.setdefault(title, {}).setdefault(key, []).append(_line(table, record, numbers.get(record["reason"], 0)))
    return Body(
        tuple(
            Section(title, tuple(Block(labels[key], tuple(lines)) for key, lines in blocks.items())) for title, blocks in sections.items()
        ),
        tuple(numbers),
        len(records) - len(shown),
    )


def header(rendered: Rendered) -> tuple[str, str, str]:
    """Say which table this is, whose, and on what it was measured.

    Args:
        rendered: the table.

    Returns:
        Three lines.
    """
    paper = rendered.table.paper
    return (
        f"{rendered.table.id}: {rendered.table.title}",
        f"{paper.short}, {paper.title}, {paper.venue} {paper.year}",
        measured_on(rendered.profile, rendered.data, rendered.seeds, rendered.device),
    )


def measured_on(profile: str, data: str, seeds: Sequence[int], device: str) -> str:
    """Say on what numbers were measured, in one line."""
    shown = ", ".join(map(str, seeds)) or "none"
    return " | ".join((f"profile {profile}", f"data: {data}", f"seeds: {shown}", f"device: {device or 'none'}"))


def summary(rendered: Rendered, hidden: int) -> str:
    """Count the verdicts.

    Args:
        rendered: the table.
        hidden: how many cells are not shown.

    Returns:
        One line.
    """
    counts = Counter(str(verdict) for verdict in rendered.cells["verdict"])
    parts = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    rest = f" ({hidden} of them in the json only)" if hidden else ""
    return f"{sum(counts.values())} cells{rest}: {parts}."


def _line(table: PublishedTable, record: dict[str, Any], note: int) -> Line:
    key = (record["row_key"], record["column"])
    digits = table.digits(*key)
    unit = "" if record["unit"] == "1" else f" {record['unit']}"
    several = record["n"] > 1 and record["kind"] != "exact"
    finer = digits + 1 if several else digits
    printed = table.by_key.get(key)
    verdict = record["verdict"]
    tolerance = record["tolerance"] if verdict in VERDICTS_WITH_TOLERANCE else None
    return Line(
        quantity=table.label(*key),
        published=printed.printed + unit if printed and printed.printed else "-",
        reproduced=_reproduced(record, finer, unit),
        difference=", ".join(_signed(number, finer) for number in _list(record["difference"])) or "-",
        verdict=verdict,
        tolerance="± " + ", ".join(f"{number:.{finer}f}" for number in _list(tolerance)) if tolerance is not None else "",
        note=note,
    )


def _reproduced(record: dict[str, Any], digits: int, unit: str) -> str:
    means, deviations = _list(record["mean"]), _list(record["std"])
    if not means:
        return "; ".join(_plain(value, digits) for value in record["values"]) or "-"
    shown = [f"{mean:.{digits}f}" for mean in means]
    if record["kind"] == "exact":
        return ", ".join(shown) + unit
    if deviations:
        shown = [f"{mean} ± {deviation:.{digits}f}" for mean, deviation in zip(shown, deviations, strict=True)]
    return f"{', '.join(shown)}{unit} ({record['n']})"


def _plain(value: float | list[float], digits: int) -> str:
    return ", ".join(f"{number:.{digits}f}" for number in _list(value))


def _signed(number: float, digits: int) -> str:
    text = f"{number:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def _list(value: float | list[float] | None) -> list[float]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
