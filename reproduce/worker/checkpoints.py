"""A run's checkpoints on disk, each with a digest beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.plugins.io import TorchCheckpointIO

from reproduce.jobs.store import sha256_of, write_atomically

if TYPE_CHECKING:
    from lightning.fabric.utilities.types import _PATH


class DigestedCheckpoints(TorchCheckpointIO):
    """Write a checkpoint beside a file with its SHA-256, so that a changed checkpoint is never resumed from.

    The digest is written before the checkpoint gets its name: a checkpoint always has one, whenever the process is killed.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        """Write the checkpoint and its digest."""
        target = Path(path)
        partial = target.with_name(f".{target.name}.partial")
        super().save_checkpoint(checkpoint, partial, storage_options)
        write_atomically(_digest_path(target), sha256_of(partial), durable=True)
        partial.replace(target)

    def remove_checkpoint(self, path: _PATH) -> None:
        """Delete the checkpoint and its digest."""
        remove(Path(path))


def _digest_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


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
    """Delete a checkpoint and its digest."""
    path.unlink(missing_ok=True)
    _digest_path(path).unlink(missing_ok=True)


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the newest unchanged checkpoint of a run, or None; a changed one is logged and renamed."""
    for path in checkpoints(folder):
        expected = _digest_path(path)
        if expected.is_file() and expected.read_text(errors="replace").strip() == sha256_of(path):
            return path
        why = "its content does not match its digest" if expected.is_file() else "it has no digest"
        print(f"{path.name} is not used, because {why}: the training resumes from the checkpoint before it.", flush=True)
        path.rename(path.with_suffix(".corrupt"))
    return None
