"""Samples: the numbers in the store for a table's cells, one sample per cell and seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from reproduce.jobs.job import Job, earlier
from reproduce.jobs.result import BadResult, check_curve, check_ranges
from reproduce.jobs.store import CURVE, Run, State, Store, interrupted_reason
from reproduce.table import Cell, CellKey, Kind, Setting, Table, Value


@dataclass(frozen=True)
class Sample:
    """The number of a cell for one seed, or the reason why there is none.

    Args:
        row_key: Row of the cell.
        column: Column of the cell.
        kind: Kind of the cell.
        profile: Profile of the job.
        state: State of the run.
        seed: Seed of the job; 0 if there is no job.
        value: Number or numbers; None unless the run is done.
        reason: Reason why there is no number, or why it is not comparable with the printed one even on verified data.
        job: Name of the run; empty if the number is arithmetic on printed numbers.
        data: Data of the measurement, in words.
        verified: Whether the data, and the data of all earlier stages, is what its name says.
        device: Device of the measurement.
        counted: Numbers of images and of labelled pixels (or pictures) in the evaluation; None without an evaluation.
        audit: See `Cell`.
        audited_by: See `Cell`.
        row: Label of a row that the paper lacks.

    Raises:
        ValueError: A number comes without its profile and data.
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
    counted: tuple[int, int | None] | None = None
    audit: bool = False
    audited_by: str = ""
    row: str = ""

    def __post_init__(self) -> None:
        if self.numbers is not None and self.kind != "exact" and not (self.profile and self.data):
            raise ValueError(f"Expected `profile` and `data` of {self.key} to say what its number was measured on, but got nothing.")

    @property
    def key(self) -> CellKey:
        """Row and column of the cell."""
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
        """Reason why the run failed; empty if it did not fail."""
        if self.state == "done" and self.numbers is None:
            return "ended without a finite number"
        return f"failed: {self.reason or 'no reason recorded'}" if self.state == "failed" else ""

    @property
    def waiting(self) -> str:
        """Reason why the number is not there yet; empty if the run is done or failed."""
        if self.state in ("running", "interrupted"):
            return f"{self.state}: {self.reason}" if self.reason else self.state
        return (self.reason or "not started") if self.state == "todo" else ""


def cells_in(store: Store, cells_of: Callable[[Setting], Sequence[Cell]], setting: Setting) -> list[Cell]:
    """Return cells with the seeds of the setting, and with every further seed that has a result or an error in the store.

    Args:
        store: Store of the runs.
        cells_of: Function that returns the cells of a setting.
        setting: Setting of the user.
    """
    cells = list(cells_of(setting))
    asked = {job.name for cell in cells for job in cell.jobs}
    seeds = store.seeds({job.slug for cell in cells for job in cell.jobs})
    if seeds <= setting.seeds:
        return cells

    @cache
    def ended(name: str) -> bool:
        return name in asked or Run(store.root / name).state in ("done", "failed")

    more = cells_of(replace(setting, seeds=seeds))
    return [replace(cell, jobs=tuple(job for job in cell.jobs if ended(job.name))) for cell in more]


