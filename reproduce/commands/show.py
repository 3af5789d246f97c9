"""`python -m reproduce show TABLE...`: show tables without running anything."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

from reproduce.options import Parser, UsageError, chosen_cells, setting_from, table_parser
from reproduce.published import load, resolve, table_ids
from reproduce.render import FORMATS, Rendered
from reproduce.store import Store
from reproduce.table import PRECISIONS, Cell, Setting, Table, measure


def add_format(parser: Parser) -> Parser:
    """Add the option that chooses how a table is shown."""
    parser.add_argument("--format", choices=FORMATS, default="terminal", help="of the table (default terminal)")
    return parser


def main(words: Sequence[str]) -> int:
    """Show tables."""
    options = add_format(table_parser()).parse_args(words)
    if not options.tables:
        raise UsageError(f"Expected a table after `show`, but got none; it can be {', '.join(table_ids())}.")
    from reproduce.papers import TABLES

    setting, store = setting_from(options), Store(options.runs_dir)
    for table in [TABLES[id] for id in dict.fromkeys(map(resolve, options.tables))]:
        show(options, setting, store, table, chosen_cells(table, setting, options.rows))
    return 0


def show(options: argparse.Namespace, setting: Setting, store: Store, table: Table, cells: list[Cell]) -> bool:
    """Print a table and return whether every cell has its number, of all seeds."""
    from rich.console import Console

    from reproduce.render import render

    rendered, complete = result(options, setting, store, table, cells)
    console = Console()
    text = render(
        rendered, options.format, width=console.width if console.is_terminal else 110, colour=console.is_terminal,
        encoding=sys.stdout.encoding or "utf-8",
    )  # fmt: skip
    sys.stdout.write(text)
    return complete


def result(options: argparse.Namespace, setting: Setting, store: Store, table: Table, cells: list[Cell]) -> tuple[Rendered, bool]:
    """Return a table with what the store has for its cells, and whether every one has its number, of all seeds."""
    from reproduce.claims import check_claims
    from reproduce.compare import compare

    rows = f" --rows {options.rows}" if options.rows else ""
    own = f" --with {shlex.quote(str(setting.own))}" if setting.own else ""
    precision = f" --precision {setting.precision}" if setting.precision != PRECISIONS[0] else ""
    seeds = f" --seeds {setting.seeds}" if setting.seeds > 1 else ""
    command = f"python -m reproduce {table.id} --profile {setting.profile}{seeds}{precision}{rows}{own}"
    measured = measure([*cells, *table.beside(cells)], store, setting.profile, command)
    published = load(table.id)
    compared = compare(published, measured, rows={cell.row_key for cell in cells})
    done = measured[(measured["state"] == "done") & (measured["job"] != "")]
    data = "; ".join(dict.fromkeys(text for text in done["data"] if text)) or "none yet"
    device = "; ".join(dict.fromkeys(text for text in done["device"] if text)) or "none yet"
    rendered = Rendered(
        published, setting.profile, data, tuple(range(setting.seeds)), device, compared,
        check_claims(table.claims, published, compared), table.deviations(setting),
    )  # fmt: skip
    complete = bool((measured["state"] == "done").all()) and not compared["verdict"].isin(["failed", "not run"]).any()
    return rendered, complete
