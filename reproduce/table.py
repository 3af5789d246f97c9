"""A table as the machine sees it: cells that know their jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.specs import Runtime

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reproduce.verdicts.claims import Claim

PROFILES = ("paper", "small", "demo")
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")  # Lightning's names, the default first
Profile = Literal["paper", "small", "demo"]
Kind = Literal["exact", "trained", "timed", "published"]
Value = float | list[float]  # a cell holds one number, or several
CellKey = tuple[str, str]  # row_key, column


@dataclass(frozen=True)
class Deviation:
    """A place where we knowingly differ from the paper, or where it is silent."""

    id: str
    text: str


@dataclass(frozen=True)
class Setting:
    """What a user chose for a table: how big, which data, how many seeds, where, and a file with rows of their own."""

    profile: Profile
    seeds: int = 1
    data_root: Path | None = None
    runtime: Runtime = field(default=Runtime())
    precision: str = PRECISIONS[0]
    own: Path | None = None


@dataclass(frozen=True)
class Cell:
    """One number of a table and how it is had.

    Args:
        row_key: of the published row.
        column: of the published table.
        kind: see the words in CONTRIBUTING.
        jobs: one a seed; none where `value` is arithmetic on printed numbers.
        value: from a job's metrics to the number.
        audit: whether the printed number is held against the paper's own formula.
        missing: what has to be had before the jobs can run, and how.
        curve: whether `value` also reads the run's curve, as `metrics["curve"]`: the lines of metrics.jsonl.
        caveat: why the number cannot be compared with the printed one even on verified data in the paper's profile; of a user's own row,
            what it is.
        label: of a row that the paper lacks.
        metric: of the run's result, where the number is just that.
    """

    row_key: str
    column: str
    kind: Kind
    jobs: tuple[Job, ...]
    value: Callable[[Mapping[str, Any]], Value | None]
    audit: bool = False
    missing: str = ""
    label: str = ""
    caveat: str = ""
    curve: bool = False
    metric: str = ""


def nothing(cells: Sequence[Cell]) -> Sequence[Cell]:
    """Return no cells: what a table has beside its own, unless it says otherwise."""
    return ()


@dataclass(frozen=True)
class Table:
    """A published table: how its cells are had, what the paper says of it, where we differ, what only the json shows, and its figure.

    A figure is drawn with matplotlib from stored runs; None where no run that it needs is there yet.
    """

    id: str
    cells: Callable[[Setting], Sequence[Cell]]
    claims: tuple[Claim, ...]
    deviations: Callable[[Setting], Sequence[Deviation]]
    beside: Callable[[Sequence[Cell]], Sequence[Cell]] = nothing
    figure: Callable[[Setting, Store], Figure | None] | None = None


def metric(name: str, metrics: Mapping[str, Any]) -> Value | None:
    """Return a metric of a run by its name."""
    value: Value | None = metrics[name]
    return value


def percent(name: str, metrics: Mapping[str, Any]) -> float | None:
    """Return a metric from 0 to 1 in percent; None where the run has no number for it."""
    value: float | None = metrics[name]
    return None if value is None else 100 * value
