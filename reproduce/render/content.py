"""Content of every format: the header, the cells as formatted lines in the paper's order, and the notes under them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from reproduce.verdicts.compare import NOT_PRINTED
from reproduce.verdicts.measured import measured_on

if TYPE_CHECKING:
    from reproduce.table import Deviation, Value
    from reproduce.verdicts.claims import ClaimResult
    from reproduce.verdicts.compare import ComparedCell
    from reproduce.verdicts.printed import PublishedTable

OWN_ROWS = "Rows beside the paper's"
VERDICTS_WITH_TOLERANCE = ("within", "outside", "undecided")
# Columns of a line. If the paper prints no number of a table, cells show the state of their runs instead of a verdict.
COLUMNS = ("quantity", "published", "reproduced", "difference", "verdict")
COLUMNS_UNPRINTED = ("quantity", "reproduced", "state")


@dataclass(frozen=True)
class Drawing:
    """A figure: the path of its PNG file as seen from the working directory, and its SVG as text."""

    png: Path
    svg: str


@dataclass(frozen=True)
class ComparedTable:
    """A compared table with its claims, deviations and figure; `data`, `seeds` and `device` describe what was run."""

    table: PublishedTable
    profile: str
    data: str
    seeds: tuple[int, ...]
    device: str
    cells: Sequence[ComparedCell]
    claims: Sequence[ClaimResult] = ()
    deviations: Sequence[Deviation] = ()
    figure: Drawing | None = None

    def __post_init__(self) -> None:
        if not (self.profile and self.data):
            raise ValueError(f"Expected `profile` and `data` to say what was run, but got '{self.profile}' and '{self.data}'.")


@dataclass(frozen=True)
class RenderedCell:
    """A formatted cell, with one text per number of the cell.

    `verdict` is empty if none is shown. `note` is the number of the note with the reason, or 0 if there is no reason.
    """

    quantity: str
    published: tuple[str, ...]
    reproduced: tuple[str, ...]
    difference: tuple[str, ...]
    tolerance: tuple[str, ...]
    verdict: str
    note: int

    @property
    def judged(self) -> tuple[str, ...]:
        """Verdict with its tolerance and the number of its note."""
        first, *rest = self.tolerance or ("",)
        mark = f"[{self.note}]" if self.note else ""
        return (" ".join(part for part in (self.verdict, first, mark) if part), *rest)

    def texts(self, columns: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the texts of columns, one line per number."""
        texts = {"quantity": (self.quantity,), "published": self.published, "reproduced": self.reproduced}
        texts |= {"difference": self.difference, "verdict": self.judged, "state": self.judged}
        return list(zip_longest(*(texts[column] for column in columns), fillvalue=""))


@dataclass(frozen=True)
class RenderedRow:
    """One row of the table with its cells."""

    label: str
    cells: tuple[RenderedCell, ...]


@dataclass(frozen=True)
class RenderedGroup:
    """Rows under one heading."""

    title: str
    rows: tuple[RenderedRow, ...]


@dataclass(frozen=True)
class Body:
    """The cells as text, and the columns to show.

    Args:
        groups: Cells, group by group.
        columns: Some of `COLUMNS` or of `COLUMNS_UNPRINTED`.
        notes: Notes in the order of their numbers.
        counts: Verdicts with their counts, the most frequent first; cells that only the json shows are counted too.
        hidden: Number of cells that only the json shows.
        claims: One sentence on the tested claims; empty if none is tested.
    """

    groups: tuple[RenderedGroup, ...]
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]
    hidden: int
    claims: str

    @property
    def lines(self) -> list[RenderedCell]:
        """All cells, in order."""
        return [line for group in self.groups for row in group.rows for line in row.cells]

    @property
    def counted(self) -> str:
        """Number of cells, and where to find those that are not shown."""
        rest = f" ({self.hidden} of them in the json only)" if self.hidden else ""
        total = sum(count for _, count in self.counts)
        return f"{total} cell{'s' if total != 1 else ''}{rest}"

    @property
    def summary(self) -> str:
        """The counts as one line, with those of the claims."""
        cells = f"{self.counted}: {', '.join(f'{count} {verdict}' for verdict, count in self.counts)}."
        return f"{cells} {self.claims}".rstrip()


@dataclass(frozen=True)
class TestedClaim:
    """A claim, its results on the printed numbers and on ours, and one sentence with the reason per result."""

    id: str
    text: str
    results: tuple[tuple[str, str], ...]
    because: tuple[str, ...]


