"""Measure the start and end of a job on one machine, after the first job. Jobs only compute sizes, and run through the real launcher.

python benchmarks/jobs.py [JOBS]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.papers.adaptive_rf.specs import AdaptiveVGG
from reproduce.schedule.engine import run
from reproduce.schedule.local import LocalLauncher
from reproduce.specs import Describe


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        launcher, seconds = LocalLauncher(1), []
        for seed in range(count):
            begun = time.perf_counter()
            (status,) = run([Job(Describe(), "sizes", AdaptiveVGG(11, 2), seed=seed)], Store(Path(folder)), launcher)
            assert status.phase == "done", status.reason
            seconds.append(time.perf_counter() - begun)
    print(f"first job {seconds[0]:.2f} s; each of the next {count - 1}: median {statistics.median(seconds[1:]):.2f} s (target: under 0.3)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
