"""The engine: submits the jobs of tables to a launcher, parents first, and skips done jobs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from reproduce.jobs.job import Job, in_order
from reproduce.jobs.store import State, Store, interrupted_reason
from reproduce.schedule.time_limit import TimeLimit

POLL_SECONDS = 0.1
Phase = Literal["waiting", "running", "elsewhere", "done", "failed", "stopped", "blocked"]


class Launcher(Protocol):
    """Interface of launchers."""

    slots: int

    def submit(self, folder: Path) -> None:
        """Start the job of a run folder; return at once."""

    def active(self) -> set[str]:
        """Return the names of submitted runs that have not ended."""

    def stop(self) -> None:
        """Stop all submitted jobs so that they can be resumed."""


@dataclass
class Status:
    """State of a job in this command."""

    job: Job
    phase: Phase = "waiting"
    reason: str = ""
    seconds: float = 0.0
    begun: float = field(default=0.0, repr=False)

    @property
    def ended(self) -> bool:
        """Whether the job has ended for this command."""
        return self.phase in ("done", "failed", "stopped", "blocked")


def run(
    jobs: Iterable[Job],
    store: Store,
    launcher: Launcher,
    watch: Callable[[list[Status]], None] | None = None,
    limit: TimeLimit | None = None,
) -> list[Status]:
    """Run jobs until all have ended; return their statuses.

    If another command runs a job, the engine waits for that job, and takes it over if the other command dies. A job that failed in an
    earlier command is retried once. An exclusive job starts when all jobs that could run beside it have ended, and no job starts beside
    it. Ctrl-C stops the jobs so that they can be resumed.

    Args:
        jobs: Requested jobs; the jobs that they need are added.
        store: Store of the runs.
        launcher: Launcher of the jobs.
        watch: Function that is called with the statuses of all jobs after every poll.
        limit: Time limit; a job that would exceed it does not start, and running jobs are stopped shortly before it and can be resumed.
    """
    schedule = _Schedule(in_order(jobs, lambda job: store.run(job).done), store, limit)
    statuses = list(schedule.statuses.values())
    try:
        while True:
            if limit is not None and limit.reached:
                launcher.stop()
            active = launcher.active()
            schedule.settle(active)
            while len(active) < launcher.slots and schedule.may_begin(active):
                folder = schedule.next_to_submit()
                if folder is not None:
                    launcher.submit(folder)
                    active.add(folder.name)
            if watch is not None:
                watch(statuses)
            if schedule.idle:
                return statuses
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        launcher.stop()
        raise


class _Schedule:
    """Queues of ready jobs, and pending jobs; a job is checked only when its state may have changed, not in every poll."""

    def __init__(self, jobs: list[Job], store: Store, limit: TimeLimit | None) -> None:
        self.store, self.limit = store, limit
        self.statuses = {job.name: Status(job) for job in jobs}
        self.ready: deque[str] = deque()
        self.exclusive: deque[str] = deque()
        self.pending: set[str] = set()
        self.children: dict[str, list[str]] = {}
        done = {job.name for job in jobs if store.run(job).done}
        self.waits_for = {job.name: sum(parent.name not in done for parent in job.parents) for job in jobs}
        for job in jobs:
            for parent in job.parents if job.name not in done else ():
                self.children.setdefault(parent.name, []).append(job.name)
        for name, status in self.statuses.items():
            if name in done:
                status.phase = "done"
            elif not self.waits_for[name]:
                self._queue(name).append(name)

    @property
    def idle(self) -> bool:
        """Whether no job is ready or pending."""
        return not (self.ready or self.exclusive or self.pending)

    def _queue(self, name: str) -> deque[str]:
        return self.exclusive if self.statuses[name].job.exclusive else self.ready

    def may_begin(self, active: set[str]) -> bool:
        """Return whether a job can start beside the active jobs."""
        if self.ready:
            return not any(self.statuses[name].job.exclusive for name in active)
        return bool(self.exclusive) and not active

    def next_to_submit(self) -> Path | None:
        """Take the next ready job; return its folder, or None if it is done, runs elsewhere or would exceed the time limit."""
        name = (self.ready or self.exclusive).popleft()
        status = self.statuses[name]
        if status.ended:
            return None
        state = self.store.run(status.job).state
        if state == "done":
            self._end(name, "done")
            return None
        if self.limit is not None and (self.limit.reached or self.limit.refuses(status.job)):
            self._end(name, "stopped", "it would exceed the time limit")
            return None
        self.pending.add(name)
        if state == "running":
            status.phase = "elsewhere"
            return None
        status.phase, status.begun = "running", time.monotonic()
        return self.store.prepare(status.job).folder

    def settle(self, active: set[str]) -> None:
        """Update the statuses of pending jobs that are no longer active."""
        for name in sorted(self.pending - active):
            status, run = self.statuses[name], self.store.run(self.statuses[name].job)
            state: State = run.state
            if status.phase == "running":
                status.seconds = time.monotonic() - status.begun
            if state == "done":
                self._end(name, "done")
            elif state == "failed":
                self._end(name, "failed", run.error)
            elif self.limit is not None and self.limit.reached:
                self._end(name, "stopped", interrupted_reason(run.progress) if run.progress else "time limit")
            elif state == "running":
                status.phase = "elsewhere"
            elif status.phase == "elsewhere":  # the other command is gone: this one takes the job over
                self.pending.discard(name)
                status.phase = "waiting"
                self._queue(name).appendleft(name)
            elif status.job.runtime.stop_after and run.progress.get("stage") in ("train", "unfinished"):
                self._end(name, "stopped", interrupted_reason(run.progress), halfway=True)
            else:
                self._end(name, "failed", f"its process ended without a result; {run.folder / 'log.txt'} may say why")

    def _end(self, name: str, phase: Phase, reason: str = "", halfway: bool = False) -> None:
        """Store how a job ended, and update the jobs that need it.

        Args:
            name: Name of the job.
            phase: Final phase of the job.
            reason: Reason for that phase.
            halfway: Whether `stop_after` stopped the job; jobs that need it and also have `stop_after` can then start from its checkpoint.
        """
        status = self.statuses[name]
        status.phase, status.reason = phase, reason
        self.pending.discard(name)
        for child in self.children.get(name, ()):
            self.waits_for[child] -= 1
            if self.statuses[child].ended:
                continue
            if phase != "done" and not (halfway and self.statuses[child].job.runtime.stop_after):
                self._end(child, "blocked", f"needs {name}, which did not finish")
            elif not self.waits_for[child]:
                self._queue(child).append(child)
