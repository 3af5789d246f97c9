"""Find stale runs, select runs by name, and remove runs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from reproduce.jobs.job import Job
from reproduce.jobs.result import BadResult, check_curve, check_ranges
from reproduce.jobs.store import CURVE, WEIGHTS, Run, Store


def stale(run: Run, now: Mapping[str, int]) -> bool:
    """Return whether a run is out of date: its or a parent's revision was raised, or an earlier version wrote its settings."""
    job = run.job
    return run.outdated if job is None else _behind(job, now)


def _behind(job: Job, now: Mapping[str, int]) -> bool:
    return job.revision < now.get(job.slug, 0) or any(_behind(parent, now) for parent in job.parents)


def find(store: Store, text: str) -> Run:
    """Return the run with the name `text`, else the only run whose name begins with it.

    Raises:
        ValueError: No run matches, or several names begin with `text`.
    """
    runs = store.runs()
    found = [run for run in runs if run.name == text] or [run for run in runs if text and run.name.startswith(text)]
    if len(found) != 1:
        several = f"{', '.join(run.name for run in found[:5])}{', ...' if len(found) > 5 else ''}"
        what = f"matches {len(found)} runs ({several}); make it longer" if found else "matches none; `python -m reproduce runs` lists them"
        raise ValueError(f"Expected the name of a run in {store.root}, or the beginning of one name, but '{text}' {what}.")
    return found[0]


def select(store: Store, names: Sequence[str]) -> list[Run]:
    """Return the runs that match names, unique beginnings of names, or patterns (`*-demo-*`), each once."""
    runs = store.runs()
    chosen: dict[str, Run] = {}
    for name in names:
        chosen |= {run.name: run for run in [run for run in runs if fnmatchcase(run.name, name)] or [find(store, name)]}
    return list(chosen.values())


def faults(run: Run, job: Job | None) -> list[str]:
    """Return what is wrong with the files of a finished run, one sentence per file.

    Args:
        run: Run that is done.
        job: Its job; None if `job.json` cannot be read.
    """
    found = []
    if job is None or job.name != run.name:
        found.append(f"Expected job.json of {run.name} to hold its job, but it {'cannot be read' if job is None else f'holds {job.name}'}.")
    try:
        result = run.result
        if job is not None and result is not None:
            check_ranges(job, result["metrics"], f"result.json of {run.name}")
    except BadResult as error:
        found.append(str(error))
    try:
        lines = run.curve
        if job is not None:
            check_curve(job, lines, f"{CURVE} of {run.name}")
    except BadResult as error:
        found.append(str(error))
    try:
        run.unchanged(WEIGHTS)
    except FileNotFoundError:  # of a measurement, or imported without weights
        pass
    except BadResult as error:
        found.append(str(error))
    return found


def remove(run: Run) -> int | None:
    """Remove a run; return the number of freed bytes, or None if a process holds its lock."""
    freed = run.disk_use
    with run.lock() as mine:
        if not mine:
            return None
        # Remove the result first: if this process is killed, no result remains without its weights.
        (run.folder / "result.json").unlink(missing_ok=True)
        shutil.rmtree(run.folder)
    return freed