def body(rendered: ComparedTable) -> Body:
    """Format the cells of a table, group by group.

    Equal reasons share one numbered note. In the paper's rows, scores that its table lacks are hidden; a user's own rows are shown in full.
    If the paper prints no number of the table, the title says so, and the cells do not repeat it.

    Args:
        rendered: Compared table.

    Returns:
        Content that every format shows.
    """
    table = rendered.table
    titles = {row: group.title for group in table.groups for row in group.rows}
    shown = [cell for cell in rendered.cells if cell.row_key not in table.rows or table.column(cell.column)]
    notes = [note for note in dict.fromkeys(_note(table, cell) for cell in shown) if note]
    found: dict[str, dict[str, list[RenderedCell]]] = {}
    labels: dict[str, str] = {}
    for cell in shown:
        key, note = cell.row_key, _note(table, cell)
        title = titles.get(key, "" if key in table.rows else OWN_ROWS)
        labels[key] = cell.row
        line = _line(table, cell, notes.index(note) + 1 if note else 0)
        found.setdefault(title, {}).setdefault(key, []).append(line)
    eventful = any(_verdict(table, cell) or _note(table, cell) for cell in shown)
    groups = {title: tuple(RenderedRow(labels[key], tuple(lines)) for key, lines in rows.items()) for title, rows in found.items()}
    return Body(
        tuple(RenderedGroup(title, rows) for title, rows in groups.items()),
        COLUMNS if table.prints else COLUMNS_UNPRINTED if eventful else COLUMNS_UNPRINTED[:-1],
        tuple(notes),
        tuple(Counter(_verdict(table, cell) or "measured" for cell in rendered.cells).most_common()),
        len(rendered.cells) - len(shown),
        _claims_counted(rendered.claims),
    )


def _claims_counted(claims: Sequence[ClaimResult]) -> str:
    """Say how many claims were tested on our numbers, at which level, and with which results."""
    truths = Counter(claim["holds"] for claim in claims if claim["holds"] != "not tested")
    levels = {claim["level"] for claim in claims if claim["holds"] != "not tested"} - {None}
    if not truths:
        return ""
    error = "".join(f", each with an error of at most {level:.0%} for yes and for no" for level in levels)
    total = truths.total()
    said = ", ".join(f"{count} {truth}" for truth, count in truths.most_common())
    return f"{total} claim{'s' if total != 1 else ''} tested{error}: {said}."


def tested(rendered: ComparedTable) -> tuple[str, list[TestedClaim]]:
    """Return the paper's claims with their results.

    Args:
        rendered: Compared table.

    Returns:
        Title and claims; if the paper prints no number of the table, only the results on our numbers.
    """
    everywhere = rendered.table.prints
    first = 0 if everywhere else 1
    claims = []
    for claim in rendered.claims:
        printed, _, ours = claim["reason"].partition(" Ours: ")
        results, because = (("printed", claim["printed"]), ("ours", claim["holds"])), (printed, f"Ours: {ours}")
        claims.append(TestedClaim(claim["id"], claim["text"], results[first:], because[first:]))
    return f"The paper's claims, tested on {'the printed numbers and on ours' if everywhere else 'our numbers'}", claims


def header(rendered: ComparedTable) -> tuple[str, str, str]:
    """Return the header of a table.

    Args:
        rendered: Compared table.

    Returns:
        Three lines: the table, its paper, and what it was measured on.
    """
    paper = rendered.table.paper
    return (
        f"{rendered.table.id}: {rendered.table.heading}",
        f"{paper.short}, {paper.title}, {paper.venue} {paper.year}",
        measured_on(rendered.profile, rendered.data, rendered.seeds, rendered.device),
    )


def _verdict(table: PublishedTable, cell: ComparedCell) -> str:
    """Return the verdict to show; empty for `unpublished` if the paper prints no number of the table."""
    verdict = str(cell.verdict)
    return "" if verdict == "unpublished" and not table.prints else verdict


def _note(table: PublishedTable, cell: ComparedCell) -> str:
    """Return the text of a cell's note; if the verdict is not shown, only the states of its runs."""
    reason = cell.reason
    if _verdict(table, cell):
        return reason
    printed = table.by_key.get(cell.key)
    return reason.removeprefix(printed.note if printed else NOT_PRINTED).removeprefix("; ")


def _line(table: PublishedTable, cell: ComparedCell, note: int) -> RenderedCell:
    key = cell.key
    digits = table.digits(*key)
    unit = "" if cell.unit == "1" else f" {cell.unit}"
    several = cell.n > 1 and cell.kind != "exact"
    finer = digits + 1 if several else digits
    printed = table.by_key.get(key)
    verdict = _verdict(table, cell)
    tolerance = cell.tolerance if verdict in VERDICTS_WITH_TOLERANCE else None
    return RenderedCell(
        quantity=table.label(*key),
        published=tuple(f"{number}{unit}" for number in (printed.shown if printed else ())) or ("-",),
        reproduced=_reproduced(cell, finer, unit),
        difference=tuple(_signed(number, finer) for number in _list(cell.difference)) or ("-",),
        tolerance=tuple(f"± {number:.{finer}f}" for number in _list(tolerance)),
        verdict=verdict,
        note=note,
    )


def _reproduced(cell: ComparedCell, digits: int, unit: str) -> tuple[str, ...]:
    means, deviations = _list(cell.mean), _list(cell.std)
    if not means:  # no numbers, or lists of different lengths, which have no mean
        return tuple(_plain(value, digits) for value in cell.values) or ("-",)
    shown = [f"{mean:.{digits}f}" for mean in means]
    if deviations:
        shown = [f"{mean} ± {deviation:.{digits}f}" for mean, deviation in zip(shown, deviations, strict=True)]
    seeds = "" if cell.kind == "exact" else f" ({cell.n})"
    return tuple(f"{number}{unit}{seeds}" for number in shown)


def _plain(value: Value, digits: int) -> str:
    return ", ".join(f"{number:.{digits}f}" for number in _list(value))


def _signed(number: float, digits: int) -> str:
    text = f"{number:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def _list(value: Value | None) -> list[float]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
