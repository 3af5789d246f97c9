"""A table as GitHub's Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reproduce.render.rendered import Section, body, header, summary

if TYPE_CHECKING:
    from reproduce.render.rendered import Rendered

HEADINGS = ("Row", "Quantity", "Published", "Reproduced: mean ± std (n)", "Difference", "Verdict")
ALIGNMENT = ("---", "---", "---:", "---:", "---:", "---")


def markdown(rendered: Rendered) -> str:
    """Write a table as Markdown, one line per cell.

    Args:
        rendered: the table.

    Returns:
        A heading, a table per group of rows, the notes, the claims and the deviations.
    """
    content = body(rendered)
    title, paper, run = header(rendered)
    parts = [f"## {title}", paper, f"**{run}**"]
    for section in content.sections:
        if section.title:
            parts.append(f"### {section.title}")
        parts.append(_table(HEADINGS, ALIGNMENT, _lines(section)))
    if content.notes:
        parts.append("\n".join(f"- [{number}] {_escaped(note)}" for number, note in enumerate(content.notes, start=1)))
    parts.append(summary(rendered, content.hidden))
    if rendered.claims:
        claims = [[claim["text"], claim["printed"], claim["holds"], claim["reason"]] for claim in rendered.claims]
        parts += ["### The paper's claims", _table(("Claim", "Printed", "Ours", "Because"), ("---",) * 4, claims)]
    if rendered.deviations:
        deviations = "\n".join(f"- `{deviation.id}`: {_escaped(deviation.text)}" for deviation in rendered.deviations)
        parts += ["### Deviations from the paper", deviations]
    return "\n\n".join(parts) + "\n"


def _lines(section: Section) -> list[list[str]]:
    lines = []
    for block in section.blocks:
        for position, line in enumerate(block.lines):
            label = "" if position else block.label
            lines.append([label, line.quantity, line.published, line.reproduced, line.difference, line.judged])
    return lines


def _table(headings: tuple[str, ...], alignment: tuple[str, ...], lines: list[list[str]]) -> str:
    escaped = [[_escaped(cell) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in [headings, alignment, *escaped])


def _escaped(text: str) -> str:
    """Keep text from becoming a table's border, a line end or an HTML tag."""
    return re.sub(r"<(?=[A-Za-z/!])", "&lt;", text.replace("\n", " ")).replace("|", "\\|")
