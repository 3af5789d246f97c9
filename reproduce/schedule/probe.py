"""A probe: a few real steps and batches of a job, in a separate process and a temporary folder."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from reproduce.jobs.job import Job
from reproduce.jobs.result import EMPTY
from reproduce.jobs.store import Store
from reproduce.schedule import engine
from reproduce.schedule.forecast import Cost, cost_of, shape

STEPS = 10


def probe(jobs: Iterable[Job], launcher: engine.Launcher, device: str) -> dict[str, Cost]:
    """Take a few steps of one job per shape, with as many jobs at a time as in a real run, and return the costs by shape.

    A probe uses prepared data of the runs folder, and writes nothing there. A failed probe prints the reason and gives no cost.

    Args:
        jobs: Jobs to forecast; their data and start weights must exist.
        launcher: Launcher that would run them.
        device: Name of the device that their results will contain.
    """
    shapes = {shape(job): job for job in jobs}
    costs: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory(prefix="reproduce-probe-") as folder:
        store = Store(Path(folder) / "runs")
        small = {kind: _cut(job, Path(folder) / "cache") for kind, job in shapes.items()}
        print(f"Probing {len(small)} kinds of job, up to {STEPS} steps each.", file=sys.stderr, flush=True)
        for job in small.values():
            for parent in job.parents:
                store.prepare(parent).finish(EMPTY)  # a probe does not read the result
        ended = {status.job.name: status for status in engine.run(small.values(), store, launcher)}
        for kind, job in small.items():
            status, run = ended[job.name], store.run(job)
            cost = cost_of(run, device) if status.phase == "done" else None
            if cost is not None:
                costs[kind] = cost
            else:
                said = status.reason or "its result contains no cost"
                print(f"The probe of {shapes[kind].slug} failed: {said}.", file=sys.stderr)
    return costs


def _cut(job: Job, cache: Path) -> Job:
    """Return the job with only a few steps and random start weights, under another name, because other jobs may start from the original."""
    cache.mkdir(exist_ok=True)
    shared = Path(job.runtime.cache)
    for prepared in shared.iterdir() if shared.is_dir() else ():
        link = cache / prepared.name
        if prepared.is_dir() and not prepared.name.startswith(".") and not link.is_symlink():
            link.symlink_to(prepared.resolve(), target_is_directory=True)
    runtime = replace(job.runtime, cache=str(cache), probe=STEPS, stop_after=0, log_every=1, wandb=None)
    return replace(job, slug=f"probe-{job.slug}", runtime=runtime)
