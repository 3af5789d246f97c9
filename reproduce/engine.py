"""The engine: hands the jobs of tables to a launcher, in the order of what they need, and skips what is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from reproduce.job import Job
from reproduce.limit import TimeLimit
from reproduce.store import State, Store

POLL_SECONDS = 0.1


class Launcher(Protocol):
    """Where jobs run."""

    slots: int

    def submit(self, folder: Path) -> None:
        """Start the job of a run folder; return at once."""

    def active(self) -> set[str]:
        """Return the names of the submitted runs that have not ended."""

    def stop(self) -> None:
        """End all of them, resumably."""


@dataclass
class Status:
    """What the engine knows of a job."""

    job: Job
    phase: Literal["waiting", "running", "elsewhere", "done", "failed", "stopped", "blocked"] = "waiting"
    reason: str = ""
    submitted: bool = False
    seconds: float = 0.0
    begun: float = field(default=0.0, repr=False)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of the job in this command."""
        return self.phase in ("done", "failed", "stopped", "blocked")


def in_order(jobs: Iterable[Job]) -> list[Job]:
    """Return jobs and all that they need, each once, what is needed first."""
    ordered: dict[str, Job] = {}

    def visit(job: Job) -> None:
        if job.digest not in ordered:
            for parent in job.parents:
                visit(parent)
            ordered[job.digest] = job

    for job in jobs:
        visit(job)
    return list(ordered.values())


def run(
    jobs: Iterable[Job],
    store: Store,
    launcher: Launcher,
    watch: Callable[[list[Status]], None] = lambda _: None,
    limit: TimeLimit | None = None,
) -> list[Status]:
    """Run jobs until each has ended; return how.

    A job that another command runs is waited for, and taken over where that one dies. One that failed in an earlier command is tried
    again, once. Ctrl-C ends the jobs, resumably.

    Args:
        jobs: what is wanted; what they need is added.
        store: where runs lie.
        launcher: where they run.
        watch: told the state of all jobs after every look.
        limit: no job begins that would go beyond it, and what still runs shortly before it is ended, resumably.
    """
    statuses = {job.name: Status(job) for job in in_order(jobs)}
    try:
        while True:
            over = limit is not None and limit.reached
            if over:
                launcher.stop()
            active = launcher.active()
            for status in statuses.values():
                if not status.ended:
                    _look(status, statuses, store, active, over)
                    if status.phase == "waiting" and len(active) < launcher.slots and _ready(status, statuses):
                        if limit and limit.refuses(status.job):
                            status.phase, status.reason = "stopped", "it would go beyond the time limit"
                        else:
                            _begin(status, store, launcher)
                            active.add(status.job.name)
            watch(list(statuses.values()))
            if all(status.ended for status in statuses.values()):
                return list(statuses.values())
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        launcher.stop()
        raise


def _begin(status: Status, store: Store, launcher: Launcher) -> None:
    launcher.submit(store.prepare(status.job).folder)
    status.submitted, status.phase, status.begun = True, "running", time.monotonic()


def _ready(status: Status, statuses: dict[str, Status]) -> bool:
    return all(statuses[parent.name].phase == "done" for parent in status.job.parents)


def _look(status: Status, statuses: dict[str, Status], store: Store, active: set[str], over: bool) -> None:
    """Bring a status up to date with the files."""
    lost = [parent.name for parent in status.job.parents if statuses[parent.name].phase in ("failed", "stopped", "blocked")]
    if lost:
        status.phase, status.reason = "blocked", f"needs {lost[0]}, which did not finish"
        return
    run = store.run(status.job)
    if status.job.name in active:
        return
    if over and run.state != "done":
        reason = interrupted_reason(run.progress) if run.progress else "time limit"
        status.phase, status.reason = ("failed", run.error) if run.state == "failed" and status.submitted else ("stopped", reason)
        return
    state: State = run.state
    if status.submitted:
        status.seconds = time.monotonic() - status.begun
    if state == "done":
        status.phase = "done"
    elif state == "running":
        status.phase = "elsewhere"
    elif not status.submitted:
        status.phase = "waiting"
    elif state == "failed":
        status.phase, status.reason = "failed", run.error
    elif status.phase == "elsewhere":
        status.phase, status.submitted = "waiting", False
    elif status.job.runtime.stop_after and run.progress.get("stage") == "train":
        status.phase, status.reason = "stopped", interrupted_reason(run.progress)
    else:
        status.phase, status.reason = "failed", f"its process ended without a result; {run.folder / 'log.txt'} may say why"


def interrupted_reason(progress: dict[str, object]) -> str:
    """Return how far an interrupted job is, `2 of 55,000 steps`."""
    return f"{progress.get('step', 0):,} of {progress.get('steps', 0):,} steps"
