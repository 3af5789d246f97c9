"""Build a folder exactly once, also if several processes ask for it or are killed."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path


def build_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """Build `folder` unless it exists, and return it. The folder never exists incomplete.

    Args:
        folder: The folder to build. A lock file stays beside it.
        build: A function that fills the empty folder that it is given. If it fails or is killed, the next call starts afresh.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.partial")
    # The lock ends with its process. The file must stay: another process may be waiting for it.
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
