"""A table for a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reproduce.render.content import Body, RenderedCell, body, header, tested

if TYPE_CHECKING:
    from reproduce.render import Screen
    from reproduce.render.content import ComparedTable
    from reproduce.table import Deviation

HEADINGS = {
    "quantity": "quantity",
    "published": "published",
    "reproduced": "mean ± std (n)",
    "difference": "diff.",
    "verdict": "verdict",
    "state": "state",
}
NUMBERS = ("published", "reproduced", "difference")
WIDE = 100  # from this width on, two spaces separate columns
MIN_VERDICT = 12
MIN_LABEL = 14  # with less room beside its cells, a row's label is printed above them
STYLES = {
    "exact": "green",
    "within": "green",
    "mismatch": "bold red",
    "outside": "red",
    "failed": "bold red",
    "paper inconsistent": "yellow",
    "not comparable": "cyan",
    "undecided": "cyan",
    "yes": "green",
    "no": "red",
}


def render(tables: Sequence[ComparedTable], screen: Screen) -> str:
    """Render tables for a terminal.

    Args:
        tables: Compared tables; a blank line separates them.
        screen: Terminal with its width; `colour` decides whether to write colour codes.

    Returns:
        Text; without colour, it has no control codes and no spaces at the ends of lines.
    """
    return "\n".join(_table(rendered, screen) for rendered in tables)


def _table(rendered: ComparedTable, screen: Screen) -> str:
    file, colour = io.StringIO(), screen.colour
    # The height is set because rich ignores a width without a height if TERM is dumb.
    console = Console(
        file=file, width=screen.width, height=25, force_terminal=colour, force_jupyter=False, highlight=False, legacy_windows=False
    )
    content = body(rendered)
    title, paper, run = header(rendered)
    console.print(Text(title, style="bold"))
    console.print(Text(paper))
    console.print(Text(run, style="bold"))
    _print_cells(console, content)
    for number, note in enumerate(content.notes, start=1):
        console.print(_hanging(f"[{number}]", Text(note), 5))
    if content.notes:
        console.print()
    _claims(console, rendered)
    _deviations(console, rendered.deviations, screen.deviations)
    console.print(Text(content.summary))
    text = file.getvalue()
    return text if colour else "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@dataclass(frozen=True)
class _Layout:
    """Widths of columns, and the gap between them; `label` is 0 if there is no room for labels beside the cells."""

    columns: Sequence[str]
    widths: Sequence[int]
    label: int
    gap: int

    @property
    def width(self) -> int:
        return sum(self.widths) + self.gap * (len(self.widths) - (not self.label)) + self.label


def _layout(width: int, content: Body) -> _Layout:
    texts = [texts for line in content.lines for texts in line.texts(content.columns)]
    headings = [HEADINGS[column] for column in content.columns]
    widths = [max(map(len, column)) for column in zip(headings, *texts, strict=True)]
    gap = 2 if width >= WIDE else 1
    room = width - sum(widths) - gap * len(widths)
    longest = max((len(row.label) for group in content.groups for row in group.rows), default=MIN_LABEL)
    if room >= min(MIN_LABEL, longest):
        return _Layout(content.columns, widths, min(room, longest), gap)
    # The verdict may wrap, the numbers may not.
    last = max(MIN_VERDICT, min(widths[-1], width - sum(widths[:-1]) - gap * (len(widths) - 1)))
    return _Layout(content.columns, [*widths[:-1], last], 0, gap)


def _print_cells(console: Console, content: Body) -> None:
    """Print one small table per group, all with the same column widths, so that a heading can extend over the columns."""
    layout = _layout(console.width, content)
    console.print()
    _print_block(console, layout, Text("row"), [[Text(HEADINGS[column]) for column in content.columns]])
    console.print("─" * layout.width, no_wrap=True)
    for group in content.groups:
        if group.title:
            console.print(Text(group.title, style="bold"))
        for row in group.rows:
            texts = [texts for line in row.cells for texts in _texts(line, content.columns)]
            if layout.label:
                _print_block(console, layout, Text(row.label), texts)
                continue
            console.print(Text(row.label, style="italic"))
            for line in texts:
                _print_block(console, layout, Text(), [line])
        console.print()


def _print_block(console: Console, layout: _Layout, label: Text, lines: Sequence[Sequence[Text]]) -> None:
    """Print one row of the table; its cells stand below each other, so that its label can wrap beside them."""
    grid = Table.grid(padding=(0, layout.gap, 0, 0))
    if layout.label:
        grid.add_column(width=layout.label)
    for column, width in zip(layout.columns, layout.widths, strict=True):
        grid.add_column(width=width, justify="right" if column in NUMBERS else "left", overflow="fold")
    grid.add_row(*([label] if layout.label else []), *(Text("\n").join(texts) for texts in zip(*lines, strict=True)))
    console.print(grid)


def _texts(line: RenderedCell, columns: Sequence[str]) -> list[list[Text]]:
    style = STYLES.get(line.verdict, "dim")
    return [
        [Text(text, style=style if column in ("verdict", "state") else "") for column, text in zip(columns, texts, strict=True)]
        for texts in line.texts(columns)
    ]


def _claims(console: Console, rendered: ComparedTable) -> None:
    title, claims = tested(rendered)
    if not claims:
        return
    console.print(Text(title, style="bold"))
    indent = max(len(claim.id) for claim in claims) + 2
    for claim in claims:
        results = Text(", ").join(Text.assemble(f"{whose}: ", (truth, STYLES.get(truth, "dim"))) for whose, truth in claim.results)
        said = Text("\n").join([results, Text(claim.text), *map(Text, claim.because)])
        console.print(Padding(_hanging(claim.id, said, indent), (0, 0, 0, 2)))
    console.print()


def _deviations(console: Console, deviations: Sequence[Deviation], listed: bool) -> None:
    """Print the deviations, or in one line their number and the option that lists them."""
    if deviations and listed:
        console.print(Text("Deviations from the paper", style="bold"))
        indent = max(len(deviation.id) for deviation in deviations) + 2
        for deviation in deviations:
            console.print(Padding(_hanging(deviation.id, Text(deviation.text), indent), (0, 0, 0, 2)))
        console.print()
    elif deviations:
        counted, them = ("1 deviation", "it") if len(deviations) == 1 else (f"{len(deviations)} deviations", "them")
        console.print(Text(f"{counted} from the paper: --deviations lists {them}."))


def _hanging(mark: str, text: Text, indent: int) -> Table:
    grid = Table.grid()
    grid.add_column(width=indent, no_wrap=True)
    grid.add_column()
    grid.add_row(Text(mark), text)
    return grid
