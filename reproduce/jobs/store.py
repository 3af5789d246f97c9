"""Runs on disk: a folder each, whose files are their state."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reproduce.jobs.job import Job, from_plain, to_plain

State = Literal["done", "failed", "running", "interrupted", "todo"]


def write_atomically(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Write a file so that at every moment it holds either all of the old content or all of the new.

    Args:
        path: of the file.
        content: of the file.
        durable: survive a power failure too, which costs a wait for the disk.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON file's object, or None where there is none.

    Raises:
        ValueError: if the file is something else.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"Expected {path} to be JSON, but it is not ({error}); remove it, and the same command goes on.") from error
    return content


def interrupted_reason(progress: dict[str, Any]) -> str:
    """Return how far an interrupted job is, `2 of 55,000 steps`."""
    steps = f"{progress.get('step', 0):,} of {progress.get('steps', 0):,} steps"
    if not progress.get("unfinished_start"):
        return steps
    return f"{f'{steps}, ' if progress.get('steps') else ''}tried from a start that is not done"


@dataclass(frozen=True)
class Run:
    """One run's folder.

    No folder: todo. A held lock: running. `result.json`: done. `error.json`: failed. None of them: interrupted.
    """

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def done(self) -> bool:
        """Whether there is a result."""
        return (self.folder / "result.json").exists()

    @property
    def state(self) -> State:
        """What the files say."""
        if self.done:
            return "done"
        if not self.folder.exists():
            return "todo"
        if self.locked:
            return "running"
        # The worker may have written its result between the first look and the lock's.
        if self.done:
            return "done"
        if (self.folder / "error.json").exists():
            return "failed"
        return "interrupted" if (self.folder / "lock").exists() else "todo"

    @property
    def locked(self) -> bool:
        """Whether a live process holds the run."""
        try:
            with (self.folder / "lock").open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    @contextmanager
    def lock(self) -> Iterator[bool]:
        """Hold the run, and give whether it could be had; the kernel frees it however the process ends."""
        with (self.folder / "lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            file.truncate(0)
            file.write(f"{os.getpid()} on {os.uname().nodename}\n".encode())
            file.flush()
            yield True

    @property
    def result(self) -> dict[str, Any] | None:
        """What a finished run measured, with its provenance."""
        return read_json(self.folder / "result.json")

    @property
    def weights(self) -> Path:
        """Where a finished training's weights are, unless the run was imported without."""
        return self.folder / "weights.safetensors"

    @property
    def curve(self) -> list[dict[str, Any]]:
        """What was logged in training, a dict a line, up to a line that a crash cut short."""
        lines = []
        try:
            for line in (self.folder / "metrics.jsonl").read_text().splitlines():
                lines.append(json.loads(line))
        except (FileNotFoundError, json.JSONDecodeError):
            pass
        return lines

    @property
    def job(self) -> Job | None:
        """What is done here, or None where it cannot be read: cut off, or another version's."""
        try:
            plain = read_json(self.folder / "job.json")
            job = None if plain is None else from_plain(plain)
        except (ValueError, LookupError, TypeError, AttributeError):
            return None
        return job if isinstance(job, Job) else None

    @property
    def outdated(self) -> bool:
        """Whether its settings are those of an earlier version, of which nothing is read any more."""
        try:
            return isinstance((read_json(self.folder / "job.json") or {}).get("task"), str)
        except (ValueError, AttributeError):
            return False

    @property
    def disk_use(self) -> int:
        """Bytes of its files."""
        total = 0
        for path in self.folder.rglob("*"):
            try:
                total += path.stat().st_size if path.is_file() else 0
            except FileNotFoundError:  # a running job replaces its files
                continue
        return total

    @property
    def error(self) -> str:
        """The sentence of a failed run."""
        return str((read_json(self.folder / "error.json") or {}).get("message", ""))

    @property
    def progress(self) -> dict[str, Any]:
        """What the worker last said: `step`, `steps`, `stage`, `loss`, and more."""
        return read_json(self.folder / "progress.json") or {}

    def finish(self, result: dict[str, Any]) -> None:
        """Write the result, the last thing that a worker writes."""
        write_atomically(self.folder / "result.json", json.dumps(result, indent=1), durable=True)

    def fail(self, message: str, details: str) -> None:
        """Write why the run failed."""
        write_atomically(self.folder / "error.json", json.dumps({"message": message, "details": details}, indent=1))


@dataclass(frozen=True)
class Store:
    """The folder of all runs."""

    root: Path

    def run(self, job: Job) -> Run:
        """Return a job's run, existing or not."""
        return Run(self.root / job.name)

    def runs(self) -> list[Run]:
        """Return all runs, by name."""
        if not self.root.is_dir():
            return []
        return [Run(folder) for folder in sorted(self.root.iterdir()) if (folder / "job.json").is_file()]

    def outdated(self, job: Job) -> Run | None:
        """Return a finished run of a job's slug and seed whose settings are an earlier version's, if there is one."""
        found = (Run(folder) for folder in sorted(self.root.glob(f"{job.slug}-s{job.seed}-" + "[0-9a-f]" * 8)))
        return next((run for run in found if run.done and run.outdated), None)

    def prepare(self, job: Job) -> Run:
        """Make a job's folder and write what is to be done there."""
        run = self.run(job)
        run.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(run.folder / "job.json", json.dumps(to_plain(job), indent=1))
        return run
