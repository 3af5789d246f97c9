"""Keeping runs in order: which are stale, removing them, and carrying results from one machine to another."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from reproduce.job import Job, from_plain
from reproduce.options import UsageError
from reproduce.store import Run, Store, write_atomically

# What a run is besides its weights and checkpoints, its result last: that is what makes it done.
EXPORTED = ("job.json", "metrics.jsonl", "error.json", "result.json")
PLACES = ("runtime", "file", "root", "details")  # of a job or an error: where it ran, which is nobody else's business


def known_jobs() -> Iterator[tuple[str, str, Job]]:
    """Yield the jobs of every table in every profile, with the table's id and the profile."""
    from reproduce.engine import in_order
    from reproduce.plugins import all_tables
    from reproduce.table import PROFILES, Setting

    for table in all_tables():
        for profile in PROFILES:
            # Slugs and revisions are the same on any data.
            for cell in table.cells(Setting(profile)):  # type: ignore[arg-type]  # PROFILES are Profile's
                yield from ((table.id, profile, job) for job in in_order(cell.jobs))


def revisions() -> dict[str, int]:
    """Return the revision that each row's method is at now, by the slug of its jobs, in every profile."""
    return {job.slug: job.revision for _, _, job in known_jobs()}


def stale(run: Run, now: Mapping[str, int]) -> bool:
    """Whether a run's method, or that of what it starts from, moved on, or its settings are an earlier version's."""
    job = run.job
    return run.outdated if job is None else _behind(job, now)


def _behind(job: Job, now: Mapping[str, int]) -> bool:
    return job.revision < now.get(job.slug, 0) or any(_behind(parent, now) for parent in job.parents)


def find(store: Store, text: str) -> Run:
    """Return the one run whose name is a text, or begins so.

    Raises:
        UsageError: there is none, or several begin so.
    """
    runs = store.runs()
    found = [run for run in runs if run.name == text] or [run for run in runs if text and run.name.startswith(text)]
    if len(found) != 1:
        several = f"{', '.join(run.name for run in found[:5])}{', ...' if len(found) > 5 else ''}"
        what = f"begins {len(found)} runs ({several}); add to it" if found else "is none; `python -m reproduce runs` lists them"
        raise UsageError(f"Expected the name of a run in {store.root}, or how one run's name begins, but '{text}' {what}.")
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


def export(runs: Iterable[Run], target: Path) -> int:
    """Write results into a new tar.gz, without weights and checkpoints, and return how many."""
    count = 0
    partial = target.with_name(f".{target.name}.partial")
    try:
        with tarfile.open(partial, "w:gz") as archive:
            for run in runs:
                count += 1
                for path in (run.folder / name for name in EXPORTED):
                    if path.is_file():
                        _add(archive, f"{run.name}/{path.name}", path)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _add(archive: tarfile.TarFile, name: str, path: Path) -> None:
    """Add a file as it is at this moment, without whose it is and where it lay."""
    content = path.read_bytes()
    if path.name in ("job.json", "error.json"):
        content = json.dumps(placeless(json.loads(content)), indent=1).encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime = len(content), path.stat().st_mtime
    archive.addfile(entry, io.BytesIO(content))


def placeless(plain: Any) -> Any:
    """Return a job's or an error's plain values without what names a machine's folders; read back, they take their defaults."""
    if isinstance(plain, dict):
        return {name: placeless(value) for name, value in plain.items() if name not in PLACES}
    return [placeless(value) for value in plain] if isinstance(plain, list) else plain


def _stored(name: str, content: bytes) -> str:
    """Return what is kept of an imported file: a job without the paths that its sender gave it, from which code could be run."""
    return json.dumps(placeless(json.loads(content)), indent=1) if name == "job.json" else content.decode(errors="replace")


def import_runs(source: Path, store: Store) -> dict[str, str]:
    """Take runs from an archive that `export` wrote, and return what became of each.

    Nothing is unpacked by the archive's own paths: only files of known names are read from it, and all of it is looked at before anything
    is written. A finished run is never overwritten.

    Raises:
        UsageError: it cannot be read, or it holds anything else.
    """
    try:
        with tarfile.open(source, "r:gz") as archive:
            contents = _contents(archive, source)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UsageError(f"Expected {source} to be a tar.gz of `runs export`, but it cannot be read ({error}).") from error
    for name, files in contents.items():
        _check(name, files, source)
    return {name: _take(store.root / name, files) for name, files in contents.items()}


def _contents(archive: tarfile.TarFile, source: Path) -> dict[str, dict[str, bytes]]:
    contents: dict[str, dict[str, bytes]] = {}
    for entry in archive:
        parts = PurePosixPath(entry.name).parts
        file = archive.extractfile(entry) if entry.isreg() else None
        if file is None or len(parts) != 2 or parts[0] in ("..", "/") or parts[1] not in EXPORTED:
            raise UsageError(f"Expected {source} to hold nothing but RUN/{{{','.join(EXPORTED)}}}, but got '{entry.name}'.")
        contents.setdefault(parts[0], {})[parts[1]] = file.read()
    return contents


def _check(name: str, files: Mapping[str, bytes], source: Path) -> None:
    """Refuse a run whose name is not that of its job: it would be shown as another's result."""
    try:
        job = from_plain(json.loads(files["job.json"]))
        found = job.name if isinstance(job, Job) else ""
        result = json.loads(files["result.json"]) if "result.json" in files else {"metrics": {}, "provenance": {}}
        complete = {"metrics", "provenance"} <= result.keys()
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        why = str(error.args[0]) if isinstance(error, LookupError) and "--paper" in str(error) else "export and import with one."
        raise UsageError(f"Expected {source} to hold jobs of this version, but {name} cannot be read: {why}") from None
    if found != name or not complete:
        raise UsageError(f"Expected {source} to hold whole results under the names of their jobs, but {name} is not one.")


def _take(folder: Path, files: Mapping[str, bytes]) -> str:
    run = Run(folder)
    if run.done:
        same = (folder / "result.json").read_bytes() == files.get("result.json")
        return "skipped: it is here already" if same else "skipped: a result of its own is here, and is kept"
    if "result.json" not in files and run.state != "todo":
        return f"skipped: it is {run.state} here, and has no result there"
    folder.mkdir(parents=True, exist_ok=True)
    with run.lock() as mine:
        if not mine:
            return "skipped: it is running here"
        for name in EXPORTED:
            if name in files:
                write_atomically(folder / name, _stored(name, files[name]))
        if run.done:
            (folder / "error.json").unlink(missing_ok=True)
            (folder / "progress.json").unlink(missing_ok=True)
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return "added"