def measure_table(table: Table, cells: Sequence[Cell], store: Store, profile: str, command: str) -> list[Sample]:
    """Return the samples of a table's cells, and of the cells that only its json shows.

    A cell of the json alone is left out if its finished run has no number for it, for example the IoU of a class that does not occur.

    Args:
        table: Table whose `beside` gives the cells of the json alone.
        cells: Cells of the table.
        store: Store of the runs.
        profile: Profile of the cells.
        command: Command that computes missing numbers; reasons quote it.
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
    return Sample(cell.row_key, cell.column, cell.kind, profile, audit=cell.audit, audited_by=cell.audited_by, row=cell.label, **found)


def _measured(cell: Cell, job: Job, store: Store, command: str) -> dict[str, Any]:
    """Return the fields of a cell's sample that come from a job's run."""
    run, state = store.run(job), store.run(job).state
    if state != "done":
        return {"state": state, "reason": _absence(cell, job, store, state, command)}
    try:
        return _found(cell, job, run)
    except BadResult as error:
        return {"state": "failed", "reason": str(error)}
    except KeyError as error:  # a network or data of another kind, or a column that names no metric
        return {"state": "failed", "reason": f"no metric '{error.args[0]}' in the run; it has {', '.join(sorted(_metrics(run)))}"}
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        return {"state": "failed", "reason": f"the result of {run.name} does not fit this cell ({said})"}


def _metrics(run: Run) -> dict[str, Any]:
    result = run.result
    return {} if result is None else result["metrics"]


def _found(cell: Cell, job: Job, run: Run) -> dict[str, Any]:
    """Return the fields of a sample that a finished run gives, all of them checked."""
    result = run.result
    assert result is not None
    check_ranges(job, result["metrics"], f"result.json of {run.name}")
    data, metrics = result.get("data") or {}, result["metrics"] | {"confusion": result.get("confusion")}
    if cell.curve:
        metrics["curve"] = run.curve
        check_curve(job, metrics["curve"], f"{CURVE} of {run.name}")
    value = cell.value(metrics)
    if not _is_value(value):
        raise BadResult(f"Expected {cell.column} of {run.name} to be a number or a list of numbers, but got {str(value)[:60]}.")
    if value is not None and cell.kind != "exact" and not data:
        raise BadResult(f"Expected the result of {run.name} to say what it was measured on, but it does not.")
    labelled = result.get("counted", sum(map(sum, result.get("confusion") or [])) or None)
    return {
        "state": "done", "value": value, "reason": cell.caveat, "data": described(data) + started_on(data, result.get("start")),
        "verified": _vouched(data, result.get("start")) and job.start_official,
        "device": result["provenance"]["device"], "counted": (result["images"], labelled) if "images" in result else None,
    }  # fmt: skip


def _is_value(value: object) -> bool:
    members = value if isinstance(value, list) else [value]
    return value is None or (bool(members) and all(isinstance(member, int | float) and not isinstance(member, bool) for member in members))


def _absence(cell: Cell, job: Job, store: Store, state: State, command: str) -> str:
    """Return why a job has no result, and which command computes it."""
    run = store.run(job)
    if state == "failed":
        return run.error
    if state == "running":
        return interrupted_reason(run.progress) if run.progress else "just started"
    if state == "interrupted":
        return f"{interrupted_reason(run.progress)}; `{command}` resumes it" if run.progress else f"`{command}` resumes it"
    stale = next((f"revision {old.revision}" for old in earlier(job) if store.run(old).done), "")
    outdated = None if stale else store.outdated(job)
    if outdated is not None:
        stale = f"{outdated.name}, of an earlier version of this suite"
    return (
        f"an older result ({stale}) is stale: {cell.missing or f'`{command}` computes a new one'}"
        if stale
        else (cell.missing or f"`{command}` computes it")
    )


def described(data: Mapping[str, Any]) -> str:
    """Describe the data of a measurement, and say if it is not the official set."""
    if not data:
        return ""
    kinds = {"synthetic": "made-up data in the layout of {}", "not official": "not the official {}", "own": "{}", "noise": "{}"}
    return f"{kinds.get(data['status'], '{} (' + data['status'] + ')').format(data['set'])}: {data['detail']}"


def started_on(data: Mapping[str, Any], start: Mapping[str, Any] | None) -> str:
    """Name the data set of the start weights if it differs from the run's own; else return an empty string."""
    while start and "job" in start:
        before = start.get("data") or {}
        if before and (before["set"], before["status"]) != (data.get("set"), data.get("status")):
            return f", from weights of {described(before)}"
        start = start.get("start")
    return ""


def _vouched(data: Mapping[str, Any], start: Mapping[str, Any] | None) -> bool:
    """Return whether the data of a run, and of all runs that its weights come from, is what its name says."""
    if data and data["status"] not in ("verified", "counts", "noise"):
        return False
    return not start or "job" not in start or bool(start.get("data") and _vouched(start["data"], start.get("start")))


def measured_on(profile: str, data: str, seeds: Sequence[int], device: str) -> str:
    """Return the profile, data, seeds and device of a measurement in one line."""
    shown = ", ".join(map(str, seeds)) or "none"
    return " | ".join((f"profile {profile}", f"data: {data}", f"seeds: {shown}", f"device: {device or 'none'}"))
