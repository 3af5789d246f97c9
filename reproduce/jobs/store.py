"""Runs on disk: one folder per run; its files are the state of the run."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reproduce.jobs.job import Job, from_plain, to_plain
from reproduce.jobs.result import BadResult, Result, check_result, parsed

CURVE, WEIGHTS = "metrics.jsonl", "weights.safetensors"  # files of a run beside its result
NAME = re.compile(r"(?P<slug>.+)-s(?P<seed>\d{1,3})-[0-9a-f]{8}")  # of a run's folder
State = Literal["done", "failed", "running", "interrupted", "todo"]


def write_atomically(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Write a file atomically: at every moment it holds either all of the old content or all of the new.

    Args:
        path: Path of the file.
        content: Content of the file.
        durable: Whether the file survives a power failure too, which costs a wait for the disk.
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
    """Return the object in a JSON file, or None if there is no file.

    Raises:
        ValueError: The file is not a JSON object.
    """
    try:
        content: object = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected {path} to be JSON, but it is not ({error}); remove it and run the same command again.") from error
    if not isinstance(content, dict):
        raise ValueError(f"Expected {path} to be a JSON object, but got {str(content)[:40]!r}; remove it and run the same command again.")
    return content


def interrupted_reason(progress: dict[str, Any]) -> str:
    """Return the progress of an interrupted job as text: `2 of 55,000 steps`."""
    steps = f"{progress.get('step', 0):,} of {progress.get('steps', 0):,} steps"
    if not progress.get("unfinished_start"):
        return steps
    return f"{f'{steps}, ' if progress.get('steps') else ''}started from an unfinished job"


@dataclass(frozen=True)
class Run:
    """Folder of one run; its files give the state.

    No folder: todo. A held lock: running. `result.json`: done. `error.json`: failed. None of them: interrupted.
    """

    folder: Path

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def done(self) -> bool:
        """Whether the run has a result."""
        return (self.folder / "result.json").exists()

    @property
    def state(self) -> State:
        """State of the run, from its files."""
        if self.done:
            return "done"
        if not self.folder.exists():
            return "todo"
        if self.locked:
            return "running"
        # The worker may have written its result between the first check and the check of the lock.
        if self.done:
            return "done"
        if (self.folder / "error.json").exists():
            return "failed"
        return "interrupted" if (self.folder / "lock").exists() else "todo"

    @property
    def locked(self) -> bool:
        """Whether a live process holds the lock of the run."""
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
        """Take the lock of the run and yield whether that worked; the kernel releases it however the process ends."""
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
    def result(self) -> Result | None:
        """Measurements of a finished run, checked; None if there are none.

        Raises:
            BadResult: The file is no result, or has changed since it was written.
        """
        try:
            content = (self.folder / "result.json").read_bytes()
        except FileNotFoundError:
            return None
        where = f"result.json of {self.name}"
        self._compare(where, "result.json", hashlib.sha256(content).hexdigest())
        result = parsed(content, where)
        if result.get("job", self.name) != self.name:
            raise BadResult(f"Expected {where} to be its own, but it is that of {result['job']}; `runs rerun` makes a new one.")
        return result

    @property
    def manifest(self) -> dict[str, str] | None:
        """SHA-256 of a finished run's result, curve and weights, by file name; None if an earlier version wrote the run.

        Raises:
            BadResult: The file cannot be read.
        """
        try:
            found: Any = json.loads((self.folder / "manifest.json").read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or "result.json" not in found or not all(isinstance(digest, str) for digest in found.values()):
            raise BadResult(f"Expected manifest.json of {self.name} to have the digests of its files, but it does not; `runs rerun` it.")
        return found

    def unchanged(self, name: str) -> Path:
        """Return the path of a file that the manifest contains, after checking that it has not changed.

        Raises:
            BadResult: It has changed.
        """
        path = self.folder / name
        self._compare(f"{name} of {self.name}", name, sha256_of(path))
        return path

    def _compare(self, where: str, name: str, digest: str) -> None:
        """Raise an error if a file is not the one that the worker wrote."""
        expected = (self.manifest or {}).get(name, digest)
        if digest != expected:
            said = f"it has changed (SHA-256 {digest[:8]}, not {expected[:8]})"
            raise BadResult(f"Expected {where} to be as it was written, but {said}; `runs rerun` makes a new one.")

    @property
    def weights(self) -> Path:
        """Path of a finished training's weights; an imported run has no such file."""
        return self.folder / WEIGHTS

    @property
    def curve(self) -> list[dict[str, Any]]:
        """Logged lines of the training, one dict per line, up to a line that a crash cut short.

        Raises:
            BadResult: The run is done, and the file has changed since then.
        """
        lines = []
        try:
            path = self.unchanged(CURVE) if self.done else self.folder / CURVE
            for line in path.read_text().splitlines():
                lines.append(json.loads(line))
        except FileNotFoundError:
            if CURVE in (self.manifest or {}):
                raise BadResult(f"Expected {CURVE} of {self.name}, but it is missing; `runs rerun` makes a new one.") from None
        except (ValueError, RecursionError):  # a crash cut the last line short
            if self.done:
                raise BadResult(f"Expected {CURVE} of {self.name} to be lines of JSON, but one is not; `runs rerun` it.") from None
        return lines

    @property
    def job(self) -> Job | None:
        """Job of the run, or None if it cannot be read: the file is cut short, or another version wrote it."""
        try:
            plain = read_json(self.folder / "job.json")
            job = None if plain is None else from_plain(plain)
        except (ValueError, LookupError, TypeError, AttributeError):
            return None
        return job if isinstance(job, Job) else None

    @property
    def outdated(self) -> bool:
        """Whether an earlier version wrote the settings; nothing of such a run is read any more."""
        try:
            return isinstance((read_json(self.folder / "job.json") or {}).get("task"), str)
        except (ValueError, AttributeError):
            return False

    @property
    def disk_use(self) -> int:
        """Bytes on disk of all files of the run."""
        total = 0
        for path in self.folder.rglob("*"):
            try:
                total += path.stat().st_size if path.is_file() else 0
            except FileNotFoundError:  # a running job replaces its files
                continue
        return total

    @property
    def error(self) -> str:
        """Error message of a failed run."""
        return str((read_json(self.folder / "error.json") or {}).get("message", ""))

    @property
    def progress(self) -> dict[str, Any]:
        """Last progress that the worker wrote: `step`, `steps`, `stage`, `loss`, and more."""
        return read_json(self.folder / "progress.json") or {}

    def finish(self, result: Result) -> None:
        """Write the manifest and then the result, the last file that a worker writes.

        Raises:
            BadResult: A number is not finite, or a value has the wrong type.
        """
        content = json.dumps(check_result(result, f"the result of {self.name}"), indent=1).encode()
        manifest = {name: sha256_of(self.folder / name) for name in (CURVE, WEIGHTS) if (self.folder / name).exists()}
        manifest["result.json"] = hashlib.sha256(content).hexdigest()
        write_atomically(self.folder / "manifest.json", json.dumps(manifest, indent=1), durable=True)
        write_atomically(self.folder / "result.json", content, durable=True)

    def ensure_manifest(self) -> None:
        """Check the files of a finished run against its manifest; write one for a run of an earlier version.

        Raises:
            BadResult: A file has changed since it was written.
        """
        result = self.result
        if result is None:
            return
        if self.manifest is None:
            digests = {name: sha256_of(self.folder / name) for name in (CURVE, WEIGHTS, "result.json") if (self.folder / name).exists()}
            write_atomically(self.folder / "manifest.json", json.dumps(digests, indent=1))
        _ = self.curve

    def fail(self, message: str, details: str) -> None:
        """Write why the run failed."""
        write_atomically(self.folder / "error.json", json.dumps({"message": message, "details": details}, indent=1))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Store:
    """Folder of all runs."""

    root: Path

    def run(self, job: Job) -> Run:
        """Return a job's run, whether its folder exists or not."""
        return Run(self.root / job.name)

    def runs(self) -> list[Run]:
        """Return all runs, sorted by name."""
        if not self.root.is_dir():
            return []
        return [Run(folder) for folder in sorted(self.root.iterdir()) if (folder / "job.json").is_file()]

    def seeds(self, slugs: Collection[str]) -> int:
        """Return the number of seeds, counted from 0, up to the largest one of a run with one of these slugs."""
        names = (NAME.fullmatch(folder.name) for folder in (self.root.iterdir() if self.root.is_dir() else ()))
        return max((int(name["seed"]) + 1 for name in names if name and name["slug"] in slugs), default=0)

    def outdated(self, job: Job) -> Run | None:
        """Return a finished run with the job's slug and seed whose settings an earlier version wrote, or None."""
        found = (Run(folder) for folder in sorted(self.root.glob(f"{job.slug}-s{job.seed}-" + "[0-9a-f]" * 8)))
        return next((run for run in found if run.done and run.outdated), None)

    def prepare(self, job: Job) -> Run:
        """Make a job's folder and write `job.json` into it."""
        run = self.run(job)
        run.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(run.folder / "job.json", json.dumps(to_plain(job), indent=1))
        return run
