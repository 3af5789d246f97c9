"""`python -m reproduce show TABLE...`: show tables without running anything."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TextIO

from reproduce import figures
from reproduce.commands.options import (
    RUNS,
    Parser,
    UsageError,
    chosen_tables,
    found_seeds,
    say_more_seeds,
    setting_from,
    table_parser,
)
from reproduce.commands.output import results_only
from reproduce.jobs.result import BadResult
from reproduce.jobs.store import Store
from reproduce.plugins import table
from reproduce.render import FORMATS, ILLUSTRATED, ComparedTable, Drawing, Screen, render
from reproduce.table import PRECISIONS, Cell, Setting, Table
from reproduce.verdicts.claims import check_claims
from reproduce.verdicts.compare import compare
from reproduce.verdicts.measured import measure_table
from reproduce.verdicts.published import load, resolve_all, table_ids


def add_format(parser: Parser) -> Parser:
    """Add the options that choose how a table is shown."""
    parser.add_argument("--format", choices=FORMATS, default="terminal", help="format of the table (default terminal)")
    parser.add_argument(
        "--deviations", action="store_true", help="list the deviations from the paper in the terminal; md, html, tex and json always do"
    )
    return parser


def main(words: Sequence[str]) -> int:
    """Show tables."""
    options = add_format(table_parser("show")).parse_args(words)
    if not options.tables:
        raise UsageError(f"Expected a table after `show`, but got none; it can be {', '.join(table_ids())}.")

    setting, store = setting_from(options), Store(options.runs_dir)
    with results_only() as out:
        tables = [table(id) for id in resolve_all(options.tables)]
        chosen = chosen_tables(tables, setting, options.rows, store if found_seeds(options) else None)
        say_more_seeds(map(table, chosen), setting)
        show(options, setting, store, chosen, out)
    return 0


def show(options: argparse.Namespace, setting: Setting, store: Store, chosen: Mapping[str, list[Cell]], out: TextIO) -> bool:
    """Write tables as one document to `out`; return whether every chosen cell has a number for every seed."""
    from rich.console import Console

    console = Console(file=out)
    results = [result(options, setting, store, table(id), cells) for id, cells in chosen.items()]
    illustrated = options.format in ILLUSTRATED
    drawn = draw(setting, store, chosen) if illustrated else {}
    tables = [replace(rendered, figure=drawn.get(rendered.table.id)) for rendered, _ in results]
    width = console.width if console.is_terminal else Screen().width
    screen = Screen(width, console.is_terminal, getattr(out, "encoding", None) or Screen().encoding, options.deviations)
    out.write(render(tables, options.format, screen))
    if not illustrated:  # a text without figures does not wait for them
        draw(setting, store, chosen)
    return all(complete for _, complete in results)


def result(options: argparse.Namespace, setting: Setting, store: Store, table: Table, cells: list[Cell]) -> tuple[ComparedTable, bool]:
    """Return a table compared with the results in the store, and whether every cell has its number for all seeds."""
    rows = f" --rows {options.rows}" if options.rows else ""
    own = f" --with {shlex.quote(str(setting.own))}" if setting.own else ""
    precision = f" --precision {setting.precision}" if setting.precision != PRECISIONS[0] else ""
    seeds = f" --seeds {setting.seeds}" if setting.seeds > 1 else ""
    root = f" --data-root {shlex.quote(str(options.data_root))}" if options.data_root else ""
    runs = f" --runs-dir {shlex.quote(str(options.runs_dir))}" if options.runs_dir != RUNS else ""
    papers = "".join(f" --paper {shlex.quote(folder)}" for folder in options.paper or ())
    command = f"python -m reproduce {table.id} --profile {setting.profile}{seeds}{precision}{rows}{own}{root}{runs}{papers}"
    shown = {cell.row_key for cell in cells}
    # What the paper's own formula gives in other rows decides whether it is trusted.
    audits = [cell for cell in table.cells(setting) if cell.audit and not cell.jobs and cell.row_key not in shown]
    samples = measure_table(table, [*cells, *audits], store, setting.profile, command)
    published = load(table.id)
    compared = compare(published, samples, rows=shown)
    done = [sample for sample in samples if sample.state == "done" and sample.job]
    data, device = (
        "; ".join(dict.fromkeys(filter(None, said))) or "none yet"
        for said in ((sample.data for sample in done), (sample.device for sample in done))
    )
    repeated = sorted({sample.seed for sample in done if sample.kind in ("trained", "timed")})
    claims = check_claims(table.claims, published, compared)
    if options.rows:  # rows that were not chosen have no number
        claims = [claim for claim in claims if claim["holds"] != "not tested"]
    rendered = ComparedTable(
        published, setting.profile, data, tuple(repeated), device, compared,
        claims, table.deviations(setting),
    )  # fmt: skip
    complete = all(sample.state == "done" for sample in samples) and not any(cell.verdict in ("failed", "not run") for cell in compared)
    return rendered, complete


def draw(setting: Setting, store: Store, ids: Iterable[str]) -> dict[str, Drawing]:
    """Draw the figures of tables, if a table has a figure and finished runs for it."""
    drawn = {id: _draw(setting, store, table(id)) for id in ids if table(id).figure is not None}
    return {id: drawing for id, drawing in drawn.items() if drawing is not None}


def _draw(setting: Setting, store: Store, table: Table) -> Drawing | None:
    """Draw a table's figure from its finished runs, and print its path on stderr."""
    assert table.figure is not None
    folder = store.root / "figures"
    with figures.style.styled():
        try:
            figure = table.figure(setting, store)
        except BadResult as error:
            print(f"{table.id}: no figure. {error}", file=sys.stderr)
            return None
        if figure is None:
            print(f"{table.id}: no figure yet, because runs or weights that it needs are missing.", file=sys.stderr)
            return None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            png, svg = figures.style.save(figure, folder / f"{table.id}-{setting.profile}")
        except OSError as error:
            raise UsageError(f"Expected to write figures into {folder}, but the folder cannot be written ({error.strerror}).") from error
    print(f"{table.id}: figure {png} and {svg}", file=sys.stderr)
    return Drawing(png, svg.read_text(encoding="utf-8"))
