"""A finished training that a user names: its run and its job."""

from __future__ import annotations

import argparse
from pathlib import Path

from reproduce.commands.options import Parser, UsageError
from reproduce.jobs.housekeeping import find
from reproduce.jobs.job import Job, from_plain
from reproduce.jobs.store import Run, Store, read_json
from reproduce.specs import Training


def add_run(parser: Parser) -> Parser:
    """Add the argument that names a run."""
    parser.add_argument("run", metavar="RUN", help="folder of a run, its name in the runs folder, or the beginning of that name")
    return parser


def finished_training(options: argparse.Namespace) -> tuple[Run, Job]:
    """Return the named run and its job.

    Raises:
        UsageError: The run is not a training, is not done, or has no weights.
    """
    folder = Path(options.run)
    run = Run(folder.resolve()) if (folder / "job.json").exists() else find(Store(options.runs_dir), options.run)
    try:
        job = from_plain(read_json(run.folder / "job.json"))
    except LookupError as error:
        raise UsageError(f"Expected RUN to be a run that this version can read, but {run.name} is not: {error.args[0]}") from error
    if not isinstance(job, Job) or job.name != run.name:
        raise UsageError(f"Expected job.json of {run.name} to hold its job, but it holds another; `runs rerun` makes a new run.")
    if not isinstance(job.task, Training):
        raise UsageError(f"Expected RUN to be a training, but {run.name} {job.task.does}.")
    if not run.done:
        raise UsageError(f"Expected RUN to be finished, but {run.name} is {run.state}: run its table again to resume it.")
    if job.recipe is None and job.parents:
        raise UsageError(f"Expected RUN to be a training, but {run.name} evaluates the weights of another run; name {job.parents[0].name}.")
    if not run.weights.exists():
        raise UsageError(f"Expected weights.safetensors in the run {run.name}, but it is missing: copy it from where the run was made.")
    return run, job
