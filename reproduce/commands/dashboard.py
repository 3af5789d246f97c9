"""`python -m reproduce dashboard TABLE...`: create a wandb dashboard of the mirrored runs behind tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reproduce import wandb_
from reproduce.commands.options import Parser, UsageError, add_project, check_project, chosen_cells, setting_from, table_parser
from reproduce.commands.output import results_only
from reproduce.commands.show import result
from reproduce.jobs.provenance import package_version
from reproduce.jobs.store import Store
from reproduce.plugins import panels, table
from reproduce.render import render
from reproduce.verdicts.published import load, resolve_all, table_ids
from reproduce.wandb_.dashboard import Dashboard, dashboard

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace


def parser() -> Parser:
    """Return the parser, with the options that choose tables and the destination of the dashboard."""
    parser = add_project(table_parser("dashboard"))
    parser.add_argument("--wandb-entity", default="", metavar="NAME", help="wandb user or team (default: the logged-in user)")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--output", type=Path, metavar="FILE", help="write the dashboard's json to FILE, do not upload it")
    instead.add_argument("--dry-run", action="store_true", help="print the dashboard's json, do not upload it")
    return parser


def main(words: Sequence[str]) -> int:
    """Create the dashboard of tables, or only its json, which needs no account."""
    options = parser().parse_args(words)
    if not options.tables:
        raise UsageError(f"Expected a table after `dashboard`, but got none; it can be {', '.join(table_ids())}.")
    check_project(options.wandb_project)
    if not (package_version("wandb") and package_version("wandb-workspaces")):
        raise UsageError("Expected wandb-workspaces to be installed for `dashboard`, but it is not; `pip install wandb wandb-workspaces`.")
    with results_only():
        made = wandb_.workspace.workspace(_described(options), options.wandb_entity, options.wandb_project)
    if options.dry_run:
        print(wandb_.workspace.serialised(made))
    elif options.output is None:
        print(_uploaded(made))
    else:
        try:
            options.output.write_text(wandb_.workspace.serialised(made) + "\n")
        except OSError as error:
            raise UsageError(f"Expected --output to be a file that can be written, but got {options.output} ({error.strerror}).") from error
        print(f"{options.output}: {len(made.sections)} sections; without --output, the dashboard is uploaded to wandb.")
    return 0


def _described(options: argparse.Namespace) -> Dashboard:
    setting, store = setting_from(options), Store(options.runs_dir)
    ids = resolve_all(options.tables)
    tables, jobs = [], []
    metrics: list[tuple[str, str]] = []
    for id in ids:
        mapped = table(id)
        cells = chosen_cells(mapped, setting, options.rows)
        tables.append((id, render([result(options, setting, store, mapped, cells)[0]], "md")))
        jobs += [job for cell in cells for job in cell.jobs if job.evaluates]
        metrics += [(published.label, cell.metric) for cell in cells if cell.metric and (published := load(id).column(cell.column))]
    quantities = [quantity for job in jobs for quantity in job.network.quantities]
    return dashboard(tables, [job.name for job in jobs], quantities, metrics, panels(id.partition(".")[0] for id in ids))


def _uploaded(made: Workspace) -> str:
    """Upload a workspace to wandb and return its address."""
    import wandb

    wandb.setup(wandb.Settings(silent=True))  # so that a missing key raises an error instead of a prompt
    try:
        made.entity = made.entity or str(wandb.Api().default_entity)
        return str(made.save_as_new_view().url)  # type: ignore[no-untyped-call]
    except Exception as error:  # of any kind: network, permissions, a missing project
        said = " ".join(str(error).split()).rstrip(".")
        raise UsageError(
            f"Expected wandb to accept the dashboard, but got {type(error).__name__} ({said}); --output FILE writes its json instead."
        ) from error
