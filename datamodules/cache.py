"""Build a folder once, however many processes ask for it and whenever they are killed."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path


def build_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """Return `folder`, after building it if it does not exist; it only ever exists complete.

    Args:
        folder: where the result shall lie. Beside it a lock file stays.
        build: fills the empty folder that it is given. What it leaves when it fails or is killed is thrown away by the next attempt.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.partial")
    # The lock goes with the process that holds it. The file itself must stay: a process may be waiting on it.
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            build(partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        partial.replace(folder)
    return folder
