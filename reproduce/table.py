"""Tables: cells with the jobs that compute them."""

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
    """A known difference from the paper, or our choice if the paper gives no value."""

    id: str
    text: str


@dataclass(frozen=True)
class Setting:
    """A user's settings for a table: profile, number of seeds, data root, runtime, precision, and a file with the user's own rows."""

    profile: Profile
    seeds: int = 1
    data_root: Path | None = None
    runtime: Runtime = field(default=Runtime())
    precision: str = PRECISIONS[0]
    own: Path | None = None


@dataclass(frozen=True)
class Cell:
    """One number of a table, and how it is computed.

    Args:
        row_key: Key of the published row.
        column: Column of the published table.
        kind: Kind of the number; see the words in CONTRIBUTING.
        jobs: Jobs, one per seed; empty if `value` is arithmetic on printed numbers.
        value: Function from a job's metrics to the number.
        audit: Whether the printed number is compared with the paper's own formula.
        audited_by: Column of this row's audit cell with the same printed number; if that is inconsistent, this cell gets no verdict.
        missing: Text on what the jobs still need before they can run, and how to get it.
        curve: Whether `value` also reads the run's curve, as `metrics["curve"]`: the lines of metrics.jsonl.
        caveat: Reason why the number cannot be compared with the printed number, even with verified data and the profile `paper`; for a
            user's own row, a description of the row.
        label: Label of a row that is not in the paper.
        metric: Metric of the run's result, if the number is exactly that metric.
    """

    row_key: str
    column: str
    kind: Kind
    jobs: tuple[Job, ...]
    value: Callable[[Mapping[str, Any]], Value | None]
    audit: bool = False
    audited_by: str = ""
    missing: str = ""
    label: str = ""
    caveat: str = ""
    curve: bool = False
    metric: str = ""


def nothing(cells: Sequence[Cell]) -> Sequence[Cell]:
    """Return no cells: the default of `Table.beside`."""
    return ()


@dataclass(frozen=True)
class Table:
    """A published table: its cells, the paper's claims, our deviations, the cells that only the json shows, and its figure.

    `figure` draws with matplotlib from stored runs. It returns None if runs or weights that it needs are missing. `more_seeds` is the
    reason why its cells may have more seeds than the user asks for.
    """

    id: str
    cells: Callable[[Setting], Sequence[Cell]]
    claims: tuple[Claim, ...]
    deviations: Callable[[Setting], Sequence[Deviation]]
    beside: Callable[[Sequence[Cell]], Sequence[Cell]] = nothing
    figure: Callable[[Setting, Store], Figure | None] | None = None
    more_seeds: str = ""


def metric(name: str, metrics: Mapping[str, Any]) -> Value | None:
    """Return a run's metric by name."""
    value: Value | None = metrics[name]
    return value


def percent(name: str, metrics: Mapping[str, Any]) -> float | None:
    """Return a metric from 0 to 1 in percent; None if the run has no number for it."""
    value: float | None = metrics[name]
    return None if value is None else 100 * value
