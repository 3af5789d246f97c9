"""What the store has for the cells of a table: a sample a cell and seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reproduce.jobs.job import Job, earlier
from reproduce.jobs.store import State, Store, interrupted_reason
from reproduce.table import Cell, CellKey, Kind, Table, Value


@dataclass(frozen=True)
class Sample:
    """One seed's number of a cell, or why there is none.

    Args:
        row_key: of the cell.
        column: of the cell.
        kind: of the cell.
        profile: that the job ran in.
        state: of the run.
        seed: of the job; 0 where the number needs none.
        value: the number or numbers; None unless the run is done.
        reason: why there is no number, or why it cannot be compared with the printed one.
        job: the run's name; empty where the number is arithmetic on printed ones.
        data: what was measured on, in words.
        verified: whether the data, and that of all stages before, is what it is called.
        device: that computed.
        audit: see `Cell`.
        row: the label of a row that the paper lacks.

    Raises:
        ValueError: a number without the data and profile that it was measured on.
    """

    row_key: str
    column: str
    kind: Kind
    profile: str
    state: State
    seed: int = 0
    value: Value | None = None
    reason: str = ""
    job: str = ""
    data: str = ""
    verified: bool = False
    device: str = ""
    audit: bool = False
    row: str = ""

    def __post_init__(self) -> None:
        if self.numbers is not None and self.kind != "exact" and not (self.profile and self.data):
            raise ValueError(f"Expected `profile` and `data` of {self.key} to say what its number was measured on, but got nothing.")

    @property
    def key(self) -> CellKey:
        """The cell's row and column."""
        return self.row_key, self.column

    @property
    def numbers(self) -> tuple[float, ...] | None:
        """The numbers; None unless the run is done and all of them are finite."""
        if self.state != "done" or self.value is None:
            return None
        numbers = tuple(map(float, self.value if isinstance(self.value, list | tuple) else (self.value,)))
        return numbers if all(math.isfinite(number) for number in numbers) else None

    @property
    def failure(self) -> str:
        """Why the run failed; empty where it did not."""
        if self.state == "done" and self.numbers is None:
            return "ended without a finite number"
        return f"failed: {self.reason or 'no reason recorded'}" if self.state == "failed" else ""

    @property
    def waiting(self) -> str:
        """What the number waits for; empty where it waits for nothing."""
        if self.state in ("running", "interrupted"):
            return f"{self.state}: {self.reason}" if self.reason else self.state
        return (self.reason or "not started") if self.state == "todo" else ""


def measure_table(table: Table, cells: Sequence[Cell], store: Store, profile: str, command: str) -> list[Sample]:
    """Return the samples of a table's cells, and of what only its json holds.

    Of the latter, a number that a finished run does not have is left out: the IoU of a class that its pictures lack, say.

    Args:
        table: whose `beside` is asked.
        cells: of the table.
        store: of the runs.
        profile: that the cells are of.
        command: that gets what is missing; reasons quote it.
    """
    beside = measure(table.beside(cells), store, profile, command)
    return [*measure(cells, store, profile, command), *(sample for sample in beside if sample.state != "done" or sample.value is not None)]


def measure(cells: Iterable[Cell], store: Store, profile: str, command: str) -> list[Sample]:
    """Return the samples of cells; see `measure_table`."""
    return [sample for cell in cells for sample in _samples(cell, store, profile, command)]


def _samples(cell: Cell, store: Store, profile: str, command: str) -> list[Sample]:
    if cell.jobs:
        return [_sample_of(cell, profile, seed=job.seed, job=job.name, **_measured(cell, job, store, command)) for job in cell.jobs]
    if cell.missing:
        return [_sample_of(cell, profile, state="todo", reason=cell.missing)]
    return [_sample_of(cell, profile, state="done", value=cell.value({}), verified=True)]


def _sample_of(cell: Cell, profile: str, **found: Any) -> Sample:
    return Sample(cell.row_key, cell.column, cell.kind, profile, audit=cell.audit, row=cell.label, **found)


def _measured(cell: Cell, job: Job, store: Store, command: str) -> dict[str, Any]:
    """Return what a job's run says of a cell: fields of its sample."""
    run = store.run(job)
    state, result = run.state, run.result
    if state != "done" or result is None:
        return {"state": state, "reason": _absence(cell, job, store, state, command)}
    data, metrics = result.get("data") or {}, result["metrics"] | {"confusion": result.get("confusion")}
    if cell.curve:
        metrics["curve"] = run.curve
    try:
        value = cell.value(metrics)
    except KeyError as error:  # a network or data of another kind, or a column that names no metric
        known = ", ".join(sorted(metrics.keys() - {"confusion", "curve"}))
        return {"state": "failed", "reason": f"no metric '{error.args[0]}' in the run; it has {known}"}
    return {
        "state": "done", "value": value, "reason": cell.caveat, "data": described(data) + started_on(data, result.get("start")),
        "verified": _vouched(data, result.get("start")) and job.start_official and not cell.caveat,
        "device": result["provenance"]["device"],
    }  # fmt: skip


def _absence(cell: Cell, job: Job, store: Store, state: State, command: str) -> str:
    """Say why a job has no result, and what gets one."""
    run = store.run(job)
    if state == "failed":
        return run.error
    if state == "running":
        return interrupted_reason(run.progress) if run.progress else "just begun"
    if state == "interrupted":
        return f"{interrupted_reason(run.progress)}; `{command}` goes on" if run.progress else f"`{command}` goes on"
    stale = next((f"revision {old.revision}" for old in earlier(job) if store.run(old).done), "")
    outdated = None if stale else store.outdated(job)
    if outdated is not None:
        stale = f"{outdated.name}, of an earlier version of this suite"
    return (
        f"an older result ({stale}) is stale: {cell.missing or f'`{command}` gets a new one'}"
        if stale
        else (cell.missing or f"`{command}` gets it")
    )


def described(data: Mapping[str, Any]) -> str:
    """Say what was measured on, so that nothing passes for a set that it is not."""
    if not data:
        return ""
    kinds = {"synthetic": "made-up data in the layout of {}", "not official": "not the official {}", "own": "{}", "noise": "{}"}
    return f"{kinds.get(data['status'], '{} (' + data['status'] + ')').format(data['set'])}: {data['detail']}"


def started_on(data: Mapping[str, Any], start: Mapping[str, Any] | None) -> str:
    """Say on which other set the weights were trained before, that a run starts from; nothing where it is the same."""
    while start and "job" in start:
        before = start.get("data") or {}
        if before and (before["set"], before["status"]) != (data.get("set"), data.get("status")):
            return f", from weights of {described(before)}"
        start = start.get("start")
    return ""


def _vouched(data: Mapping[str, Any], start: Mapping[str, Any] | None) -> bool:
    """Whether the data of a run, and of all runs that its weights come from, is what it is called."""
    if data and data["status"] not in ("verified", "counts", "noise"):
        return False
    return not start or "job" not in start or bool(start.get("data") and _vouched(start["data"], start.get("start")))


def measured_on(profile: str, data: str, seeds: Sequence[int], device: str) -> str:
    """Say in one line what numbers were measured on."""
    shown = ", ".join(map(str, seeds)) or "none"
    return " | ".join((f"profile {profile}", f"data: {data}", f"seeds: {shown}", f"device: {device or 'none'}"))
