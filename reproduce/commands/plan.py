"""`python -m reproduce plan TABLE...`: list the jobs behind tables, what they need, and their forecast cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reproduce import schedule
from reproduce.commands import decide, run
from reproduce.commands.options import Parser, UsageError, chosen_cells, print_lines, say_more_seeds, setting_from
from reproduce.commands.runner import Runner
from reproduce.commands.units import duration, size
from reproduce.jobs.job import Job, in_order
from reproduce.jobs.store import Store
from reproduce.plugins import table
from reproduce.schedule.forecast import UNKNOWN, Forecast, data_once, forecast, shape, wall
from reproduce.table import Cell
from reproduce.verdicts.published import resolve_all, table_ids


@dataclass(frozen=True)
class Plan:
    """The jobs behind the chosen cells, each once, after the jobs that it needs, with their forecasts.

    Args:
        jobs: Jobs of all chosen cells.
        missing: What is missing before a job can run, by the job's name.
        states: States, by the job's name.
        forecasts: Forecasts of the jobs that are not done, by the job's name.
        slots: Number of jobs at a time.
    """

    jobs: list[Job]
    missing: Mapping[str, str]
    states: Mapping[str, str]
    forecasts: Mapping[str, Forecast]
    slots: int


def parser() -> Parser:
    """Return the parser: the options of the command that runs tables, without those that show tables, and --no-probe."""
    result = run.running_parser("plan")
    result.add_argument("--no-probe", action="store_true", help="do not measure a few steps of jobs without a comparable finished run")
    return result


def main(words: Sequence[str]) -> int:
    """Print the plan of tables; the exit code is 1 if a probe failed."""
    options = parser().parse_args(words)
    if not options.tables:
        raise UsageError(f"Expected a table after `plan`, but got none; it can be {', '.join(table_ids())}.")
    run.check(options)

    setting, store = setting_from(options), Store(options.runs_dir)
    tables, runner = [table(id) for id in resolve_all(options.tables)], Runner(options, store)
    cells = [cell for each in tables for cell in chosen_cells(each, setting, options.rows)]
    say_more_seeds(tables, setting)
    missing = _missing(cells)
    jobs = runner.placed(in_order(job for cell in cells for job in cell.jobs))
    states = {job.name: store.run(job).state for job in jobs}
    ready = [job for job in jobs if states[job.name] != "done" and job.name not in missing]
    forecasts = {job.name: runner.history.forecast(job) for job in ready}
    unknown = [job for job in ready if forecasts[job.name].seconds is None]
    if unknown and not options.no_probe:
        costs = schedule.probe.probe(unknown, runner.launcher, runner.device)
        probed = {job.name: forecast(job, store.run(job), costs[shape(job)], "probe") for job in unknown if shape(job) in costs}
        forecasts |= probed
    _show(Plan(jobs, missing, states, forecasts, runner.launcher.slots))
    for line in decide.forecasts(options, setting, runner, tables):
        print(line)
    failed = unknown and not options.no_probe and any(forecasts[job.name].seconds is None for job in unknown)
    return 1 if failed else 0


def _missing(cells: Sequence[Cell]) -> dict[str, str]:
    """Return what is missing for jobs, by name. What is missing for a job is also missing for the jobs that start from it."""
    missing = {job.name: cell.missing for cell in cells if cell.missing for job in cell.jobs}
    for job in in_order(job for cell in cells for job in cell.jobs):
        for parent in job.parents:
            if parent.name in missing:
                missing.setdefault(job.name, missing[parent.name])
    return missing


def needs(job: Job) -> str:
    """Return the data and the start weights that a job needs, in words."""
    made = getattr(job.data, "made", None) is not None
    data = [] if job.data is None else [f"made-up {job.data.title}" if made else job.data.title]
    start = [job.start.source.name] if job.start is not None else []
    return ", ".join(data + start) or "nothing"


def _show(plan: Plan) -> None:
    from rich.table import Table as Lines

    lines = Lines("job", "state", "needs", "there", "time", "memory", "disk", "from", box=None, header_style="bold")
    for job in plan.jobs:
        expected = plan.forecasts.get(job.name, UNKNOWN)
        there = "no" if job.name in plan.missing else "yes"
        if plan.states[job.name] == "done":
            cost = ("", "", "", "")
        elif expected.seconds is None:
            cost = ("unknown", "unknown", "unknown", "unknown")
        else:
            cost = (duration(expected.seconds), _memory(expected), size(expected.kept), expected.says)
        lines.add_row(job.name, plan.states[job.name], needs(job), there, *cost)
    print_lines(lines)
    print("\n".join(_notes(plan)))


def _memory(expected: Forecast) -> str:
    device = f" + {size(expected.device)} on the device" if expected.device else ""
    return f"{size(expected.host)}{device}"


def _notes(plan: Plan) -> list[str]:
    """Return the sentences under the list: the totals, what is missing, and how costs change during training."""
    todo = [job for job in plan.jobs if plan.states[job.name] != "done"]
    known = [job for job in todo if plan.forecasts.get(job.name, UNKNOWN).seconds is not None]
    counted = f"{len(plan.jobs)} jobs, {len(plan.jobs) - len(todo)} done"
    notes = [f"{counted}; a forecast for {len(known)} of the other {len(todo)}." if todo else f"{counted}."]
    if known:
        notes.append(_total(plan, known))
    for sentence in dict.fromkeys(plan.missing.values()):
        count = sum(plan.missing.get(job.name) == sentence for job in todo)
        notes.append(f"{count} job{'s' if count != 1 else ''}: {sentence}.")
    return [*notes, *dict.fromkeys(note for job in known if job.evaluates and (note := job.network.cost_note))]


def _total(plan: Plan, known: Sequence[Job]) -> str:
    forecasts = [plan.forecasts[job.name] for job in known]
    names = {job.name for job in known}
    data = data_once(known, plan.forecasts)
    seconds = wall(plan.jobs, lambda job: plan.forecasts[job.name].seconds or 0.0 if job.name in names else 0.0, plan.slots)
    at_once = sorted(forecasts, key=lambda forecast: forecast.host, reverse=True)[: plan.slots]
    device = max(forecast.device for forecast in forecasts)
    scratch = sum(sorted((forecast.scratch for forecast in forecasts), reverse=True)[: plan.slots])
    return (
        f"In all: {duration(data + seconds)} with {plan.slots} job{'s' if plan.slots != 1 else ''} at a time"
        f"{f', including {duration(data)} for the data' if data > 1 else ''}; memory {size(sum(forecast.host for forecast in at_once))}"
        f"{f' and {size(device)} per device' if device else ''}; disk {size(sum(forecast.kept for forecast in forecasts))}"
        f"{f', and {size(scratch)} while they run' if scratch else ''}."
    )
