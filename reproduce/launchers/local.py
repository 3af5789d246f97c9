"""This machine: a queue over its processor or its GPUs, a process a job."""

from __future__ import annotations

import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path

from reproduce.worker import work_with_log


class LocalLauncher:
    """Start jobs from a fork server that has imported, and only imported, torch and Lightning: later jobs start at once.

    Args:
        slots: jobs at a time.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.processes: dict[str, BaseProcess] = {}
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["reproduce.training", "reproduce.provenance"])

    def submit(self, folder: Path) -> None:
        """Start the job of a run folder."""
        process = self.context.Process(target=work_with_log, args=(folder,), name=folder.name)
        process.start()
        self.processes[folder.name] = process

    def active(self) -> set[str]:
        """Return the names of the runs whose processes live."""
        for name, process in list(self.processes.items()):
            if not process.is_alive():
                process.join()
                del self.processes[name]
        return set(self.processes)

    def stop(self) -> None:
        """Ask all jobs to end, with a checkpoint, and wait."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.join(timeout=60)
            process.kill()
