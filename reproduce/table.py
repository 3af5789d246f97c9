"""A table as the machine sees it: cells that know their jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reproduce.claims import Claim
from reproduce.job import Job, earlier
from reproduce.specs import Runtime
from reproduce.store import Store, interrupted_reason

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROFILES = ("paper", "small", "demo")
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")  # Lightning's names, the default first
Profile = Literal["paper", "small", "demo"]
Value = float | list[float] | None


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
    kind: Literal["exact", "trained", "timed", "published"]
    jobs: tuple[Job, ...]
    value: Callable[[Mapping[str, Any]], Value]
    audit: bool = False
    missing: str = ""
    label: str = ""
    caveat: str = ""
    curve: bool = False
    metric: str = ""


@dataclass(frozen=True)
class Table:
    """A published table: how its cells are had, what the paper says of it, where we differ, what only the json shows, and its figure.

    A figure is drawn with matplotlib from stored runs; None where no run that it needs is there yet.
    """

    id: str
    cells: Callable[[Setting], Sequence[Cell]]
    claims: tuple[Claim, ...]
    deviations: Callable[[Setting], Sequence[Deviation]]
    beside: Callable[[Sequence[Cell]], Sequence[Cell]] = lambda cells: ()
    figure: Callable[[Setting, Store], Figure | None] | None = None


def measure_table(table: Table, cells: Sequence[Cell], store: Store, profile: str, command: str) -> list[dict[str, Any]]:
    """Return what the store has for cells of a table and for what its json holds beside them.

    Of the latter, what a finished run does not have is left out: the IoU of a class that its pictures lack, say.
    """
    beside = measure(table.beside(cells), store, profile, command)
    return [*measure(cells, store, profile, command), *(line for line in beside if line["state"] != "done" or line["value"] is not None)]


def measure(cells: Sequence[Cell], store: Store, profile: str, command: str) -> list[dict[str, Any]]:
    """Return what the store has for cells: a line a cell and seed, with the fields that `compare` reads."""
    lines = []
    for cell in cells:
        base: dict[str, Any] = {"row_key": cell.row_key, "row": cell.label, "column": cell.column, "kind": cell.kind}
        base |= {"audit": cell.audit, "profile": profile}
        if not cell.jobs and not cell.missing:
            value = cell.value({})
            lines.append(
                base | {"seed": 0, "value": value, "state": "done", "reason": "", "job": "", "data": "", "verified": True, "device": ""}
            )
        elif not cell.jobs:
            lines.append(base | _absent("todo", cell.missing))
        for job in cell.jobs:
            lines.append(base | _measured(cell, job, store, command))
    return lines


def _absent(state: str, reason: str, job: Job | None = None) -> dict[str, Any]:
    return {
        "seed": job.seed if job else 0, "value": None, "state": state, "reason": reason, "job": job.name if job else "",
        "data": "", "verified": False, "device": "",
    }  # fmt: skip


def described(data: Mapping[str, Any]) -> str:
    """Say what was measured on, so that nothing passes for a set that it is not."""
    if not data:
        return ""
    kinds = {"synthetic": "made-up data in the layout of {}", "not official": "not the official {}", "own": "{}", "noise": "{}"}
    return f"{kinds.get(data['status'], '{} (' + data['status'] + ')').format(data['set'])}: {data['detail']}"


def _vouched(data: Mapping[str, Any], start: Mapping[str, Any] | None) -> bool:
    """Whether the data of a run, and of all runs that its weights come from, is what it is called."""
    if data and data["status"] not in ("verified", "counts", "noise"):
        return False
    return not start or "job" not in start or bool(start.get("data") and _vouched(start["data"], start.get("start")))


def started_on(data: Mapping[str, Any], start: Mapping[str, Any] | None) -> str:
    """Say on which other set the weights were trained before, that a run starts from; nothing where it is the same."""
    while start and "job" in start:
        before = start.get("data") or {}
        if before and (before["set"], before["status"]) != (data.get("set"), data.get("status")):
            return f", from weights of {described(before)}"
        start = start.get("start")
    return ""


def _measured(cell: Cell, job: Job, store: Store, command: str) -> dict[str, Any]:
    """Return one seed's part of a row."""
    run = store.run(job)
    state, result = run.state, run.result
    if state != "done" or result is None:
        stale = next((old.revision for old in earlier(job) if store.run(old).done), None) if state == "todo" else None
        old = store.outdated(job) if state == "todo" and stale is None else None
        if stale is not None or old is not None:
            which = f"revision {stale}" if old is None else f"{old.name}, of an earlier version of this suite"
            return _absent(state, f"an older result ({which}) is stale: {cell.missing or f'`{command}` gets a new one'}", job)
        reasons = {
            "failed": run.error,
            "running": interrupted_reason(run.progress) if run.progress else "just begun",
            "interrupted": f"{interrupted_reason(run.progress)}; `{command}` goes on" if run.progress else f"`{command}` goes on",
            "todo": cell.missing or f"`{command}` gets it",
        }
        return _absent(state, reasons[state], job)
    data, metrics = result.get("data") or {}, result["metrics"] | {"confusion": result.get("confusion")}
    if cell.curve:
        metrics["curve"] = run.curve
    try:
        value = cell.value(metrics)
    except KeyError as error:  # a network or data of another kind, or a column that names no metric
        known = ", ".join(sorted(metrics.keys() - {"confusion", "curve"}))
        return _absent("failed", f"no metric '{error.args[0]}' in the run; it has {known}", job)
    return {
        "seed": job.seed, "value": value, "state": "done", "reason": cell.caveat, "job": job.name,
        "data": described(data) + started_on(data, result.get("start")),
        "verified": _vouched(data, result.get("start")) and job.start_official and not cell.caveat,
        "device": result["provenance"]["device"],
    }  # fmt: skip
