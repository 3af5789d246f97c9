"""Forecasts of the cost of jobs, from finished runs of the same shape or from a probe. This module does not need torch."""

from __future__ import annotations

import heapq
import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from reproduce.jobs.job import Job, counts, identity, in_order
from reproduce.jobs.result import BadResult
from reproduce.jobs.store import Run, Store

# Fields of a job that change its result but not the cost of a step; such fields of specs have the metadata `SAME_COST`.
OF_A_JOB = frozenset({"seed", "start", "revision"})
ENOUGH = 100  # largest number of runs in a median
LOOK_SECONDS = 1.0  # seconds between searches for newly finished runs
CHECKPOINTS = 3  # checkpoints of a running job: two are kept, and one is being written


@dataclass(frozen=True)
class Cost:
    """Cost of a run, split into parts so that it can be scaled to another number of steps.

    Args:
        start: Seconds besides the parts below: imports, building the network, setup in the first step, saving.
        data: Seconds until the data was ready; paid once for all jobs on the same data.
        step: Seconds per step.
        test: Seconds of the evaluation.
        host: Peak memory in bytes.
        device: Peak memory of the accelerator in bytes; 0 on a processor.
        kept: Bytes on disk of the finished run, without its curve.
        line: Bytes per line of the curve.
        checkpoint: Bytes per checkpoint.
    """

    start: float
    data: float
    step: float
    test: float
    host: float
    device: float
    kept: float
    line: float
    checkpoint: float


@dataclass(frozen=True)
class Forecast:
    """Remaining cost of one job, and the source of that forecast; without `seconds`, the cost is unknown."""

    source: Literal["stored", "probe", "unknown"]
    seconds: float | None = None
    data: float = 0.0
    host: float = 0.0
    device: float = 0.0
    kept: float = 0.0
    scratch: float = 0.0
    runs: int = 0

    @property
    def says(self) -> str:
        """Source of the forecast, in words."""
        return f"stored, {self.runs} run{'s' if self.runs != 1 else ''}" if self.source == "stored" else self.source


UNKNOWN = Forecast("unknown")


def shape(job: Job) -> str:
    """Return a key of jobs of equal cost: the identity without fields that do not change the cost of a step, and the number of ranks."""
    found = identity(job, lambda item: counts(item) and not item.metadata.get("same_cost"))
    return json.dumps([{name: value for name, value in found.items() if name not in OF_A_JOB}, job.runtime.world], sort_keys=True)


def cost_of(run: Run, device: str) -> Cost | None:
    """Return the cost of a finished run, or None if its result does not contain it or is from another device."""
    try:
        result, job = run.result, run.job
    except BadResult:
        return None
    if result is None or job is None or result.get("provenance", {}).get("device") != device:
        return None
    provenance, timing = result["provenance"], result.get("timing", {})
    trained = job.recipe is not None
    lacking = "peak_memory" not in provenance or (trained and "step_seconds" not in timing)
    if lacking or provenance.get("resumed"):  # of several attempts only the sum is known
        return None
    step, data, test = (timing.get(name, 0.0) for name in ("step_seconds", "data_seconds", "test_seconds"))
    spent = step * timing.get("steps", 0) + data + test
    memory, curve = provenance["peak_memory"], run.folder / "metrics.jsonl"
    lines = curve.read_text().count("\n") if curve.exists() else 0
    length = curve.stat().st_size if lines else 0
    return Cost(
        max(0.0, provenance["seconds"] - spent), data, step, test / timing.get("test_share", 1.0),
        memory["host_mib"] * 2**20, memory.get("device_mib", 0.0) * 2**20,
        run.disk_use - length, length / max(1, lines), timing.get("checkpoint_bytes", 0),
    )  # fmt: skip


def typical(costs: Sequence[Cost]) -> Cost:
    """Return the medians of times and the maxima of memory and disk."""
    return Cost(
        **{
            item.name: (statistics.median if item.name in ("start", "data", "step", "test") else max)(
                getattr(cost, item.name) for cost in costs
            )
            for item in fields(Cost)
        }
    )


class History:
    """Costs of the finished runs in a store, by shape.

    Args:
        store: Store of the runs.
        device: Name of the device; runs on other devices do not count.
    """

    def __init__(self, store: Store, device: str) -> None:
        self.store, self.device = store, device
        self.looked = -math.inf
        self.seen: set[str] = set()
        self.runs: dict[str, list[Run]] = {}
        self.costs: dict[str, list[Cost]] = {}

    def forecast(self, job: Job) -> Forecast:
        """Return the forecast of a job, from runs that differ from it only in seed and revision, else from all runs of its shape."""
        self._look()
        for kind in _kinds(job):
            # Results are read only here: a store may contain thousands that no forecast needs.
            found = (cost_of(run, self.device) for run in self.runs.pop(kind, []))
            costs = self.costs.setdefault(kind, [])
            costs += [cost for cost in found if cost is not None]
            if costs:
                # Their data is already prepared, so the `data` seconds are not spent again.
                return forecast(job, self.store.run(job), replace(typical(costs[-ENOUGH:]), data=0.0), "stored", len(costs[-ENOUGH:]))
        return UNKNOWN

    def _look(self) -> None:
        if time.monotonic() - self.looked < LOOK_SECONDS:
            return
        self.looked = time.monotonic()
        for run in self.store.runs():
            if run.name not in self.seen and run.done:
                self.seen.add(run.name)
                job = run.job
                for kind in _kinds(job) if job is not None else ():
                    self.runs.setdefault(kind, []).append(run)


def _kinds(job: Job) -> tuple[str, str]:
    """Return two keys: that of the job with any seed and revision, and that of its shape."""
    return replace(job, seed=0, revision=1).digest, shape(job)


def forecast(job: Job, run: Run, cost: Cost, source: Literal["stored", "probe"], runs: int = 0) -> Forecast:
    """Scale a cost to the remaining work of a job."""
    steps = job.recipe.steps if job.recipe else 0
    left = max(0, steps - run.progress.get("step", 0)) if run.state in ("interrupted", "failed", "running") else steps
    pause = 0 < job.runtime.stop_after < left
    left = job.runtime.stop_after if pause else left
    return Forecast(
        source,
        cost.start + left * cost.step + (0.0 if pause else cost.test),
        cost.data,
        cost.host,
        cost.device,
        cost.kept + cost.line * (steps // job.runtime.log_every + 1 if steps else 0),
        cost.checkpoint * CHECKPOINTS,
        runs,
    )


def wall(jobs: Iterable[Job], seconds: Callable[[Job], float], slots: int) -> float:
    """Return the total seconds of jobs on `slots` slots, each after its parents; exclusive jobs run last, one by one."""
    free = [0.0] * slots
    alone = 0.0
    ended: dict[str, float] = {}
    for job in in_order(jobs):
        if job.exclusive:
            alone += seconds(job)
            continue
        # A job that needs an exclusive job really runs after all others. The estimate ignores that: the job waits only for a free slot.
        begun = max([heapq.heappop(free), *(ended.get(parent.name, 0.0) for parent in job.parents)])
        ended[job.name] = begun + seconds(job)
        heapq.heappush(free, ended[job.name])
    return max(ended.values(), default=0.0) + alone


def data_once(jobs: Iterable[Job], forecasts: Mapping[str, Forecast]) -> float:
    """Return the seconds to prepare the data: each data set counts once, whichever job prepares it."""
    longest: dict[Any, float] = {}
    for job in jobs:
        if job.data is not None:
            longest[job.data] = max(longest.get(job.data, 0.0), forecasts[job.name].data)
    return sum(longest.values())
