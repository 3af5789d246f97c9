"""A table for a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, JustifyMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reproduce.render.rendered import Body, Line, body, header, summary

if TYPE_CHECKING:
    from reproduce.render.rendered import Rendered

HEADINGS = ("quantity", "published", "mean ± std (n)", "diff.", "verdict")
JUSTIFY: tuple[JustifyMethod, ...] = ("left", "right", "right", "right", "left")
WIDE = 100  # from here on, columns stand two blanks apart
MIN_VERDICT = 12
MIN_LABEL = 14  # with less room beside its cells, a row's label stands above them
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


def terminal(rendered: Rendered, *, width: int, colour: bool) -> str:
    """Lay a table out for a terminal.

    Args:
        rendered: the table.
        width: in characters.
        colour: whether to write the terminal's colour codes.

    Returns:
        The text; without colour it holds no control codes and no blanks at the ends of lines.
    """
    file = io.StringIO()
    # The height is set because rich ignores the width alone where TERM is dumb.
    console = Console(file=file, width=width, height=25, force_terminal=colour, force_jupyter=False, highlight=False, legacy_windows=False)
    content = body(rendered)
    title, paper, run = header(rendered)
    console.print(Text(title, style="bold"))
    console.print(Text(paper))
    console.print(Text(run, style="bold"))
    _print_cells(console, content)
    for number, note in enumerate(content.notes, start=1):
        console.print(_hanging(f"[{number}]", Text(note), 5))
    console.print(Text(summary(rendered, content.hidden)))
    _claims(console, rendered)
    if rendered.deviations:
        console.print(Text("\nDeviations from the paper", style="bold"))
        indent = max(len(deviation.id) for deviation in rendered.deviations) + 2
        for deviation in rendered.deviations:
            console.print(Padding(_hanging(deviation.id, Text(deviation.text), indent), (0, 0, 0, 2)))
    text = file.getvalue()
    return text if colour else "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _print_cells(console: Console, content: Body) -> None:
    """Print one small table per group, all with the same widths, so that headings may run over the columns."""
    lines = [line for section in content.sections for block in section.blocks for line in block.lines]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *(_plain(line) for line in lines), strict=True)]
    gap = 2 if console.width >= WIDE else 1
    room = console.width - sum(widths) - gap * len(widths)
    longest = max((len(block.label) for section in content.sections for block in section.blocks), default=MIN_LABEL)
    label = min(room, longest) if room >= MIN_LABEL else 0
    if not label:  # the verdict may wrap, the numbers may not
        widths[-1] = max(MIN_VERDICT, min(widths[-1], console.width - sum(widths[:-1]) - gap * (len(widths) - 1)))
    console.print()
    _print_block(console, [Text("row")] if label else [], [[Text(heading)] for heading in HEADINGS], widths, label, gap)
    console.print("─" * (sum(widths) + gap * (len(widths) - (not label)) + label), no_wrap=True)
    for section in content.sections:
        if section.title:
            console.print(Text(section.title, style="bold"))
        for block in section.blocks:
            texts = [_texts(line) for line in block.lines]
            if label:
                _print_block(console, [Text(block.label)], list(zip(*texts, strict=True)), widths, label, gap)
                continue
            console.print(Text(block.label, style="italic"))
            for line_texts in texts:
                _print_block(console, [], [[text] for text in line_texts], widths, label, gap)
        console.print()


def _print_block(
    console: Console, labels: list[Text], columns: Sequence[Sequence[Text]], widths: Sequence[int], label: int, gap: int
) -> None:
    """Print one row of the paper; its cells stand under each other, so that its label may wrap beside them."""
    grid = Table.grid(padding=(0, gap, 0, 0))
    if labels:
        grid.add_column(width=label)
    for width, justify in zip(widths, JUSTIFY, strict=True):
        grid.add_column(width=width, justify=justify, overflow="fold")
    grid.add_row(*labels, *(Text("\n").join(column) for column in columns))
    console.print(grid)


def _plain(line: Line) -> tuple[str, ...]:
    return (line.quantity, line.published, line.reproduced, line.difference, line.judged)


def _texts(line: Line) -> tuple[Text, ...]:
    *plain, judged = _plain(line)
    return (*(Text(text) for text in plain), Text(judged, style=STYLES.get(line.verdict, "dim")))


def _claims(console: Console, rendered: Rendered) -> None:
    if not rendered.claims:
        return
    console.print(Text("\nThe paper's claims, tested on the printed numbers and on ours", style="bold"))
    for claim in rendered.claims:
        verdicts = Text.assemble(
            "printed: ",
            (claim["printed"], STYLES.get(claim["printed"], "dim")),
            ", ours: ",
            (claim["holds"], STYLES.get(claim["holds"], "dim")),
            f"\n{claim['text']}\n",
            claim["reason"].replace(" Ours: ", "\nOurs: "),
        )
        console.print(Padding(_hanging(claim["id"], verdicts, max(len(other["id"]) for other in rendered.claims) + 2), (0, 0, 0, 2)))


def _hanging(mark: str, text: Text, indent: int) -> Table:
    grid = Table.grid()
    grid.add_column(width=indent, no_wrap=True)
    grid.add_column()
    grid.add_row(Text(mark), text)
    return grid
