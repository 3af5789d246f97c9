"""`python -m reproduce`: list the tables."""

from __future__ import annotations

import argparse
from dataclasses import replace

from datamodules.errors import DataError
from reproduce.commands.options import print_lines, setting_from
from reproduce.jobs.store import Store
from reproduce.plugins import plugins, table
from reproduce.verdicts.published import load, table_ids


def list_tables(options: argparse.Namespace) -> int:
    """Print every table with its paper, its number of cells and how many of them are done."""
    from rich.table import Table as Lines

    setting, store = setting_from(options), Store(options.runs_dir)
    lines = Lines("table", "paper", "title", "cells", "done", box=None, header_style="bold")
    lacking: dict[str, list[str]] = {}
    for id in table_ids():
        published = load(id)
        try:
            cells = table(id).cells(setting)
            done = str(sum(not cell.missing and all(store.run(job).done for job in cell.jobs) for cell in cells))
        except DataError as error:  # this table's data set is missing; others may be there
            lacking.setdefault(str(error), []).append(id)
            cells, done = table(id).cells(replace(setting, data_root=None)), "no data"
        lines.add_row(id, published.paper.short, published.heading, str(len(cells)), done)
    print_lines(lines)
    if not plugins():
        print("No paper is installed: `pip install -e .` in a checkout, or name a paper's folder by --paper.")
    for sentence, tables in lacking.items():
        print(f"{', '.join(tables)}: {sentence}")
    seeds = f"{setting.seeds} seed{'s' if setting.seeds > 1 else ''}"
    print(f"`done` counts cells of the profile `{setting.profile}` with {seeds}. `python -m reproduce TABLE` runs and shows a table.")
    return 0
