"""Worker process of a job: `python -m reproduce job RUN_DIR`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from datamodules.errors import DataError
from reproduce import plugins, worker
from reproduce.jobs.job import Job, from_plain
from reproduce.jobs.result import check_ranges
from reproduce.jobs.store import Run, Store, read_json, write_atomically
from reproduce.wandb_.mirror import Mirror
from reproduce.worker import ranks


def work(folder: Path, cluster: bool = False) -> int:
    """Run the job of a run folder, unless it is done or another process runs it; return an exit code.

    Args:
        folder: Run folder with `job.json`.
        cluster: Whether srun, torchrun or a similar program may have started this process as one of the job's ranks.
    """
    run = Run(folder)
    plain = read_json(folder / "job.json")
    if plain is None:
        raise ValueError(f"Expected a run folder with a job.json, but got {folder}.")
    try:
        plugins.add((plain.get("runtime") or {}).get("papers") or ())
        job: Job = from_plain(plain)
    except (ValueError, LookupError, TypeError) as error:
        run.fail(_said(error), traceback.format_exc())
        raise
    rank = ranks.launched(job.runtime) if cluster else None
    if (ranks.node_rank(job.runtime) if rank is None else rank) > 0:  # only the first rank takes the lock and writes files
        return 0 if run.done else _work(job, run, rank, (0, 0.0))
    for _ in range(20):  # a process that only checks the lock holds it for an instant
        with run.lock() as mine:
            if mine:
                return 0 if run.done else _work(job, run, rank, _begin(run))
        time.sleep(0.05)
    if rank is None:
        return 0
    # With this exit code, the cluster ends the ranks that wait for this one.
    print(f"Expected to be the only process that runs {run.name}, but another process holds its lock.", file=sys.stderr)
    return 1


def _begin(run: Run) -> tuple[int, float]:
    """Count an attempt; return the number of earlier attempts and their seconds, as far as their progress shows them."""
    (run.folder / "error.json").unlink(missing_ok=True)
    attempts_file, progress = run.folder / "attempts.json", run.folder / "progress.json"
    before = read_json(attempts_file) or {}
    seconds: float = before.get("seconds", 0.0)
    if before and progress.exists():
        seconds += max(0.0, progress.stat().st_mtime - before.get("begun", time.time()))
    attempts: int = before.get("attempts", 0)
    write_atomically(attempts_file, json.dumps({"attempts": attempts + 1, "begun": time.time(), "seconds": seconds}))
    return attempts, seconds


def _work(job: Job, run: Run, rank: int | None, before: tuple[int, float]) -> int:
    """Run a job as `rank`, or start its ranks here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main command handles Ctrl-C and stops this process by SIGTERM
    perform = partial(_perform, job, run, time.time(), before)
    if rank is not None or job.runtime.world == 1:
        return perform(rank or 0)
    _ = worker.training  # imported once, before the ranks are forked
    failed = ranks.start(perform, job.runtime)
    if any(code < 0 for code in failed):
        print(f"A rank was killed by signal {-min(failed)}, and the other ranks were stopped.", flush=True)
        (run.folder / "error.json").unlink(missing_ok=True)  # another rank may have failed because this one was missing
    return 1 if failed else 0


def _perform(job: Job, run: Run, started: float, before: tuple[int, float], rank: int) -> int:
    """Run a job, or one rank's part of it."""
    mirror = Mirror(job, run, on=rank == 0)
    try:
        import torch

        if job.runtime.threads:
            torch.set_num_threads(job.runtime.threads)
        ranks.check(job)
        result = _work_of(job)(job, run, Store(run.folder.parent), mirror)
        ranks.leave()
        if result is not None and rank == 0:
            origin = worker.machine.provenance(job.runtime.accelerator, job.seed, started, *before) | {"devices": job.runtime.world}
            check_ranges(job, result["metrics"], job.name)
            run.finish({**result, "job": job.name, "provenance": origin})  # type: ignore[typeddict-item]  # a task adds keys of its own
            shutil.rmtree(run.folder / "checkpoints", ignore_errors=True)  # the weights are kept; the optimiser's state is not needed
    except Exception as error:
        message = _said(error)
        print(traceback.format_exc(), flush=True)
        if not run.error:  # keep the reason of the first rank that fails: the others then fail because it is missing
            run.fail(message, traceback.format_exc())
        return 1
    finally:
        mirror.end()  # after the result, which does not wait for wandb
    return 0


def _said(error: Exception) -> str:
    """Return the message of an error: unchanged if it is a sentence of ours or the system's, else with the error's type and place."""
    message = " ".join(str(error.args[0] if isinstance(error, KeyError) and error.args else error).split())
    if message.startswith("Expected") or isinstance(error, DataError | OSError):
        return message
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__}: {message or 'no reason given'} ({frames[-1].filename}, line {frames[-1].lineno})"


def _work_of(job: Job) -> Callable[[Job, Run, Store, Mirror], dict[str, Any] | None]:
    """Return the function that runs a job: the task's function for a measurement, else `train`."""
    return worker.training.train if job.evaluates else worker.building.resolve(job.task)


def work_with_log(folder: Path, gpus: str = "") -> None:
    """Run the job on the named GPUs, if any, write its output to the run's `log.txt`, and end the process."""
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = work(folder)
    sys.stdout.flush()
    os._exit(code)  # nothing is left to do: skip the slow shutdown of torch and the interpreter
