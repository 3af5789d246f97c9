"""A run's checkpoints on disk, each with a seal beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.plugins.io import TorchCheckpointIO

from reproduce.jobs.store import CURVE, sha256_of, write_atomically

if TYPE_CHECKING:
    from lightning.fabric.utilities.types import _PATH


class SealedCheckpoints(TorchCheckpointIO):
    """Write a seal beside each checkpoint of a run: its SHA-256, the run's name, and the SHA-256 of the curve so far.

    A training resumes only from a checkpoint that matches its seal. The seal is written before the checkpoint gets its name: a checkpoint
    always has one, whenever the process is killed.

    Args:
        run: Folder of the run.
    """

    def __init__(self, run: Path) -> None:
        self.run = run

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        """Write the checkpoint and its seal."""
        target = Path(path)
        partial = target.with_name(f".{target.name}.partial")
        super().save_checkpoint(checkpoint, partial, storage_options)
        curve = _curve(self.run)
        seal = {"run": self.run.name, "sha256": sha256_of(partial), "curve": [len(curve), hashlib.sha256(curve).hexdigest()]}
        write_atomically(_seal_path(target), json.dumps(seal), durable=True)
        partial.replace(target)

    def remove_checkpoint(self, path: _PATH) -> None:
        """Delete the checkpoint and its seal."""
        remove(Path(path))


def _curve(run: Path) -> bytes:
    path = run / CURVE
    return path.read_bytes() if path.exists() else b""


def _seal_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.seal")


def checkpoints(folder: Path) -> list[Path]:
    """Return a run's checkpoints, the newest first."""
    return sorted(folder.glob("step-????????.ckpt"), key=step_of, reverse=True)


def step_of(path: Path) -> int:
    """Return the step of a checkpoint."""
    return int(path.stem.split("-")[1])


def checkpoint_path(folder: Path, step: int) -> Path:
    """Return the path of a step's checkpoint."""
    return folder / f"step-{step:08d}.ckpt"


def remove(path: Path) -> None:
    """Delete a checkpoint and its seal."""
    path.unlink(missing_ok=True)
    _seal_path(path).unlink(missing_ok=True)


def newest_intact(run: Path, every: int) -> Path | None:
    """Return the newest checkpoint of a run that it can resume from, or None; others are logged and renamed.

    Args:
        run: Folder of the run.
        every: Steps between lines of the curve.
    """
    for path in checkpoints(run / "checkpoints"):
        fault = _fault(path, run, every)
        if not fault:
            return path
        print(f"{path.name} is not used, because {fault}: the training resumes from the checkpoint before it.", flush=True)
        path.rename(path.with_suffix(".corrupt"))
    return None


def _fault(path: Path, run: Path, every: int) -> str:
    """Return why a run cannot resume from a checkpoint; empty if it can."""
    try:
        seal = json.loads(_seal_path(path).read_bytes())
        owner, digest, (length, curve_digest) = seal["run"], seal["sha256"], seal["curve"]
    except (OSError, ValueError, LookupError, TypeError):
        return "its seal cannot be read"
    if owner != run.name:
        return f"it is of another run, {owner}"
    if digest != sha256_of(path):
        return "its content does not match its seal"
    curve = _curve(run)
    if hashlib.sha256(curve[:length]).hexdigest() != curve_digest:
        return f"{CURVE} has changed since then"
    if _steps(curve, step_of(path)) != list(range(every - 1, step_of(path), every)):
        return f"{CURVE} lacks lines before it"
    return ""


def _steps(curve: bytes, end: int) -> Sequence[int]:
    """Return the steps before `end` in a curve; a line that was cut short ends it."""
    found: list[int] = []
    for line in curve.splitlines():
        try:
            step = json.loads(line)["step"]
        except (ValueError, LookupError, TypeError):
            break
        if step < end:
            found.append(step)
    return found
