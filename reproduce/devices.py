"""What this machine has, and how jobs share it."""

from __future__ import annotations

import os
import shutil
import subprocess

from reproduce.launchers.local import LocalLauncher
from reproduce.specs import Runtime

MOST_JOBS = 4  # at a time on a processor: each holds its activations in memory


def gpus() -> int:
    """Return how many NVIDIA GPUs may be used, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    listed = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True)
    return len(listed.stdout.splitlines()) if listed.returncode == 0 else 0


def launcher_for(accelerator: str, jobs: int | None) -> tuple[LocalLauncher, Runtime]:
    """Return a launcher of this machine, and the accelerator and threads of each of its jobs.

    Args:
        accelerator: `auto`, `cpu` or `cuda`.
        jobs: at a time; None for one a GPU, or one a core up to 4.
    """
    devices = gpus() if accelerator != "cpu" else 0
    if accelerator == "cuda" and not devices:
        raise ValueError("Expected --accelerator cuda on a machine with an NVIDIA GPU, but found none; use cpu.")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    slots = jobs or devices or min(cores, MOST_JOBS)
    return LocalLauncher(slots), Runtime(accelerator="cuda" if devices else "cpu", threads=max(1, cores // slots))
