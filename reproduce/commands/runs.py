"""`python -m reproduce runs [list|check|remove|rerun|export|import|mirror]`: manage runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reproduce import wandb_
from reproduce.commands.options import Parser, UsageError, add_runs_dir, add_wandb, check_project, print_lines
from reproduce.commands.units import duration, size
from reproduce.jobs import archive, housekeeping
from reproduce.jobs.job import Job, in_order
from reproduce.jobs.provenance import package_version
from reproduce.jobs.result import BadResult
from reproduce.jobs.store import Run, Store
from reproduce.plugins import all_tables
from reproduce.specs import Wandb
from reproduce.table import PROFILES, Setting

USAGE = """python -m reproduce runs [list]                    list all runs: state, seconds, size, date, device
       python -m reproduce runs check [NAME...]           compare the files of finished runs with what was written
       python -m reproduce runs remove NAME...            remove runs by name, beginning of a name, or pattern ('*-demo-*')
       python -m reproduce runs remove [NAME...] --failed --stale --unfinished
                                                          only runs (of NAME if given) in any of these states
       python -m reproduce runs rerun NAME...             remove runs, so that the next command runs them again
       python -m reproduce runs export FILE.tar.gz [NAME...]  write results, without weights, for another machine
       python -m reproduce runs import FILE.tar.gz        add results from another machine
       python -m reproduce runs mirror NAME... [--wandb online] [--wandb-project P]
                                                          mirror done and failed runs to wandb, from their files"""


def known_jobs() -> Iterator[tuple[str, str, Job]]:
    """Yield the jobs of every table in every profile, with the table's id and the profile."""
    for table in all_tables():
        for profile in PROFILES:
            # Slugs and revisions are the same on any data.
            for cell in table.cells(Setting(profile)):  # type: ignore[arg-type]  # PROFILES are Profile's
                yield from ((table.id, profile, job) for job in in_order(cell.jobs))


def revisions() -> dict[str, int]:
    """Return the current revision of each row's method, by the slug of its jobs, in every profile."""
    return {job.slug: job.revision for _, _, job in known_jobs()}


def parser() -> Parser:
    """Return the parser of all actions."""
    result = Parser(
        prog="python -m reproduce runs",
        usage=USAGE,
        description="Manage runs: list, check, remove, repeat, export, import and mirror them.",
    )
    result.add_argument("action", nargs="?", choices=ACTIONS, default="list", help="what to do (default list)")
    result.add_argument(
        "names", nargs="*", metavar="NAME", help="runs by name, beginning of a name, or pattern; for export and import, first the file"
    )
    result.add_argument("--failed", action="store_true", help="remove: only runs that failed")
    result.add_argument("--stale", action="store_true", help="remove: only runs of an older revision of their method")
    result.add_argument("--unfinished", action="store_true", help="remove: only runs that were interrupted or never started")
    result.add_argument("--dry-run", action="store_true", help="remove, rerun: only print what would be removed")
    return add_wandb(add_runs_dir(result), ("offline", "online"))


def main(words: Sequence[str]) -> int:
    """Run the chosen action."""
    options = parser().parse_intermixed_args(words)
    if options.action != "remove" and (options.failed or options.stale or options.unfinished):
        raise UsageError(f"Expected --failed, --stale and --unfinished with `runs remove`, but got `runs {options.action}`.")
    if options.action not in ("remove", "rerun") and options.dry_run:
        raise UsageError(f"Expected --dry-run with `runs remove` or `runs rerun`, but got `runs {options.action}`.")
    return ACTIONS[options.action](options, Store(options.runs_dir))


def list_runs(options: argparse.Namespace, store: Store) -> int:
    """Print every run."""
    from rich.markup import escape
    from rich.table import Table as Lines

    if options.names:
        raise UsageError(f"Expected nothing after `runs list`, but got '{options.names[0]}'.")
    runs, now = store.runs(), revisions()
    lines = Lines("run", "state", "time", "disk", "finished", "device", box=None, header_style="bold")
    spent, used, done = 0.0, 0, 0
    for run in runs:
        state, provenance, bytes_used = *_state(run), run.disk_use
        seconds = provenance.get("seconds")
        mark = ", stale" if housekeeping.stale(run, now) else ""
        took = duration(seconds) if seconds is not None else ""
        finished, device = (escape(str(provenance.get(key, ""))) for key in ("finished", "device"))
        lines.add_row(run.name, state + mark, took, size(bytes_used), finished, device)
        spent, used, done = spent + (seconds or 0.0), used + bytes_used, done + (state == "done")
    if runs:
        print_lines(lines)
    counted = f"{len(runs)} run{'s' if len(runs) != 1 else ''} in {store.root}, {done} done"
    print(f"{counted}; {duration(spent)} of computing, {size(used)} on disk.")
    return 0


def _state(run: Run) -> tuple[str, dict[str, Any]]:
    """Return the state of a run and the provenance of its result."""
    try:
        result = run.result
    except BadResult:
        return "done, but bad: see `runs check`", {}
    return run.state, {} if result is None else result["provenance"]


def check(options: argparse.Namespace, store: Store) -> int:
    """Compare the files of finished runs with what the workers wrote; of the named runs, or of all."""
    chosen = housekeeping.select(store, options.names) if options.names else store.runs()
    done = [run for run in chosen if run.done]
    bad = 0
    for run in done:
        found = housekeeping.faults(run, run.job)
        bad += bool(found)
        for sentence in found:
            print(sentence)
    unsealed = sum(not (run.folder / "manifest.json").exists() for run in done)
    without = f", {unsealed} without a manifest to compare with: an earlier version wrote them" if unsealed else ""
    print(f"{len(done)} finished run{'s' if len(done) != 1 else ''} checked, {bad} bad{without}.")
    return 1 if bad or unsealed else 0


