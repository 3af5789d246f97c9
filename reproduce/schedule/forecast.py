"""What jobs will cost: from finished runs of the same shape, or from a probe; torch is not needed for it."""

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
from reproduce.jobs.store import Run, Store

# Of a job, what changes a result but not what a step costs; the fields of specs say so themselves (`SAME_COST`).
OF_A_JOB = frozenset({"seed", "start", "revision"})
ENOUGH = 100  # runs to take a median of
LOOK_SECONDS = 1.0  # between looks for runs that ended meanwhile
CHECKPOINTS = 3  # of a running job: two are kept, and one is being written


@dataclass(frozen=True)
class Cost:
    """What a run cost, taken apart so that it can be scaled to another number of steps.

    Args:
        start: seconds besides the parts below: imports, building the network, the first step's setting up, saving.
        data: seconds until the data was there; paid once for all jobs on it.
        step: seconds of a step.
        test: seconds of the evaluation.
        host: bytes of memory at the most.
        device: bytes of the accelerator's memory at the most; 0 on a processor.
        kept: bytes on disk of the finished run, without its curve.
        line: bytes of a line of the curve.
        checkpoint: bytes of a checkpoint.
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
    """What one job will cost from here on, and where that is from; without `seconds`, nobody knows."""

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
        """Where the forecast is from, in words."""
        return f"stored, {self.runs} run{'s' if self.runs != 1 else ''}" if self.source == "stored" else self.source


UNKNOWN = Forecast("unknown")


def shape(job: Job) -> str:
    """Return what jobs of one cost share: their identity without what does not change the cost of a step, and their devices."""
    found = identity(job, lambda item: counts(item) and not item.metadata.get("same_cost"))
    return json.dumps([{name: value for name, value in found.items() if name not in OF_A_JOB}, job.runtime.world], sort_keys=True)


def cost_of(run: Run, device: str) -> Cost | None:
    """Return what a finished run cost, or None where its result does not say, or is from another device."""
    result, job = run.result, run.job
    if result is None or job is None or result.get("provenance", {}).get("device") != device:
        return None
    provenance, timing = result["provenance"], result.get("timing", {})
    trained = job.recipe is not None
    if provenance.get("resumed") or (trained and "step_seconds" not in timing):  # of several attempts only the sum is known
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
    """Return the median of times and the most of memory and disk."""
    return Cost(
        **{
            item.name: (statistics.median if item.name in ("start", "data", "step", "test") else max)(
                getattr(cost, item.name) for cost in costs
            )
            for item in fields(Cost)
        }
    )


class History:
    """What the finished runs of a store cost, by shape.

    Args:
        store: where they lie.
        device: only runs on this one count.
    """

    def __init__(self, store: Store, device: str) -> None:
        self.store, self.device = store, device
        self.looked = -math.inf
        self.seen: set[str] = set()
        self.runs: dict[str, list[Run]] = {}
        self.costs: dict[str, list[Cost]] = {}

    def forecast(self, job: Job) -> Forecast:
        """Return what a job will cost, from runs that differ from it by the seed alone, else from any of its shape."""
        self._look()
        for kind in _kinds(job):
            # Only here are results read: a store may hold thousands that nobody asks about.
            found = (cost_of(run, self.device) for run in self.runs.pop(kind, []))
            costs = self.costs.setdefault(kind, [])
            costs += [cost for cost in found if cost is not None]
            if costs:
                # The data is where they had it: their `data` seconds will not come again.
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
    """Return what a job shares with itself under other seeds, and with its shape."""
    return replace(job, seed=0, revision=1).digest, shape(job)


def forecast(job: Job, run: Run, cost: Cost, source: Literal["stored", "probe"], runs: int = 0) -> Forecast:
    """Scale a cost to what a job still has to do."""
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
    """Return how long jobs take, so many at a time, each after what it needs; exclusive ones go last, one by one."""
    free = [0.0] * slots
    alone = 0.0
    ended: dict[str, float] = {}
    for job in in_order(jobs):
        if job.exclusive:
            alone += seconds(job)
            continue
        # What needs an exclusive job waits for it, behind all others.
        begun = max([heapq.heappop(free), *(ended.get(parent.name, 0.0) for parent in job.parents)])
        ended[job.name] = begun + seconds(job)
        heapq.heappush(free, ended[job.name])
    return max(ended.values(), default=0.0) + alone


def data_once(jobs: Iterable[Job], forecasts: Mapping[str, Forecast]) -> float:
    """Return the seconds that data takes to be prepared: of each set once, whichever job pays for it."""
    longest: dict[Any, float] = {}
    for job in jobs:
        if job.data is not None:
            longest[job.data] = max(longest.get(job.data, 0.0), forecasts[job.name].data)
    return sum(longest.values())
