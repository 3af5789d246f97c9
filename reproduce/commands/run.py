"""`python -m reproduce TABLE...`: run the jobs behind tables, and show the tables."""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reproduce import schedule, worker
from reproduce.commands.listing import list_tables
from reproduce.commands.options import Parser, UsageError, add_wandb, check_project, chosen_tables, setting_from, table_parser
from reproduce.commands.output import results_only
from reproduce.commands.show import add_format, show
from reproduce.jobs.job import Job, in_order
from reproduce.jobs.provenance import expected_device, package_version
from reproduce.jobs.store import Store
from reproduce.plugins import table
from reproduce.schedule.engine import Launcher
from reproduce.specs import Wandb
from reproduce.table import Cell, Setting, Table
from reproduce.verdicts.claims import check_claims
from reproduce.verdicts.published import load, resolve_all


def parser() -> Parser:
    """Return the parser of the command that runs tables."""
    return add_wandb(add_format(running_parser()), ("off", "offline", "online"))


def running_parser(verb: str = "") -> Parser:
    """Return the parser of the options that run tables, for the command that runs them and for `plan`."""
    result = table_parser(verb)
    result.add_argument("--jobs", type=int, help="number of jobs at a time (default: one per GPU, or up to 4 on a processor)")
    result.add_argument("--accelerator", choices=("auto", "cpu", "cuda"), default="auto", help="kind of device (default auto)")
    result.add_argument("--devices", type=int, default=1, help="number of GPUs, or of processes on a processor, per training (default 1)")
    result.add_argument("--num-nodes", type=int, default=1, help="number of machines per training (default 1)")
    result.add_argument("--stop-after", type=int, metavar="STEPS", help="stop each training after this number of steps; it can be resumed")
    result.add_argument(
        "--max-hours", type=float, metavar="HOURS", help="stop before this number of hours is over; the same command resumes"
    )
    return result


def main(words: Sequence[str]) -> int:
    """Run and show tables; without a table, list all tables."""
    options = parser().parse_args(words)
    if not options.tables:
        return list_tables(options)
    check(options)
    check_wandb(options)

    setting, store = setting_from(options), Store(options.runs_dir)
    with results_only() as out:
        tables = [table(id) for id in resolve_all(options.tables)]
        chosen = chosen_tables(tables, setting, options.rows)
        tables = [table for table in tables if table.id in chosen]
        for table_id in chosen:  # find claims about cells that do not exist before anything is trained
            check_claims(table(table_id).claims, load(table_id), [])
        out_of_time = _run(options, setting, store, tables, chosen)
        complete = show(options, setting, store, chosen, out)
    if out_of_time:
        print(f"Stopped before the limit of {options.max_hours:g} hours; the same command resumes.", file=sys.stderr)
    return 0 if complete else 1


def placed(options: argparse.Namespace, jobs: list[Job]) -> tuple[Launcher, list[Job]]:
    """Return the launcher, and the jobs with their runtimes set, also in the jobs that they need.

    Only jobs that train or evaluate have several devices and can be stopped halfway.
    """
    launcher, shared = schedule.devices.launcher_for(options.accelerator, options.jobs, options.devices, options.num_nodes)
    alone: dict[str, Any] = {"accelerator": shared.accelerator, "threads": shared.threads}
    together = alone | {"devices": shared.devices, "num_nodes": shared.num_nodes, "stop_after": options.stop_after or 0}
    return launcher, [job.with_runtime(lambda each: together if each.evaluates else alone) for job in jobs]


def wanted(options: argparse.Namespace, setting: Setting, chosen: Mapping[str, Sequence[Cell]]) -> list[Job]:
    """Return the jobs behind the chosen cells, table by table; a mirrored job gets the name of its table."""
    jobs = []
    for id, cells in chosen.items():
        wandb = None if options.wandb == "off" else Wandb(options.wandb, options.wandb_project, id, setting.profile)
        changed = {"wandb": wandb}
        jobs += [job.with_runtime(lambda _, changed=changed: changed) for cell in cells if not cell.missing for job in cell.jobs]  # type: ignore[misc]
    return jobs


def check_wandb(options: argparse.Namespace) -> None:
    """Check the name of the wandb project, and print a warning if wandb is not installed; runs work without it."""
    check_project(options.wandb_project)
    if options.wandb != "off" and not package_version("wandb"):
        print(f"wandb is not installed, so --wandb {options.wandb} does nothing; `pip install wandb` adds it.", file=sys.stderr)


def check(options: argparse.Namespace) -> None:
    """Check the numbers among the options."""
    for name in ("jobs", "devices", "num_nodes", "stop_after"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UsageError(f"Expected --{name.replace('_', '-')} to be a positive integer, but got {value}.")
    if options.num_nodes > 1 and not {"MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
        raise UsageError(
            f"Expected MASTER_ADDR and MASTER_PORT in the environment for --num-nodes {options.num_nodes}, so that machines meet; set them."
        )
    if options.max_hours is not None and not 0 < options.max_hours < math.inf:
        raise UsageError(f"Expected --max-hours to be a positive number of hours, but got {options.max_hours:g}.")


def _run(options: argparse.Namespace, setting: Setting, store: Store, tables: list[Table], chosen: dict[str, list[Cell]]) -> bool:
    """Run the jobs behind the chosen cells of all tables together, so that shared jobs run once; return whether time ran out."""
    if setting.profile != "demo" and setting.data_root is None:
        raise UsageError(f"Expected --data-root or REPRODUCE_DATA with the profile `{setting.profile}`, but got neither.")
    jobs = wanted(options, setting, chosen)
    if all(store.run(job).done for job in jobs):
        return False
    launcher, jobs = placed(options, jobs)
    for job in in_order(jobs, lambda job: store.run(job).done):
        if not store.run(job).done:
            worker.ranks.check(job)
    _make(options.runs_dir)
    limit = None
    if options.max_hours is not None:
        history = schedule.forecast.History(store, expected_device(jobs[0].runtime.accelerator, jobs[0].runtime.threads))
        limit = schedule.time_limit.TimeLimit(options.max_hours * 3600, lambda job: history.forecast(job).seconds)
    with schedule.progress.Display(store, ", ".join(table.id for table in tables)) as display:
        statuses = schedule.engine.run(jobs, store, launcher, display.watch, limit)
    return limit is not None and limit.used and any(status.phase == "stopped" for status in statuses)


def _make(folder: Path) -> None:
    """Create the folder of runs, and check that it can be written before anything is computed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"Expected --runs-dir to be a folder that can be written, but got {folder} ({error.strerror}).") from error
