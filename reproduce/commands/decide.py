"""`--until-decided`: more seeds, only of the rows that open claims and cells need, until each is decided or a limit is reached."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from reproduce.commands.options import chosen_cells, chosen_tables
from reproduce.commands.runner import Runner, mirrored
from reproduce.commands.show import result
from reproduce.commands.units import duration
from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.plugins import table
from reproduce.table import Cell, Setting, Table
from reproduce.verdicts.claims import FEWEST_SEEDS
from reproduce.verdicts.claims import MOST_SEEDS as MOST_FORECAST
from reproduce.verdicts.verdict import Verdict

MOST_SEEDS = 20  # default of --most-seeds


@dataclass(frozen=True)
class Open:
    """An open claim, or an undecided cell.

    Args:
        table: Its table.
        name: Id of the claim, or row and column of the cell.
        rows: Rows that it compares.
        seeds: Number of seeds that should decide it, at the differences and spreads seen; None if `claims.MOST_SEEDS` are too few.
    """

    table: str
    name: str
    rows: tuple[str, ...]
    seeds: int | None

    @property
    def says(self) -> str:
        """What should decide it, in words."""
        many = f"{self.seeds} seeds" if self.seeds is not None else f"more than {MOST_FORECAST} seeds"
        return f"{many} of {', '.join(self.rows)} should decide it"


@dataclass(frozen=True)
class Found:
    """Claims and cells of some tables: the number of decided ones, and the open ones."""

    decided: int
    open: tuple[Open, ...]


def found(options: argparse.Namespace, setting: Setting, store: Store, chosen: Mapping[str, list[Cell]]) -> Found:
    """Return the claims and cells of tables that seeds have decided or can decide.

    Args:
        options: Options of the command.
        setting: Setting of the user.
        store: Store of the runs.
        chosen: Cells by table, with all seeds in the store.
    """
    decided, still = 0, []
    for id, cells in chosen.items():
        rendered, _ = result(options, setting, store, table(id), cells)
        tested = [claim for claim in rendered.claims if claim["level"] is not None]
        judged = [cell for cell in rendered.cells if cell.verdict in (Verdict.WITHIN, Verdict.OUTSIDE)]
        decided += len(judged) + sum(claim["holds"] in ("yes", "no") for claim in tested)
        still += [Open(id, claim["id"], tuple(forecast["rows"]), forecast["seeds"]) for claim in tested if (forecast := claim["forecast"])]
        still += [
            Open(id, f"{cell.row_key} {cell.column}", (cell.row_key,), cell.seeds_needed)
            for cell in rendered.cells
            if cell.verdict is Verdict.UNDECIDED and cell.seeds_needed is not None
        ]
    return Found(decided, tuple(still))


def jobs_of(each: Open, setting: Setting, seeds: int) -> list[Job]:
    """Return the jobs of the rows of an open claim or cell, with a number of seeds."""
    cells = chosen_cells(table(each.table), replace(setting, seeds=seeds), ",".join(each.rows))
    return [job for cell in cells if not cell.missing for job in cell.jobs]


def until_decided(options: argparse.Namespace, setting: Setting, runner: Runner, tables: Sequence[Table]) -> None:
    """Add seeds, the cheapest decision first, until every claim and cell is decided or a limit is reached; say which is which.

    Every look at a claim is a look at its e-value, which stays valid however often someone looks (`verdicts.e_values`).

    Args:
        options: Options of the command.
        setting: Setting of the user.
        runner: Runner of the jobs.
        tables: Tables, whose jobs with the asked seeds have run.
    """
    given_up: set[tuple[str, str]] = set()
    while True:
        now = found(options, setting, runner.store, chosen_tables(tables, setting, options.rows, runner.store))
        steps = [
            _Step(each, jobs, cost)
            for each in now.open
            if (each.table, each.name) not in given_up and (jobs := _next(each, setting, runner, options.most_seeds))
            for cost in (_cost(each, setting, runner, options.most_seeds),)
        ]
        if runner.out_of_time or not steps:
            break
        step = min(steps, key=lambda step: step.cost)
        seeds = sorted({job.seed for job in step.jobs})
        which = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
        print(f"{step.open.table}, {step.open.name}: open; {step.open.says}. Next: {which}.", file=sys.stderr)
        statuses = runner.run(mirrored(options, setting, step.open.table, step.jobs), step.open.table)
        if not all(status.phase == "done" for status in statuses):  # a failed seed decides nothing
            given_up.add((step.open.table, step.open.name))
    _say(now, runner, options.most_seeds)


@dataclass(frozen=True)
class _Step:
    """The next jobs towards a decision, and the cost of the whole decision: whether it is beyond the limit of seeds, and seconds."""

    open: Open
    jobs: list[Job]
    cost: tuple[bool, float]


def _next(each: Open, setting: Setting, runner: Runner, most: int) -> list[Job]:
    """Return the jobs of the next seed, or of as many seeds as the launcher can run at a time; none if the limit of seeds is reached."""
    goal = max(FEWEST_SEEDS, min(most, each.seeds or most))
    jobs = jobs_of(each, setting, goal)
    for seeds in range(FEWEST_SEEDS, goal + 1):
        chosen = [job for job in jobs if job.seed < seeds]
        todo = runner.todo(chosen)
        if len(todo) >= runner.launcher.slots or (todo and seeds == goal):
            return todo
    return []


def _cost(each: Open, setting: Setting, runner: Runner, most: int) -> tuple[bool, float]:
    beyond = each.seeds is None or each.seeds > most
    seconds = runner.seconds(jobs_of(each, setting, most if each.seeds is None else min(most, each.seeds)))
    return beyond, math.inf if seconds is None else seconds


def _say(now: Found, runner: Runner, most: int) -> None:
    """Print how many claims and cells are decided, and which are open, with the reason."""
    because = "the time is over" if runner.out_of_time else f"--most-seeds {most}"
    print(f"Decided by seeds: {now.decided}. Open: {len(now.open)}{f' ({because})' if now.open else ''}.", file=sys.stderr)
    for each in now.open:
        print(f"  {each.table}, {each.name}: {each.says}", file=sys.stderr)


def forecasts(options: argparse.Namespace, setting: Setting, runner: Runner, tables: Sequence[Table]) -> list[str]:
    """Return a line for every open claim and cell: the seeds, rows and time that should decide it."""
    now = found(options, setting, runner.store, chosen_tables(tables, setting, options.rows, runner.store))
    said = []
    for each in now.open:
        seconds = None if each.seeds is None else runner.seconds(jobs_of(each, setting, each.seeds))
        said.append(f"Open: {each.table}, {each.name}: {each.says}{f', in {duration(seconds)}' if seconds is not None else ''}.")
    return said
