"""Options that commands share, and their conversion into a setting."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from datamodules.errors import DataError
from reproduce import plugins
from reproduce.jobs.store import Store
from reproduce.specs import Runtime
from reproduce.table import PRECISIONS, PROFILES, Cell, Profile, Setting, Table
from reproduce.verdicts.measured import cells_in

if TYPE_CHECKING:
    from rich.table import Table as Lines

USAGE = """python -m reproduce                     list the tables
       python -m reproduce TABLE... [options]  run tables and show them
       python -m reproduce show TABLE...       show without running
       python -m reproduce plan TABLE...       list the jobs, what they need, and their forecast cost
       python -m reproduce prepare vgg16       download ImageNet weights into the data root
       python -m reproduce predict RUN IMAGE.. segment pictures with a finished run
       python -m reproduce export RUN --format onnx|pt2
                                               write a finished run's network to a file
       python -m reproduce runs [list|check|remove|rerun|export|import|mirror]
                                               manage runs: `python -m reproduce runs --help`
       python -m reproduce dashboard TABLE...  create a wandb dashboard of mirrored runs
       python -m reproduce job RUN_DIR         run one prepared job"""


MOST_SEEDS = 1000
RUNS = Path("runs")


class UsageError(Exception):
    """An error in the command line; the message is one sentence."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose error messages are one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError with the message, which `main` prints."""
        raise UsageError(f"{message[0].upper()}{message[1:]}; `{self.prog} --help` lists the options.")


def table_parser(verb: str = "") -> Parser:
    """Return a parser for the tables and for the choice of profile, rows, seeds, data and runs."""
    parser = Parser(prog=f"python -m reproduce {verb}".rstrip(), usage=USAGE, description="Reproduce published tables, cell by cell.")
    parser.add_argument(
        "tables", nargs="*", metavar="TABLE", help="a name such as table1 or paper.table1, or a paper for all of its tables"
    )
    parser.add_argument("--profile", choices=PROFILES, help="size: as published, small on real pictures, or a demo on made-up pictures")
    parser.add_argument("--rows", help="only these rows: keys separated by commas, such as baseline-8,modified-8")
    parser.add_argument("--with", dest="own", type=Path, metavar="FILE", help="add your own rows from a Python file")
    parser.add_argument(
        "--seeds",
        type=int,
        help="runs per training, with seeds 0, 1, ... (default: run 1, show all that are there); a table that needs more says so",
    )
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0], help=f"precision of trainings (default {PRECISIONS[0]})")
    parser.add_argument("--data-root", type=data_folder, help="folder of the data sets (default $REPRODUCE_DATA)")
    return add_runs_dir(parser)


