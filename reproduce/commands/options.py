"""Options that commands share, and how they become a setting."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from datamodules.errors import DataError
from reproduce import plugins
from reproduce.specs import Runtime
from reproduce.table import PRECISIONS, PROFILES, Cell, Profile, Setting, Table

if TYPE_CHECKING:
    from rich.table import Table as Lines

USAGE = """python -m reproduce                     list the tables
       python -m reproduce TABLE... [options]  run tables and show them
       python -m reproduce show TABLE...       show without running
       python -m reproduce plan TABLE...       list the jobs, what they need, and what they will cost
       python -m reproduce prepare vgg16       download ImageNet weights into the data root
       python -m reproduce predict RUN IMAGE.. segment pictures with a finished run
       python -m reproduce export RUN --format onnx|pt2
                                               write a finished run's network to a file
       python -m reproduce runs [list|remove|rerun|export|import|mirror]
                                               keep house: `python -m reproduce runs --help`
       python -m reproduce dashboard TABLE...  make wandb's dashboard of mirrored runs
       python -m reproduce job RUN_DIR         do one prepared job"""


MOST_SEEDS = 1000
RUNS = Path("runs")


class UsageError(Exception):
    """A wrong command line, in one sentence."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise the sentence for `main` to print."""
        raise UsageError(f"{message[0].upper()}{message[1:]}; `{self.prog} --help` lists the options.")


def table_parser(verb: str = "") -> Parser:
    """Return a parser of tables, and of what is chosen of them: profile, rows, seeds, data, runs."""
    parser = Parser(prog=f"python -m reproduce {verb}".rstrip(), usage=USAGE, description="Reproduce published tables, cell by cell.")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="such as table1 or paper.table1, or a paper for all of its tables")
    parser.add_argument("--profile", choices=PROFILES, help="how big: as published, small on real pictures, or a demo on made-up ones")
    parser.add_argument("--rows", help="only these rows, by their keys, with commas: baseline-8,modified-8")
    parser.add_argument("--with", dest="own", type=Path, metavar="FILE", help="add the rows of a Python file of your own")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each training, seeds 0, 1, ... (default 1)")
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0], help=f"of trainings (default {PRECISIONS[0]})")
    parser.add_argument("--data-root", type=data_folder, help="folder of the data sets (default $REPRODUCE_DATA)")
    return add_runs_dir(parser)


class _AddPaper(argparse.Action):
    """Find the paper of a folder as soon as it is named."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        plugins.add([values])
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), values])


def data_folder(text: str) -> Path:
    """Return the path of --data-root; an unset variable gives nothing, which as a path is the current folder."""
    if not text:
        raise UsageError("Expected --data-root to be a folder of data sets, but got ''; correct it, or leave it out for the demo.")
    return Path(text)


def add_runs_dir(parser: Parser) -> Parser:
    """Add the option that says where runs are."""
    parser.add_argument("--runs-dir", type=_runs_folder, default=RUNS, help="where runs are kept (default runs)")
    parser.add_argument("--paper", action=_AddPaper, metavar="FOLDER", help="add the paper of a folder to the installed ones")
    return parser


def _runs_folder(text: str) -> Path:
    """Return a folder that exists or could be made."""
    path = Path(text)
    nearest = next(parent for parent in (path, *path.parents) if parent.exists())
    if not text:
        raise UsageError("Expected --runs-dir to be a folder, but got ''; correct it, or leave it out for `runs`.")
    if not nearest.is_dir():
        raise UsageError(f"Expected --runs-dir to be a folder, but got {path}, and {nearest} is a file; name another.")
    return path


def add_wandb(parser: Parser, modes: tuple[str, ...]) -> Parser:
    """Add the options of whatever mirrors runs to wandb."""
    parser.add_argument("--wandb", choices=modes, default=modes[0], help=f"mirror each run to wandb (default {modes[0]})")
    return add_project(parser)


def add_project(parser: Parser) -> Parser:
    """Add the option that names wandb's project."""
    parser.add_argument("--wandb-project", default="reproduce", metavar="NAME", help="wandb's project (default reproduce)")
    return parser


def check_project(name: str) -> None:
    """Refuse the name of a project that wandb refuses."""
    if not name or len(name) > 128 or set(name) & set("/\\#?%:"):
        raise UsageError(f"Expected --wandb-project to be up to 128 characters without / \\ # ? % and :, but got '{name}'.")


def setting_from(options: argparse.Namespace) -> Setting:
    """Check the options and turn them into a setting."""
    if not 1 <= options.seeds <= MOST_SEEDS:
        raise UsageError(f"Expected --seeds to be from 1 to {MOST_SEEDS}, but got {options.seeds}.")
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
    return Setting(profile, options.seeds, root, runtime, options.precision, options.own)


def chosen_cells(table: Table, setting: Setting, rows: str | None) -> list[Cell]:
    """Return the cells of the rows that were asked for."""
    cells = list(table.cells(setting))
    if setting.own is not None:
        from reproduce.own.rows import own_cells

        cells += own_cells(setting, cells)
    if rows is None:
        return cells
    wanted, known = [row.strip() for row in rows.split(",")], list(dict.fromkeys(cell.row_key for cell in cells))
    for row in wanted:
        if row not in known:
            raise UsageError(f"Expected --rows to name rows of {table.id} ({', '.join(known)}), but got '{row}'.")
    return [cell for cell in cells if cell.row_key in wanted]


def chosen_tables(tables: Sequence[Table], setting: Setting, rows: str | None) -> dict[str, list[Cell]]:
    """Return the chosen cells of tables by their names; of several, those whose data set is missing are left out, and the reason is said.

    Raises:
        DataError: no table has its data.
    """
    found: dict[str, list[Cell]] = {}
    lacking: dict[str, DataError] = {}
    for table in tables:
        try:
            found[table.id] = chosen_cells(table, setting, rows)
        except DataError as error:
            lacking[table.id] = error
    if not found:
        raise next(iter(lacking.values()))
    for id, why in lacking.items():
        print(f"{id} is left out: {why}", file=sys.stderr)
    return found


def print_lines(lines: Lines) -> None:
    """Print a list; where it does not go to a terminal, no line is broken or cut."""
    from rich.console import Console

    for column in lines.columns:
        column.overflow = "fold"  # a name that is cut short cannot be copied
    console = Console()
    console = console if console.is_terminal else Console(width=console.measure(lines, options=console.options.update(width=1000)).maximum)
    console.print(lines)
