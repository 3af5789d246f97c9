"""Measure the engine's time per job, with jobs that do nothing, and the time of listing and showing with many finished runs.

python benchmarks/scheduling.py [JOBS]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import reproduce.schedule.engine
from reproduce.jobs.job import Job
from reproduce.jobs.result import EMPTY
from reproduce.jobs.store import Run, Store
from reproduce.papers.adaptive_rf.specs import AdaptiveVGG
from reproduce.schedule.engine import run
from reproduce.specs import Describe

ROOT = Path(__file__).parents[1]


class Instant:
    """A launcher that finishes a job when it is submitted."""

    slots = 8

    def submit(self, folder: Path) -> None:
        Run(folder).finish(EMPTY)

    def active(self) -> set[str]:
        return set()

    def stop(self) -> None:
        pass


def main(count: int) -> None:
    reproduce.schedule.engine.POLL_SECONDS = 0.0
    first = Job(Describe(), "nothing", AdaptiveVGG(11, 2))
    # Every other job starts from the job at a tenth of its index: a graph of several layers.
    jobs = [first]
    for seed in range(1, count):
        start = None if seed % 2 else jobs[seed // 10]
        jobs.append(Job(Describe(), "nothing", AdaptiveVGG(11, 2), seed=seed, start=start))
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for label in ("run", "found done"):
            begun = time.perf_counter()
            statuses = run(jobs, store, Instant())
            seconds = time.perf_counter() - begun
            assert all(status.phase == "done" for status in statuses)
            print(f"{count} jobs {label}: {seconds:.1f} s, {1000 * seconds / count:.2f} ms each (target: under 5)")
        for words in ([], ["show", "table1"]):
            begun = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "reproduce", *words, "--runs-dir", folder], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
            )
            print(f"`reproduce {' '.join(words)}` beside {count} finished runs: {time.perf_counter() - begun:.2f} s (target: under 2)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
