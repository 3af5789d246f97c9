"""Ranks: the processes of one job, one a device, that train as one through `torch.distributed`."""

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

# Seconds for ranks to end by themselves after one has failed: the kernel may show a killed one's closed connection before its end.
GRACE = 2.0
PR_SET_PDEATHSIG = 1  # of Linux's prctl: the signal that a process gets when its parent dies
# By these Lightning takes a process for one that a cluster started; the ranks that are started here inherit them from whoever drives.
CLUSTERS = ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS", "LSB_JOBID", "RANK", "WORLD_SIZE", "GROUP_RANK")


def check(job: Job) -> None:
    """Refuse what a job's devices cannot do.

    Raises:
        ValueError: half precision or batch norm on processors, or a batch that devices cannot share equally.
    """
    runtime, recipe = job.runtime, job.recipe
    if job.precision == "16-mixed" and runtime.accelerator == "cpu":
        raise ValueError("Expected `precision` to be 32-true or bf16-mixed on a processor, but got 16-mixed; use one of them, or a GPU.")
    if recipe is None or runtime.world == 1:
        return
    if recipe.batch_size % runtime.world:
        raise ValueError(
            f"Expected the number of devices to divide the batch of {recipe.batch_size} of {job.slug}, which counts all of them together, "
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
    """Refuse to train batch norm on several processors: ranks can share its statistics (SyncBatchNorm) on GPUs only."""
    if job.runtime.world > 1 and job.runtime.accelerator == "cpu":
        raise ValueError(
            f"Expected one device to train {job.slug} on a processor, because it has batch norm, which only GPUs compute over all ranks, "
            f"but got {job.runtime.world}; use --devices 1, or GPUs."
        )


def launched(runtime: Runtime) -> int | None:
    """Return which rank of a job srun, torchrun or the like started this process as; None where its ranks are still to be started."""
    if runtime.world == 1:
        return None
    from lightning.pytorch.plugins import environments

    clusters = (environments.TorchElasticEnvironment, environments.SLURMEnvironment, environments.LSFEnvironment)  # type: ignore[attr-defined]
    for cluster in clusters:
        if cluster.detect() and cluster().world_size() == runtime.world:
            return cluster().global_rank()
    local = os.environ.get("LOCAL_RANK")  # what Lightning takes for a start by hand
    return None if local is None else node_rank(runtime) * runtime.devices + int(local)


def node_rank(runtime: Runtime) -> int:
    """Return which of a job's machines this is."""
    return int(os.environ.get("NODE_RANK", 0)) if runtime.num_nodes > 1 else 0


def start(work: Callable[[int], int], runtime: Runtime) -> list[int]:
    """Start this machine's ranks of a job and wait for them; where one fails, end the others, which would wait for it for ever.

    They are forked, so that they start at once: torch may have been imported, but must not have computed yet. What this process has open,
    a run's lock for one, is theirs too.

    Args:
        work: called in each process with its rank; returns its exit code.
        runtime: says how many.

    Returns:
        The exit codes of the ranks that failed by themselves, negative for a signal; none if all went well.
    """
    sys.stdout.flush()
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="reproduce-ranks-") as folder:
        # Where ranks meet: a file, because a free port may be taken by another job before it is used.
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
        failed += [process.exitcode for process in living if process.exitcode]
        living = [process for process in living if process.exitcode is None]
        patience = GRACE if failed else None
    for process in living:
        process.kill()
        process.join()
    return failed


def _enter(work: Callable[[int], int], runtime: Runtime, local: int, meeting: Path, parent: int) -> None:
    """Be a rank: in the environment that Lightning reads, and no longer than the process that started it."""
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
    if runtime.num_nodes == 1:  # several machines meet at MASTER_ADDR and MASTER_PORT: Lightning does that
        _join(runtime, rank, meeting)
    code = work(rank)
    sys.stdout.flush()
    os._exit(code)


def _join(runtime: Runtime, rank: int, meeting: Path) -> None:
    """Make the process group, which Lightning then finds there."""
    import torch

    device = None
    if runtime.accelerator == "cuda":
        device = torch.device("cuda", rank)
        torch.cuda.set_device(device)
    torch.distributed.init_process_group(
        "nccl" if device else "gloo", init_method=meeting.as_uri(), rank=rank, world_size=runtime.world, device_id=device
    )


def leave() -> None:
    """Wait for the other ranks and end the process group: one that ends while another still talks to it makes that one fail."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
