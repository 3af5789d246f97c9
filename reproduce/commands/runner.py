"""What runs the jobs of one command, in one round or in several."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from reproduce import schedule, worker
from reproduce.commands.options import UsageError
from reproduce.jobs.job import Job, in_order
from reproduce.jobs.provenance import expected_device
from reproduce.jobs.store import Store
from reproduce.schedule.engine import Launcher, Status
from reproduce.schedule.forecast import History, wall
from reproduce.schedule.time_limit import TimeLimit
from reproduce.specs import Runtime, Wandb
from reproduce.table import Setting


class Runner:
    """Runs jobs on the devices that the user chose, within the user's time limit.

    Args:
        options: Options of the command.
        store: Store of the runs.
    """

    def __init__(self, options: argparse.Namespace, store: Store) -> None:
        self.options, self.store = options, store
        self.out_of_time = False
        hours = options.max_hours
        self._limit = None if hours is None else TimeLimit(hours * 3600, lambda job: self.history.forecast(job).seconds)

    @cached_property
    def _machine(self) -> tuple[Launcher, Runtime]:
        options = self.options
        return schedule.devices.launcher_for(options.accelerator, options.jobs, options.devices, options.num_nodes)

    @property
    def launcher(self) -> Launcher:
        """Launcher of the jobs."""
        return self._machine[0]

    @cached_property
    def device(self) -> str:
        """Name of the device of the jobs."""
        runtime = self._machine[1]
        return expected_device(runtime.accelerator, runtime.threads)

    @cached_property
    def history(self) -> History:
        """Costs of the finished runs on this device."""
        return History(self.store, self.device)

    def placed(self, jobs: Iterable[Job]) -> list[Job]:
        """Return jobs with their runtimes set, also in the jobs that they need.

        Only jobs that train or evaluate have several devices and can be stopped halfway.
        """
        shared = self._machine[1]
        alone: dict[str, Any] = {"accelerator": shared.accelerator, "threads": shared.threads}
        together = alone | {"devices": shared.devices, "num_nodes": shared.num_nodes, "stop_after": self.options.stop_after or 0}
        return [job.with_runtime(lambda each: together if each.evaluates else alone) for job in jobs]

    def todo(self, jobs: Iterable[Job]) -> list[Job]:
        """Return the jobs that are not done, and those that they need, in an order in which they can run."""
        return [job for job in in_order(jobs, lambda job: self.store.run(job).done) if not self.store.run(job).done]

    def seconds(self, jobs: Iterable[Job]) -> float | None:
        """Return the seconds until jobs are done, from finished runs of their shape; None if one has none."""
        todo = self.placed(self.todo(jobs))
        seconds = {job.name: self.history.forecast(job).seconds for job in todo}
        if None in seconds.values():
            return None
        return wall(todo, lambda job: seconds.get(job.name) or 0.0, self.launcher.slots)

    def run(self, jobs: Sequence[Job], title: str) -> list[Status]:
        """Run the jobs that are not done; show their progress under a title.

        Raises:
            UsageError: The folder of the runs cannot be written.
        """
        if not self.todo(jobs):
            return []
        placed = self.placed(jobs)
        for job in self.todo(placed):
            worker.ranks.check(job)
        _make(self.store.root)
        with schedule.progress.Display(self.store, title) as display:
            statuses = schedule.engine.run(placed, self.store, self.launcher, display.watch, self._limit)
        self.out_of_time |= self._limit is not None and self._limit.used and any(status.phase == "stopped" for status in statuses)
        return statuses


def mirrored(options: argparse.Namespace, setting: Setting, table: str, jobs: Iterable[Job]) -> list[Job]:
    """Return jobs of a table that mirror themselves to wandb under its name, if the user wants that."""
    wandb = None if options.wandb == "off" else Wandb(options.wandb, options.wandb_project, table, setting.profile)
    return [job.with_runtime(lambda _: {"wandb": wandb}) for job in jobs]


def _make(folder: Path) -> None:
    """Create the folder of runs, and check that it can be written before anything is computed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"Expected --runs-dir to be a folder that can be written, but got {folder} ({error.strerror}).") from error
