"""Ranks: the processes of one job, one per device, that train together through `torch.distributed`."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from reproduce.jobs.job import Job
from reproduce.specs import Runtime

# Seconds for ranks to end by themselves after one failed: the kernel may report a killed rank's closed connection before its exit.
GRACE = 2.0
PR_SET_PDEATHSIG = 1  # option of Linux's prctl: the signal that a process gets when its parent dies
# Variables by which Lightning detects a process that a cluster started. Ranks that are started here inherit and remove them.
CLUSTERS = ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS", "LSB_JOBID", "RANK", "WORLD_SIZE", "GROUP_RANK")


def check(job: Job) -> None:
    """Check that a job's devices can run it.

    Raises:
        ValueError: The job needs half precision or batch norm over ranks on processors, or the devices cannot share its batch equally.
    """
    runtime, recipe = job.runtime, job.recipe
    if job.precision == "16-mixed" and runtime.accelerator == "cpu":
        raise ValueError("Expected `precision` to be 32-true or bf16-mixed on a processor, but got 16-mixed; use one of them, or a GPU.")
    if recipe is None or runtime.world == 1:
        return
    if recipe.batch_size % runtime.world:
        raise ValueError(
            f"Expected the number of devices to divide the batch of {recipe.batch_size} of {job.slug}, which all devices share, "
            f"but got {runtime.world}; use a number that divides it."
        )
    if recipe.batch_size // runtime.world % recipe.accumulate:
        raise ValueError(
            f"Expected `accumulate` of {job.slug} to divide a device's {recipe.batch_size // runtime.world} samples of the batch, "
            f"but got {recipe.accumulate}; use another number of devices."
        )
    if job.network.trains_batch_norm:
        check_batch_norm(job)


def check_batch_norm(job: Job) -> None:
    """Check that batch norm is not trained on several processors: ranks can share its statistics (SyncBatchNorm) only on GPUs."""
    if job.runtime.world > 1 and job.runtime.accelerator == "cpu":
        raise ValueError(
            f"Expected one device to train {job.slug} on a processor, because it has batch norm, which only GPUs compute over all ranks, "
            f"but got {job.runtime.world}; use --devices 1, or GPUs."
        )


def launched(runtime: Runtime) -> int | None:
    """Return this process's rank if srun, torchrun or a similar program started it; None if the ranks must still be started."""
    if runtime.world == 1:
        return None
    from lightning.pytorch.plugins import environments

    clusters = (environments.TorchElasticEnvironment, environments.SLURMEnvironment, environments.LSFEnvironment)  # type: ignore[attr-defined]
    for cluster in clusters:
        if cluster.detect() and cluster().world_size() == runtime.world:
            return cluster().global_rank()
    local = os.environ.get("LOCAL_RANK")  # by this variable Lightning detects a start by hand
    return None if local is None else node_rank(runtime) * runtime.devices + int(local)


def node_rank(runtime: Runtime) -> int:
    """Return the index of this machine among a job's machines."""
    return int(os.environ.get("NODE_RANK", 0)) if runtime.num_nodes > 1 else 0


def start(work: Callable[[int], int], runtime: Runtime) -> list[int]:
    """Start this machine's ranks of a job and wait for them; if one fails, kill the others, which would wait for it forever.

    The ranks are forked so that they start at once: torch may have been imported, but must not have computed yet. The ranks share the open
    files of this process, for example the lock of a run.

    Args:
        work: Function that each process calls with its rank; it returns the exit code.
        runtime: Runtime with the number of ranks.

    Returns:
        Exit codes of the ranks that failed by themselves, negative for a signal; empty if none failed.
    """
    sys.stdout.flush()
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="reproduce-ranks-") as folder:
        # Ranks connect through a file, because another job may take a free port before it is used.
        meeting = Path(folder) / "meeting"
        processes = [context.Process(target=_enter, args=(work, runtime, local, meeting, os.getpid())) for local in range(runtime.devices)]
        for process in processes:
            process.start()

        def terminate(*_: object) -> None:
            for process in processes:
                process.terminate()

        signal.signal(signal.SIGTERM, terminate)
        return _wait(processes)


def _wait(processes: Sequence[BaseProcess]) -> list[int]:
    living, failed, patience = list(processes), [], None
    while living and wait([process.sentinel for process in living], patience):
        ended = [process for process in living if process.exitcode is not None]  # asked once: a process may end meanwhile
        failed += [process.exitcode for process in ended if process.exitcode]
        living = [process for process in living if process not in ended]
        patience = GRACE if failed else None
    for process in living:
        process.kill()
        process.join()
    return failed


def _enter(work: Callable[[int], int], runtime: Runtime, local: int, meeting: Path, parent: int) -> None:
    """Run one rank: set the environment variables that Lightning reads, and die with the parent process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    node = node_rank(runtime)
    for name in CLUSTERS:
        os.environ.pop(name, None)
    os.environ |= {"NODE_RANK": str(node), "LOCAL_RANK": str(local)}
    rank = node * runtime.devices + local
    if runtime.num_nodes == 1:  # Lightning connects several machines through MASTER_ADDR and MASTER_PORT
        _join(runtime, rank, meeting)
    code = work(rank)
    sys.stdout.flush()
    os._exit(code)


def _join(runtime: Runtime, rank: int, meeting: Path) -> None:
    """Create the process group, which Lightning then uses."""
    import torch

    device = None
    if runtime.accelerator == "cuda":
        device = torch.device("cuda", rank)
        torch.cuda.set_device(device)
    torch.distributed.init_process_group(
        "nccl" if device else "gloo", init_method=meeting.as_uri(), rank=rank, world_size=runtime.world, device_id=device
    )


def leave() -> None:
    """Wait for the other ranks and end the process group; a rank fails if another one ends while they still communicate."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
