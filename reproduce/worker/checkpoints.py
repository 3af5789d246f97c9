"""A run's checkpoints on disk."""

from __future__ import annotations

from pathlib import Path


def checkpoints(folder: Path) -> list[Path]:
    """Return a run's checkpoints, the newest first."""
    return sorted(folder.glob("step-????????.ckpt"), key=step_of, reverse=True)


def step_of(path: Path) -> int:
    """Return the step of a checkpoint."""
    return int(path.stem.split("-")[1])


def checkpoint_path(folder: Path, step: int) -> Path:
    """Return the path of a step's checkpoint."""
    return folder / f"step-{step:08d}.ckpt"


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the newest readable checkpoint of a run, or None; an unreadable one is logged and renamed."""
    import torch

    for path in checkpoints(folder):
        try:
            torch.load(path, map_location="meta", weights_only=True, mmap=True)
        except Exception as error:
            print(f"{path.name} cannot be read ({type(error).__name__}): the checkpoint before it is used.", flush=True)
            path.rename(path.with_suffix(".corrupt"))
        else:
            return path
    return None
