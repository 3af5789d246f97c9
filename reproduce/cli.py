"""The command line: list, run and show tables."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from reproduce.published import load, resolve, table_ids
from reproduce.specs import Runtime
from reproduce.store import Store
from reproduce.table import PROFILES, Cell, Profile, Setting, Table, measure

USAGE = """python -m reproduce                     list the tables
       python -m reproduce TABLE... [options]  run tables and show them
       python -m reproduce show TABLE...       show without running
       python -m reproduce job RUN_DIR         do one prepared job"""
FORMATS = ("terminal", "md", "json")


class UsageError(Exception):
    """A wrong command line, in one sentence."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[0].upper()}{message[1:]}; `python -m reproduce --help` lists the options.")


def _parser() -> _Parser:
    parser = _Parser(prog="python -m reproduce", usage=USAGE, description="Reproduce published tables, cell by cell.")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="such as table1 or adaptive_rf.table1")
    parser.add_argument("--profile", choices=PROFILES, help="how big: as published, small on real pictures, or a demo on made-up ones")
    parser.add_argument("--rows", help="only these rows, by their keys, with commas: baseline-8,modified-8")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each training, seeds 0, 1, ... (default 1)")
    parser.add_argument("--data-root", type=Path, help="folder of the data sets (default $REPRODUCE_DATA)")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), help="where runs are kept (default runs)")
    parser.add_argument("--format", choices=FORMATS, default="terminal", help="of the table (default terminal)")
    parser.add_argument("--jobs", type=int, help="jobs at a time (default: a GPU each, or up to 4 on a processor)")
    parser.add_argument("--accelerator", choices=("auto", "cpu", "cuda"), default="auto", help="what computes (default auto)")
    parser.add_argument("--stop-after", type=int, default=0, metavar="STEPS", help="stop each training, resumable, after so many steps")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 where a cell failed or is missing, 2 for wrong input, 130 after Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] == ["job"]:
            return _job(words[1:])
        show_only = words[:1] == ["show"]
        options = _parser().parse_args(words[1:] if show_only else words)
        if not options.tables:
            if show_only:
                raise UsageError(f"Expected a table after `show`, but got none; it can be {', '.join(table_ids())}.")
            return _list(options)
        return _tables(options, show_only)
    except (UsageError, ValueError, FileNotFoundError, PermissionError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; what was computed is kept, and the same command goes on.", file=sys.stderr)
        return 130


def _job(words: list[str]) -> int:
    if len(words) != 1:
        raise UsageError(f"Expected one RUN_DIR after `job`, but got {len(words)}.")
    from reproduce.worker import work

    return work(Path(words[0]))


def _setting(options: argparse.Namespace) -> Setting:
    """Check the options and turn them into a setting."""
    for name in ("seeds", "jobs"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UsageError(f"Expected --{name} to be a positive integer, but got {value}.")
    if options.stop_after < 0:
        raise UsageError(f"Expected --stop-after to be zero or a positive integer, but got {options.stop_after}.")
    root: Path | None = options.data_root
    if root is None and options.profile != "demo" and os.environ.get("REPRODUCE_DATA"):
        root = Path(os.environ["REPRODUCE_DATA"])
    if root is not None and not root.is_dir():
        source = "--data-root" if options.data_root else "REPRODUCE_DATA"
        raise UsageError(f"Expected {source} to be a folder of data sets, but got {root}; correct it, or leave it out for the demo.")
    profile: Profile = options.profile or ("demo" if root is None else "paper")
    if profile == "demo":
        root = None
    runtime = Runtime(
        data_root=str(root.resolve()) if root else "", cache=str((options.runs_dir / "cache").resolve()), stop_after=options.stop_after
    )
    return Setting(profile, options.seeds, root, runtime)


def _list(options: argparse.Namespace) -> int:
    """Print every table with its paper, its cells and how many are done."""
    from rich.console import Console
    from rich.table import Table as Lines

    from reproduce.papers import TABLES

    setting, store = _setting(options), Store(options.runs_dir)
    lines = Lines("table", "paper", "title", "cells", "done", box=None, header_style="bold")
    for id in table_ids():
        published, cells = load(id), TABLES[id].cells(setting)
        done = sum(not cell.missing and all(store.run(job).result is not None for job in cell.jobs) for cell in cells)
        lines.add_row(id, published.paper.short, published.title, str(len(cells)), str(done))
    console = Console()
    console.print(lines)
    console.print(f"Done: in the profile `{setting.profile}`, seeds {setting.seeds}. `python -m reproduce TABLE` runs and shows one.")
    return 0


def _chosen(table: Table, setting: Setting, rows: str | None) -> list[Cell]:
    """Return the cells of the rows that were asked for."""
    cells = list(table.cells(setting))
    if rows is None:
        return cells
    wanted, known = [row.strip() for row in rows.split(",")], list(dict.fromkeys(cell.row_key for cell in cells))
    for row in wanted:
        if row not in known:
            raise UsageError(f"Expected --rows to name rows of {table.id} ({', '.join(known)}), but got '{row}'.")
    return [cell for cell in cells if cell.row_key in wanted]


def _tables(options: argparse.Namespace, show_only: bool) -> int:
    from reproduce.papers import TABLES

    setting, store = _setting(options), Store(options.runs_dir)
    tables = [TABLES[resolve(name)] for name in options.tables]
    chosen = {table.id: _chosen(table, setting, options.rows) for table in tables}
    if not show_only:
        _run(options, setting, store, tables, chosen)
    complete = True
    for table in tables:
        complete &= _show(options, setting, store, table, chosen[table.id])
    return 0 if complete or show_only else 1


def _run(options: argparse.Namespace, setting: Setting, store: Store, tables: list[Table], chosen: dict[str, list[Cell]]) -> None:
    """Run the jobs behind the chosen cells, all tables' together, so that shared ones run once."""
    from reproduce.display import Display
    from reproduce.engine import run

    if setting.profile != "demo" and setting.data_root is None:
        raise UsageError(f"Expected --data-root or REPRODUCE_DATA with the profile `{setting.profile}`, but got neither.")
    jobs = [job for cells in chosen.values() for cell in cells if not cell.missing for job in cell.jobs]
    if all(store.run(job).state == "done" for job in jobs):
        return
    from reproduce.devices import launcher_for

    launcher, runtime = launcher_for(options.accelerator, options.jobs)
    jobs = [replace(job, runtime=replace(job.runtime, accelerator=runtime.accelerator, threads=runtime.threads)) for job in jobs]
    try:
        options.runs_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=options.runs_dir):
            pass
    except OSError as error:
        raise UsageError(
            f"Expected --runs-dir to be a folder that can be written, but got {options.runs_dir} ({error.strerror})."
        ) from error
    with Display(store, ", ".join(table.id for table in tables)) as display:
        run(jobs, store, launcher, display.watch)


def _show(options: argparse.Namespace, setting: Setting, store: Store, table: Table, cells: list[Cell]) -> bool:
    """Print a table and return whether every cell has its number."""
    from reproduce.claims import check_claims
    from reproduce.compare import compare
    from reproduce.render import Rendered, render

    rows = f" --rows {options.rows}" if options.rows else ""
    command = f"python -m reproduce {table.id} --profile {setting.profile}{rows}"
    measured = measure(cells, store, setting.profile, command)
    published = load(table.id)
    compared = compare(published, measured, rows={cell.row_key for cell in cells})
    done = measured[(measured["state"] == "done") & (measured["job"] != "")]
    data = "; ".join(dict.fromkeys(text for text in done["data"] if text)) or "none yet"
    device = "; ".join(dict.fromkeys(text for text in done["device"] if text)) or "none yet"
    rendered = Rendered(
        published, setting.profile, data, tuple(range(setting.seeds)), device, compared,
        check_claims(table.claims, published, compared), table.deviations(setting),
    )  # fmt: skip
    from rich.console import Console

    console = Console()
    text = render(
        rendered, options.format, width=console.width if console.is_terminal else 110, colour=console.is_terminal,
        encoding=sys.stdout.encoding or "utf-8",
    )  # fmt: skip
    sys.stdout.write(text)
    return bool((measured["state"] == "done").all())
