"""`python -m reproduce TABLE...`: run the jobs behind tables, and show the tables."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Mapping, Sequence

from reproduce.commands import decide
from reproduce.commands.listing import list_tables
from reproduce.commands.options import (
    MOST_SEEDS,
    Parser,
    UsageError,
    add_wandb,
    check_project,
    chosen_tables,
    found_seeds,
    say_more_seeds,
    setting_from,
    table_parser,
)
from reproduce.commands.output import results_only
from reproduce.commands.runner import Runner, mirrored
from reproduce.commands.show import add_format, show
from reproduce.jobs.job import Job
from reproduce.jobs.provenance import package_version
from reproduce.jobs.store import Store
from reproduce.plugins import table
from reproduce.table import Cell, Setting
from reproduce.verdicts.claims import FEWEST_SEEDS, check_claims
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
    result.add_argument(
        "--until-decided", action="store_true", help="add seeds, only of rows that open claims and cells need, until each is decided"
    )
    result.add_argument(
        "--most-seeds", type=int, metavar="N", help=f"largest number of seeds of a row with --until-decided (default {decide.MOST_SEEDS})"
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
    runner = Runner(options, store)
    with results_only() as out:
        tables = [table(id) for id in resolve_all(options.tables)]
        chosen = chosen_tables(tables, setting, options.rows)
        tables = [table for table in tables if table.id in chosen]
        say_more_seeds(tables, setting)
        for table_id in chosen:  # find claims about cells that do not exist before anything is trained
            check_claims(table(table_id).claims, load(table_id), [])
        if setting.profile != "demo" and setting.data_root is None:
            raise UsageError(f"Expected --data-root or REPRODUCE_DATA with the profile `{setting.profile}`, but got neither.")
        runner.run(wanted(options, setting, chosen), ", ".join(chosen))
        if options.until_decided:
            decide.until_decided(options, setting, runner, tables)
        if found_seeds(options):
            chosen = chosen_tables(tables, setting, options.rows, store)
        complete = show(options, setting, store, chosen, out)
    if runner.out_of_time:
        print(f"Stopped before the limit of {options.max_hours:g} hours; the same command resumes.", file=sys.stderr)
    return 0 if complete else 1


def wanted(options: argparse.Namespace, setting: Setting, chosen: Mapping[str, Sequence[Cell]]) -> list[Job]:
    """Return the jobs behind the chosen cells, table by table."""
    jobs = {id: [job for cell in cells if not cell.missing for job in cell.jobs] for id, cells in chosen.items()}
    return [job for id, of_table in jobs.items() for job in mirrored(options, setting, id, of_table)]


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
    if options.most_seeds is None:
        options.most_seeds = decide.MOST_SEEDS
    elif not options.until_decided:
        raise UsageError("Expected --until-decided with --most-seeds, but got --most-seeds alone; add it, or use --seeds.")
    if not FEWEST_SEEDS <= options.most_seeds <= MOST_SEEDS:
        raise UsageError(
            f"Expected --most-seeds to be from {FEWEST_SEEDS}, the fewest that decide, to {MOST_SEEDS}, but got {options.most_seeds}."
        )
    if options.until_decided and options.stop_after is not None:
        raise UsageError("Expected --until-decided without --stop-after, but got both: trainings that stop early decide nothing.")
    if options.num_nodes > 1 and not {"MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
        raise UsageError(
            f"Expected MASTER_ADDR and MASTER_PORT in the environment for --num-nodes {options.num_nodes}, so that machines meet; set them."
        )
    if options.max_hours is not None and not 0 < options.max_hours < math.inf:
        raise UsageError(f"Expected --max-hours to be a positive number of hours, but got {options.max_hours:g}.")
