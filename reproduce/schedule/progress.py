"""Progress of jobs and of the table: bars on a terminal, plain lines elsewhere; both on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from reproduce.jobs.store import Store
from reproduce.schedule.engine import Status

LINE_SECONDS = 30.0


def _said(progress: dict[str, object]) -> str:
    said = str(progress.get("stage", "start"))
    for name, unit in (("loss", ""), ("loss_per_pixel", " per pixel")):
        value = progress.get(name)
        said += f", loss {value:.3f}{unit}" if isinstance(value, float) else ""
    return said


class Display:
    """Context manager that shows the engine's statuses.

    Args:
        store: Store of the runs, with their progress.
        title: Title of the table.
    """

    def __init__(self, store: Store, title: str) -> None:
        self.store, self.title = store, title
        self.console = Console(stderr=True)
        self.seen: dict[str, str] = {}
        self.begun = self.last_line = time.monotonic()
        self.bars: Progress | None = None
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[said]}"))
            self.bars = Progress(*columns, TimeElapsedColumn(), console=self.console, transient=True)
            self.bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bars:
            self.bars.stop()
        if kind is None and self.seen:
            jobs = f"{len(self.seen)} job{'s' if len(self.seen) != 1 else ''}"
            print(f"{self.title}: {jobs} in {time.monotonic() - self.begun:.0f} s", file=sys.stderr)

    def watch(self, statuses: list[Status]) -> None:
        """Show changed statuses and the progress of running jobs."""
        ended = sum(status.ended for status in statuses)
        for status in statuses:
            if self.seen.get(status.job.name) != status.phase:
                self._changed(status, ended, len(statuses))
        running = [status for status in statuses if status.phase in ("running", "elsewhere")]
        if self.bars:
            self._move_bars(running, ended, len(statuses))
        elif running and time.monotonic() - self.last_line > LINE_SECONDS:
            self.last_line = time.monotonic()
            for status in running:
                progress = self.store.run(status.job).progress
                print(f"  {status.job.name}: {progress.get('step', 0)}/{progress.get('steps', 0)} {_said(progress)}", file=sys.stderr)

    def _changed(self, status: Status, ended: int, total: int) -> None:
        before = self.seen.get(status.job.name)
        self.seen[status.job.name] = status.phase
        if status.phase == "waiting" or (status.phase == "done" and before is None):
            return
        took = f" in {status.seconds:.0f} s" if status.phase == "done" and status.seconds else ""
        text = f"[{ended}/{total}] {status.job.name}: {status.phase}{took}{f' ({status.reason})' if status.reason else ''}"
        if self.bars is None:
            print(text, file=sys.stderr, flush=True)
        elif status.ended:
            self.bars.console.print(text, highlight=False, markup=False)

    def _move_bars(self, running: list[Status], ended: int, total: int) -> None:
        assert self.bars is not None
        if self.title not in self.tasks:
            self.tasks[self.title] = self.bars.add_task(self.title, total=total, said="jobs")
        self.bars.update(self.tasks[self.title], completed=ended, total=total)
        names = {status.job.name for status in running}
        for name in [name for name in self.tasks if name not in names and name != self.title]:
            self.bars.remove_task(self.tasks.pop(name))
        for status in running:
            name, progress = status.job.name, self.store.run(status.job).progress
            if name not in self.tasks:
                self.tasks[name] = self.bars.add_task(f"  {name}", total=None, said="")
            steps = progress.get("steps")
            self.bars.update(self.tasks[name], completed=progress.get("step", 0), total=steps, said=_said(progress))
