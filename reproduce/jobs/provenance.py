"""Provenance of a result: code, versions, machine, cost."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "lightning", "torchmetrics", "numpy", "opencv-python", "pandas", "safetensors")


def code_revision() -> dict[str, Any]:
    """Return the commit of this code and whether the checkout has changes; without a checkout, the package's version."""
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / ".git").exists():
        try:
            commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True)
            changes = subprocess.run(["git", "status", "--porcelain"], cwd=checkout, capture_output=True, text=True, check=True)
            return {"commit": commit.stdout.strip(), "dirty": bool(changes.stdout.strip())}
        except (OSError, subprocess.CalledProcessError):
            pass
    return {"version": package_version("reproduce-dense-prediction")}


def package_version(package: str) -> str:
    """Return a package's version; empty if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def processor() -> str:
    """Return the processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def device(accelerator: str) -> str:
    """Return the name of the computing device: the GPU, or the processor with its number of threads."""
    import torch

    return torch.cuda.get_device_name() if accelerator == "cuda" else processor_share(torch.get_num_threads())


def processor_share(threads: int) -> str:
    """Return the name of the processor and the number of threads that a job has."""
    return f"{processor()}, {threads} thread{'s' if threads != 1 else ''} of {os.cpu_count()}"


def expected_device(accelerator: str, threads: int) -> str:
    """Return the name that `device` will return in a job, without importing torch."""
    if accelerator != "cuda":
        return processor_share(threads)
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    named = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return named[0].strip() if named else ""


def peak_memory(accelerator: str) -> dict[str, float]:
    """Return the peak memory so far in MiB: of this process and, on CUDA, of the device."""
    import torch

    # The kernel reports kibibytes on Linux and bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak = {"host_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}
    if accelerator == "cuda":
        peak["device_mib"] = torch.cuda.max_memory_allocated() / 2**20
    return peak


def reset_peak_memory(accelerator: str) -> str:
    """Reset `peak_memory` to the memory in use now: the device's on CUDA, else this process's; return how the peak is measured."""
    if accelerator == "cuda":
        import torch

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
