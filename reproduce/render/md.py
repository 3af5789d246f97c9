"""A table as GitHub Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from reproduce.render.content import RenderedGroup, body, header, tested

if TYPE_CHECKING:
    from reproduce.render import Screen
    from reproduce.render.content import ComparedTable

HEADINGS = {
    "quantity": "Quantity",
    "published": "Published",
    "reproduced": "Reproduced: mean ± std (n)",
    "difference": "Difference",
    "verdict": "Verdict",
    "state": "State",
}
NUMBERS = ("published", "reproduced", "difference")


def render(tables: Sequence[ComparedTable], screen: Screen) -> str:
    """Render tables as Markdown, one line per cell.

    Args:
        tables: Compared tables; a blank line separates them.
        screen: Not used.

    Returns:
        Per table: a heading, a link to its figure's PNG file, one Markdown table per group of rows, notes, claims and deviations.
    """
    return "\n".join(map(_document, tables))


def _document(rendered: ComparedTable) -> str:
    content = body(rendered)
    title, paper, run = header(rendered)
    parts = [f"## {title}", paper, f"**{run}**"]
    if rendered.figure:
        parts.append(f"![{rendered.table.id}]({quote(rendered.figure.png.as_posix())})")
    alignment = ["---", *("---:" if column in NUMBERS else "---" for column in content.columns)]
    for group in content.groups:
        if group.title:
            parts.append(f"### {group.title}")
        parts.append(_table(["Row", *(HEADINGS[column] for column in content.columns)], alignment, _lines(group, content.columns)))
    if content.notes:
        parts.append("\n".join(f"- [{number}] {_escaped(note)}" for number, note in enumerate(content.notes, start=1)))
    parts.append(content.summary)
    title, claims = tested(rendered)
    if claims:
        whose = [whose.capitalize() for whose, _ in claims[0].results]
        lines = [[f"`{claim.id}`: {claim.text}", *(truth for _, truth in claim.results), " ".join(claim.because)] for claim in claims]
        table = _table(["Claim", *whose, "Because"], ["---"] * (len(whose) + 2), [[_escaped(cell) for cell in line] for line in lines])
        parts += [f"### {title}", table]
    if rendered.deviations:
        deviations = "\n".join(f"- `{deviation.id}`: {_escaped(deviation.text)}" for deviation in rendered.deviations)
        parts += ["### Deviations from the paper", deviations]
    return "\n\n".join(parts) + "\n"


def _lines(group: RenderedGroup, columns: Sequence[str]) -> list[list[str]]:
    lines = []
    for row in group.rows:
        for position, line in enumerate(row.cells):
            cells = ["<br>".join(_escaped(text) for text in texts if text) for texts in zip(*line.texts(columns), strict=True)]
            lines.append(["" if position else _escaped(row.label), *cells])
    return lines


def _table(headings: list[str], alignment: list[str], lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in [headings, alignment, *lines])


def _escaped(text: str) -> str:
    """Escape text, so that it contains no table border, line end or HTML tag."""
    return re.sub(r"<(?=[A-Za-z/!])", "&lt;", text.replace("\n", " ")).replace("|", "\\|")
