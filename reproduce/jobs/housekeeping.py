"""Keeping runs in order: which are stale, which a user names, removing them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from reproduce.jobs.job import Job
from reproduce.jobs.store import Run, Store


def stale(run: Run, now: Mapping[str, int]) -> bool:
    """Whether a run's method, or that of what it starts from, moved on, or its settings are an earlier version's."""
    job = run.job
    return run.outdated if job is None else _behind(job, now)


def _behind(job: Job, now: Mapping[str, int]) -> bool:
    return job.revision < now.get(job.slug, 0) or any(_behind(parent, now) for parent in job.parents)


def find(store: Store, text: str) -> Run:
    """Return the one run whose name is a text, or begins so.

    Raises:
        ValueError: there is none, or several begin so.
    """
    runs = store.runs()
    found = [run for run in runs if run.name == text] or [run for run in runs if text and run.name.startswith(text)]
    if len(found) != 1:
        several = f"{', '.join(run.name for run in found[:5])}{', ...' if len(found) > 5 else ''}"
        what = f"begins {len(found)} runs ({several}); add to it" if found else "is none; `python -m reproduce runs` lists them"
        raise ValueError(f"Expected the name of a run in {store.root}, or how one run's name begins, but '{text}' {what}.")
    return found[0]


def select(store: Store, names: Sequence[str]) -> list[Run]:
    """Return the runs that names, beginnings of one name, or patterns (`*-demo-*`) mean, each once."""
    runs = store.runs()
    chosen: dict[str, Run] = {}
    for name in names:
        chosen |= {run.name: run for run in [run for run in runs if fnmatchcase(run.name, name)] or [find(store, name)]}
    return list(chosen.values())


def remove(run: Run) -> int | None:
    """Remove a run, and return the bytes that it took, or None where a process holds it."""
    freed = run.disk_use
    with run.lock() as mine:
        if not mine:
            return None
        # First what makes it done: whenever this is killed, no result is left without its weights.
        (run.folder / "result.json").unlink(missing_ok=True)
        shutil.rmtree(run.folder)
    return freed