class _AddPaper(argparse.Action):
    """Add the paper of a folder as soon as the option is parsed."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        plugins.add([values])
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), values])


def data_folder(text: str) -> Path:
    """Return the path of --data-root; refuse the empty text of an unset variable, whose path would be the current folder."""
    if not text:
        raise UsageError("Expected --data-root to be a folder of data sets, but got ''; correct it, or leave it out for the demo.")
    return Path(text)


def add_runs_dir(parser: Parser) -> Parser:
    """Add the options for the folder of runs and for the folders of papers."""
    parser.add_argument("--runs-dir", type=_runs_folder, default=RUNS, help="folder of the runs (default runs)")
    parser.add_argument("--paper", action=_AddPaper, metavar="FOLDER", help="add the paper in FOLDER to the installed papers")
    return parser


def _runs_folder(text: str) -> Path:
    """Return a folder that exists or can be created."""
    path = Path(text)
    nearest = next(parent for parent in (path, *path.parents) if parent.exists())
    if not text:
        raise UsageError("Expected --runs-dir to be a folder, but got ''; correct it, or leave it out for `runs`.")
    if not nearest.is_dir():
        raise UsageError(f"Expected --runs-dir to be a folder, but got {path}, and {nearest} is a file; name another folder.")
    return path


def add_wandb(parser: Parser, modes: tuple[str, ...]) -> Parser:
    """Add the options of commands that mirror runs to wandb."""
    parser.add_argument("--wandb", choices=modes, default=modes[0], help=f"mirror each run to wandb (default {modes[0]})")
    return add_project(parser)


def add_project(parser: Parser) -> Parser:
    """Add the option that names the wandb project."""
    parser.add_argument("--wandb-project", default="reproduce", metavar="NAME", help="wandb project (default reproduce)")
    return parser


def check_project(name: str) -> None:
    """Raise a UsageError if wandb would refuse the name of the project."""
    if not name or len(name) > 128 or set(name) & set("/\\#?%:"):
        raise UsageError(f"Expected --wandb-project to be up to 128 characters without / \\ # ? % and :, but got '{name}'.")


def setting_from(options: argparse.Namespace) -> Setting:
    """Check the options and return them as a setting."""
    seeds: int = 1 if options.seeds is None else options.seeds
    if not 1 <= seeds <= MOST_SEEDS:
        raise UsageError(f"Expected --seeds to be from 1 to {MOST_SEEDS}, but got {seeds}.")
    root: Path | None = options.data_root
    if root is None and options.profile != "demo" and os.environ.get("REPRODUCE_DATA"):
        root = Path(os.environ["REPRODUCE_DATA"])
    if root is not None and not root.is_dir():
        source = "--data-root" if options.data_root else "REPRODUCE_DATA"
        raise UsageError(f"Expected {source} to be a folder of data sets, but got {root}; correct it, or leave it out for the demo.")
    profile: Profile = options.profile or ("demo" if root is None else "paper")
    if profile == "demo":
        root = None
    cache = str((options.runs_dir / "cache").resolve())
    runtime = Runtime(data_root=str(root.resolve()) if root else "", cache=cache, papers=plugins.added())
    return Setting(profile, seeds, root, runtime, options.precision, options.own)


def chosen_cells(table: Table, setting: Setting, rows: str | None, store: Store | None = None) -> list[Cell]:
    """Return the cells of the chosen rows, or of all rows.

    Args:
        table: Table.
        setting: Setting of the user.
        rows: Keys of rows, separated by commas; None for all rows.
        store: Store whose further seeds belong to the cells; None for only the seeds of the setting.
    """
    cells_of = partial(_with_own, table)
    cells = cells_of(setting) if store is None else cells_in(store, cells_of, setting)
    if rows is not None:
        wanted, known = [row.strip() for row in rows.split(",")], list(dict.fromkeys(cell.row_key for cell in cells))
        for row in wanted:
            if row not in known:
                raise UsageError(f"Expected --rows to name rows of {table.id} ({', '.join(known)}), but got '{row}'.")
        cells = [cell for cell in cells if cell.row_key in wanted]
    return cells


def _with_own(table: Table, setting: Setting) -> list[Cell]:
    """Return the cells of a table, and of the user's own rows."""
    cells = list(table.cells(setting))
    if setting.own is not None:
        from reproduce.own.rows import own_cells

        cells += own_cells(setting, cells)
    return cells


def say_more_seeds(tables: Iterable[Table], setting: Setting) -> None:
    """Print a line for each table that takes more seeds than the user asks for."""
    for table in tables:
        most = max((len({job.seed for job in cell.jobs}) for cell in table.cells(setting)), default=0)
        if most > setting.seeds:
            because = f": {table.more_seeds}" if table.more_seeds else ""
            print(f"{table.id} takes {most} seeds, also with --seeds {setting.seeds}{because}.", file=sys.stderr)


def chosen_tables(tables: Sequence[Table], setting: Setting, rows: str | None, store: Store | None = None) -> dict[str, list[Cell]]:
    """Return the chosen cells of tables by table name; leave out tables without their data set, and print the reason.

    Raises:
        DataError: No table has its data set.
    """
    found: dict[str, list[Cell]] = {}
    lacking: dict[str, DataError] = {}
    for table in tables:
        try:
            found[table.id] = chosen_cells(table, setting, rows, store)
        except DataError as error:
            lacking[table.id] = error
    if not found:
        raise next(iter(lacking.values()))
    for id, why in lacking.items():
        print(f"{id} is left out: {why}", file=sys.stderr)
    return found


def found_seeds(options: argparse.Namespace) -> bool:
    """Return whether all seeds in the store are shown: without --seeds, or if the command may have added some."""
    return options.seeds is None or getattr(options, "until_decided", False)


def print_lines(lines: Lines) -> None:
    """Print a list; outside a terminal, no line is wrapped or cut."""
    from rich.console import Console

    for column in lines.columns:
        column.overflow = "fold"  # a name that is cut short cannot be copied
    console = Console()
    console = console if console.is_terminal else Console(width=console.measure(lines, options=console.options.update(width=1000)).maximum)
    console.print(lines)
