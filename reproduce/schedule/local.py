"""Launcher for this machine: one process per job, on its processor or its GPUs."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from reproduce.worker.process import work_with_log


class LocalLauncher:
    """Fork jobs from a server process that has already imported torch and Lightning: only the first job waits for the imports.

    Args:
        slots: Number of jobs at a time.
        gpus: Values of CUDA_VISIBLE_DEVICES for the jobs of each slot; empty if no GPU computes.
    """

    def __init__(self, slots: int, gpus: Sequence[str] = ()) -> None:
        self.slots = slots
        self.processes: dict[str, BaseProcess] = {}
        self.gpus = [gpus[slot % len(gpus)] if gpus else "" for slot in range(slots)]
        self.held: dict[str, str] = {}
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["reproduce.worker.training", "reproduce.worker.machine"])

    def submit(self, folder: Path) -> None:
        """Start the job of a run folder."""
        self.held[folder.name] = self.gpus.pop(0)
        process = self.context.Process(target=work_with_log, args=(folder, self.held[folder.name]), name=folder.name)
        process.start()
        self.processes[folder.name] = process

    def active(self) -> set[str]:
        """Return the names of runs whose processes are alive."""
        for name, process in list(self.processes.items()):
            if not process.is_alive():
                process.join()
                del self.processes[name]
                self.gpus.append(self.held.pop(name))
        return set(self.processes)

    def stop(self) -> None:
        """Ask all jobs to stop with a checkpoint, and wait."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.join(timeout=60)
            process.kill()