def remove(options: argparse.Namespace, store: Store) -> int:
    """Remove the named runs; with flags, only those of the named runs, or of all runs, that match any flag."""
    flagged = options.failed or options.stale or options.unfinished
    if not (options.names or flagged):
        raise UsageError("Expected NAME, --failed, --stale or --unfinished after `runs remove`, but got none of them.")
    chosen = housekeeping.select(store, options.names) if options.names else store.runs()
    if flagged:
        now = revisions() if options.stale else {}
        unwanted = ("failed",) * options.failed + ("interrupted", "todo") * options.unfinished
        states = [(run, run.state) for run in chosen]
        chosen = [run for run, state in states if state in unwanted or (now and state != "running" and housekeeping.stale(run, now))]
    else:
        _refuse_running(chosen)
    _remove(chosen, options.dry_run)
    return 0


def rerun(options: argparse.Namespace, store: Store) -> int:
    """Remove runs, so that the next command computes them again."""
    if not options.names:
        raise UsageError("Expected NAME after `runs rerun`, but got none; `python -m reproduce runs` lists them.")
    chosen = housekeeping.select(store, options.names)
    _refuse_running(chosen)
    _remove(chosen, options.dry_run)
    if not options.dry_run:
        print("The next command that needs them runs them again.")
    return 0


def _refuse_running(runs: Iterable[Run]) -> None:
    for run in runs:
        if run.locked:
            raise UsageError(f"Expected a run that can be removed, but {run.name} is running; stop its command first.")


def _remove(runs: Sequence[Run], dry: bool) -> None:
    freed = 0
    for run in runs:
        gone = run.disk_use if dry else housekeeping.remove(run)
        freed += gone or 0
        print(f"{run.name}: {'kept, it has just started to run' if gone is None else size(gone)}")
    print(f"{'Would remove' if dry else 'Removed'} {len(runs)} run{'s' if len(runs) != 1 else ''}, {size(freed)}.")


def _file(options: argparse.Namespace) -> Path:
    if not options.names or not options.names[0].endswith((".tar.gz", ".tgz")):
        raise UsageError(f"Expected FILE.tar.gz after `runs {options.action}`, but got {options.names[0] if options.names else 'none'}.")
    return Path(options.names[0])


def export(options: argparse.Namespace, store: Store) -> int:
    """Write the results of the named runs, or of all runs, into an archive, if they are done or failed."""
    target, patterns = _file(options), options.names[1:]
    if target.exists() or not target.parent.is_dir():
        raise UsageError(f"Expected FILE.tar.gz to be a new file in a folder that exists, but got {target}.")
    ended = [run for run in (housekeeping.select(store, patterns) if patterns else store.runs()) if run.state in ("done", "failed")]
    if not ended:
        raise UsageError(f"Expected runs in {store.root} that are done or failed, but found none; nothing is exported.")
    count = archive.export(ended, target)
    print(f"{count} run{'s' if count != 1 else ''} in {target}, {size(target.stat().st_size)}; weights and checkpoints stay here.")
    return 0


def import_runs(options: argparse.Namespace, store: Store) -> int:
    """Add the results of an archive to the runs."""
    source = _file(options)
    if not source.is_file() or len(options.names) > 1:
        raise UsageError(f"Expected one FILE.tar.gz that exists after `runs import`, but got {' '.join(options.names)}.")
    outcomes = archive.import_runs(source, store)
    for name, outcome in outcomes.items():
        print(f"{name}: {outcome}")
    added = sum(outcome == "added" for outcome in outcomes.values())
    print(f"{added} added, {len(outcomes) - added} skipped.")
    return 0


def mirror(options: argparse.Namespace, store: Store) -> int:
    """Mirror whole runs, done or failed, to wandb from their files."""
    if not options.names:
        raise UsageError("Expected NAME after `runs mirror`, but got none; `python -m reproduce runs` lists them.")
    check_project(options.wandb_project)
    if not package_version("wandb"):
        raise UsageError("Expected wandb to be installed for `runs mirror`, but it is not; `pip install wandb` adds it.")
    asked: dict[str, tuple[str, str]] = {}
    for table, profile, known in known_jobs():
        asked.setdefault(known.slug, (table, profile))
    failed = 0
    for run in housekeeping.select(store, options.names):
        job = run.job
        if job is None or run.state not in ("done", "failed"):
            print(f"{run.name}: skipped, it is {run.state}")
            continue
        wandb = Wandb(options.wandb, options.wandb_project, *asked.get(job.slug, ("", "")))
        mirrored = wandb_.mirror.Mirror(replace(job, runtime=replace(job.runtime, wandb=wandb)), run)
        mirrored.end()
        failed += not mirrored.on
        print(f"{run.name}: {'mirrored' if mirrored.on else 'not mirrored'}")
    return 1 if failed else 0


ACTIONS: dict[str, Callable[[argparse.Namespace, Store], int]] = {
    "list": list_runs,
    "check": check,
    "remove": remove,
    "rerun": rerun,
    "export": export,
    "import": import_runs,
    "mirror": mirror,
}
