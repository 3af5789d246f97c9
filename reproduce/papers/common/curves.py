"""Curves of runs, for the figures of every paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reproduce.jobs.job import Job
from reproduce.jobs.store import Store


def curves(jobs: Iterable[Job], store: Store, name: str) -> dict[Job, dict[int, float]]:
    """Return a logged number by step for each finished job; jobs that did not log it are left out."""
    found = {job: store.run(job).curve for job in jobs if store.run(job).done}
    named = {job: {line["step"]: line[name] for line in lines if name in line} for job, lines in found.items()}
    return {job: curve for job, curve in named.items() if curve}


def together(seeds: Iterable[Mapping[int, float]]) -> tuple[list[int], list[list[float]]]:
    """Return the steps that the curves of all seeds have, and one list of numbers at these steps per seed."""
    seeds = list(seeds)
    steps = sorted(set.intersection(*map(set, seeds)))
    return steps, [[curve[step] for step in steps] for curve in seeds]
