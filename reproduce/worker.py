"""A job's own process: `python -m reproduce job RUN_DIR`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

from reproduce.job import Job, from_plain
from reproduce.store import Run, Store, read_json, write_atomically


def work(folder: Path) -> int:
    """Do the job of a run folder, unless it is done or another process does it; return an exit code."""
    run = Run(folder)
    plain = read_json(folder / "job.json")
    if plain is None:
        raise ValueError(f"Expected a run folder with a job.json, but got {folder}.")
    job: Job = from_plain(plain)
    for _ in range(20):  # whoever only looks at the lock holds it for an instant
        with run.lock() as mine:
            if mine:
                return 0 if run.done else _work(job, run)
        time.sleep(0.05)
    return 0


def _work(job: Job, run: Run) -> int:
    started = time.time()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver hears Ctrl-C and asks for an end by SIGTERM
    (run.folder / "error.json").unlink(missing_ok=True)
    attempts_file = run.folder / "attempts.json"
    attempts = (read_json(attempts_file) or {"attempts": 0})["attempts"]
    write_atomically(attempts_file, json.dumps({"attempts": attempts + 1}))
    try:
        import torch

        from reproduce.provenance import provenance
        from reproduce.training import TASKS

        if job.runtime.threads:
            torch.set_num_threads(job.runtime.threads)
        result = TASKS[job.task](job, run, Store(run.folder.parent))
        if result is not None:
            run.finish({"job": job.name} | result | {"provenance": provenance(job.runtime.accelerator, job.seed, started, attempts)})
            shutil.rmtree(run.folder / "checkpoints", ignore_errors=True)  # the weights are kept; momentum and the like are not needed
    except Exception as error:
        message = " ".join(str(error).split()) or type(error).__name__
        print(traceback.format_exc(), flush=True)
        run.fail(message, traceback.format_exc())
        return 1
    return 0


def work_with_log(folder: Path) -> None:
    """Do the job with what it prints going to the run's `log.txt`, and end the process."""
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = work(folder)
    sys.stdout.flush()
    os._exit(code)  # nothing is left to be done: skip torch's and the interpreter's long way down
