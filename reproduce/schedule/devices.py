"""Devices of this machine, and how jobs share them."""

from __future__ import annotations

import os
import shutil
import subprocess

from reproduce.schedule.local import LocalLauncher
from reproduce.specs import Runtime

MOST_JOBS = 4  # jobs at a time on a processor: each holds its activations in memory


def gpus() -> list[str]:
    """Return the usable NVIDIA GPUs by their names in CUDA_VISIBLE_DEVICES, without importing torch."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    listed = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True)
    present = [str(index) for index in range(len(listed.stdout.splitlines()))] if listed.returncode == 0 else []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None or not present:
        return present
    return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]


def launcher_for(accelerator: str, jobs: int | None, devices: int = 1, num_nodes: int = 1) -> tuple[LocalLauncher, Runtime]:
    """Return a launcher for this machine, and the runtime of each of its jobs.

    Args:
        accelerator: Name `auto`, `cpu` or `cuda`.
        jobs: Number of jobs at a time; None for as many as the GPUs allow, or without GPUs one per core up to 4.
        devices: Devices per job on this machine.
        num_nodes: Machines per job.
    """
    found = gpus() if accelerator != "cpu" else []
    if accelerator == "cuda" and not found:
        raise ValueError("Expected --accelerator cuda on a machine with an NVIDIA GPU, but found none; use cpu.")
    if found and devices > len(found):
        raise ValueError(f"Expected --devices to be at most {len(found)}, the GPUs of this machine, but got {devices}.")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Machines that share a job connect through one MASTER_PORT, so only one such job runs at a time.
    most = len(found) // devices if found else min(max(1, cores // devices), MOST_JOBS)
    slots = 1 if num_nodes > 1 else jobs or most
    groups = [",".join(found[first : first + devices]) for first in range(0, len(found) - devices + 1, devices)]
    kind = "cuda" if found else "cpu"
    return LocalLauncher(slots, groups), Runtime(
        accelerator=kind, devices=devices, num_nodes=num_nodes, threads=max(1, cores // (slots * devices))
    )
