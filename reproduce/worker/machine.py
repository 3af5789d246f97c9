"""Device and memory of this process, and the provenance of its result."""

from __future__ import annotations

import ctypes
import platform
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch

from reproduce.jobs.provenance import code_revision, package_version, processor_share

PACKAGES = ("torch", "lightning", "torchmetrics", "numpy", "opencv-python", "pandas", "safetensors")


def device(accelerator: str) -> str:
    """Return the name of the computing device: the GPU, or the processor with its number of threads."""
    return torch.cuda.get_device_name() if accelerator == "cuda" else processor_share(torch.get_num_threads())


def peak_memory(accelerator: str) -> dict[str, float]:
    """Return the peak memory so far in MiB: of this process and, on CUDA, of the device."""
    # The kernel reports kibibytes on Linux and bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak = {"host_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}
    if accelerator == "cuda":
        peak["device_mib"] = torch.cuda.max_memory_allocated() / 2**20
    return peak


def reset_peak_memory(accelerator: str) -> str:
    """Reset `peak_memory` to the memory in use now: the device's on CUDA, else this process's; return how the peak is measured."""
    if accelerator == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return "allocated by torch on the device, reset before the step"
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc keeps freed memory, which would count as in use
        libc.malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return "resident memory of the process, the most so far"
    return "resident memory of the process, reset before the step"


def provenance(accelerator: str, seed: int, started: float, resumed: int, seconds_before: float) -> dict[str, Any]:
    """Return the provenance that is stored with a result.

    Args:
        accelerator: Lightning's name of the accelerator.
        seed: Seed of the job.
        started: Start of this process, from `time.time`.
        resumed: Number of earlier attempts at the job.
        seconds_before: Seconds that those attempts took.
    """
    return {
        "code": code_revision(),
        "versions": {"python": platform.python_version()} | {package: package_version(package) for package in PACKAGES},
        "device": device(accelerator),
        "seconds": round(seconds_before + time.time() - started, 2),
        "resumed": resumed,
        "peak_memory": peak_memory(accelerator),
        "seed": seed,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
