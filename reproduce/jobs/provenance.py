"""Provenance of a result: code, versions, machine, cost."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


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
