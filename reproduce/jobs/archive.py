"""Archives that carry results to another machine: runs without weights and checkpoints."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from reproduce.jobs.job import Job, from_plain, placeless
from reproduce.jobs.result import check_ranges, parsed
from reproduce.jobs.store import CURVE, Run, Store, write_atomically

# Files of a run without weights and checkpoints. The result is the last one, because it marks the run as done.
EXPORTED = ("job.json", "metrics.jsonl", "error.json", "manifest.json", "result.json")


CHUNK = 2**20  # bytes read at once
LARGEST = 2**30  # bytes of a file
NAME = r"[\w.-]{1,200}"  # of a run


def export(runs: Iterable[Run], target: Path) -> int:
    """Write runs into a new tar.gz, without weights and checkpoints; return the number of runs.

    Raises:
        BadResult: A result or a curve has changed since it was written.
    """
    count = 0
    partial = target.with_name(f".{target.name}.partial")
    try:
        with tarfile.open(partial, "w:gz") as archive:
            for run in runs:
                count += 1
                run.ensure_manifest()
                for path in (run.folder / name for name in EXPORTED):
                    if path.is_file():
                        _add(archive, f"{run.name}/{path.name}", path)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _add(archive: tarfile.TarFile, name: str, path: Path) -> None:
    """Add the current content of a file, without its owner and without paths of this machine."""
    content = path.read_bytes()
    if path.name in ("job.json", "error.json"):
        content = json.dumps(placeless(json.loads(content)), indent=1).encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime = len(content), path.stat().st_mtime
    archive.addfile(entry, io.BytesIO(content))


def _stored(name: str, content: bytes) -> bytes:
    """Return the content to store for an imported file; a job loses the sender's paths, because code could be run from them."""
    return json.dumps(placeless(json.loads(content)), indent=1).encode() if name == "job.json" else content


def import_runs(source: Path, store: Store) -> dict[str, str]:
    """Import runs from an archive that `export` wrote; return what happened to each.

    No file is unpacked to a path that the archive gives: only files with known names are read. The whole archive is checked before
    anything is written. A finished run is never overwritten.

    Raises:
        ValueError: The archive cannot be read, or it contains something other than such runs.
    """
    try:
        with gzip.open(source) as unpacked:
            with tarfile.open(fileobj=unpacked, mode="r|") as archive:
                contents = _contents(archive, source)
            while unpacked.read(CHUNK):  # to the end, where gzip's checksum is: tar stops before it
                pass
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"Expected {source} to be a tar.gz that `runs export` wrote, but it cannot be read ({error}).") from error
    for name, files in contents.items():
        _check(name, files, source)
    return {name: _take(store.root / name, files) for name, files in contents.items()}


def _contents(archive: tarfile.TarFile, source: Path) -> dict[str, dict[str, bytes]]:
    contents: dict[str, dict[str, bytes]] = {}
    for entry in archive:
        parts = PurePosixPath(entry.name).parts
        file = archive.extractfile(entry) if entry.isreg() else None
        if (
            file is None
            or entry.sparse is not None
            or entry.size > LARGEST
            or len(parts) != 2
            or parts[0] in ("..", "/")
            or parts[1] not in EXPORTED
        ):
            raise ValueError(f"Expected {source} to contain only RUN/{{{','.join(EXPORTED)}}}, but got '{entry.name}'.")
        files = contents.setdefault(parts[0], {})
        if parts[1] in files:
            raise ValueError(f"Expected {source} to contain every file once, but got '{entry.name}' twice.")
        files[parts[1]] = file.read()
    return contents


def _check(name: str, files: Mapping[str, bytes], source: Path) -> None:
    """Check that a run is complete and has the name of its job; else it would be shown as the result of another job."""
    try:
        job = from_plain(json.loads(files["job.json"]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        why = str(error.args[0]) if isinstance(error, LookupError) and "--paper" in str(error) else "export and import with one version."
        raise ValueError(f"Expected {source} to contain jobs of this version, but {name} cannot be read: {why}") from None
    if not isinstance(job, Job) or job.name != name or not re.fullmatch(NAME, name):
        raise ValueError(f"Expected {source} to contain runs under their jobs' names, but {name} is misnamed.")
    if "result.json" not in files:
        return
    where = f"result.json of {name} in {source}"
    result = parsed(files["result.json"], where)
    check_ranges(job, result["metrics"], where)
    if result.get("job", name) != name:
        raise ValueError(f"Expected {where} to be its own, but it is that of {result['job']}.")
    try:
        manifest = json.loads(files["manifest.json"])
        if not isinstance(manifest, dict):
            raise ValueError
    except (KeyError, ValueError, RecursionError):
        raise ValueError(f"Expected {source} to contain a manifest of {name}, but it does not; export it with this version.") from None
    for file in ("result.json", CURVE):
        if file in files and manifest.get(file) != hashlib.sha256(files[file]).hexdigest():
            raise ValueError(f"Expected {file} of {name} in {source} to be as it was written, but it has changed; export it again.")


def _take(folder: Path, files: Mapping[str, bytes]) -> str:
    run = Run(folder)
    if run.done:
        same = (folder / "result.json").read_bytes() == files.get("result.json")
        return "skipped: the same result is here already" if same else "skipped: another result is here and is kept"
    if "result.json" not in files and run.state != "todo":
        return f"skipped: it is {run.state} here, and the archive has no result for it"
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
