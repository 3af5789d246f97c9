"""A table as one page of HTML that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from reproduce.render.rendered import Body, Section, body, header

if TYPE_CHECKING:
    from reproduce.render.rendered import Rendered

HEADINGS = ("Published", "Mean ± std (n)", "Difference", "Verdict")


def page(rendered: Rendered) -> str:
    """Write a table as a page: light or dark as the reader's system is, and readable at a phone's width.

    Args:
        rendered: the table.

    Returns:
        The page. A verdict has a colour, and says in words what it is.
    """
    content = body(rendered)
    title, paper, run = header(rendered)
    parts = [
        f"<header>\n<h1>{escape(title)}</h1>\n<p>{escape(paper)}</p>\n<p class='run'>{_run(run)}</p>\n</header>",
        _summary(rendered, content),
        *(_section(section) for section in content.sections),
        _notes(content),
        _claims(rendered),
        _deviations(rendered),
    ]
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return (
        f"<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        f"<meta name='viewport' content='width=device-width, initial-scale=1'>\n<title>{escape(title)}</title>\n"
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n" + "\n".join(part for part in parts if part) + "\n</main>\n</body>\n</html>\n"
    )


def _run(run: str) -> str:
    return " ".join(f"<span>{escape(part)}</span>" for part in run.split(" | "))


def _pill(word: str, text: str = "") -> str:
    return f"<span class='pill {re.sub('[^a-z]+', '-', word)}'>{escape(text or word)}</span>"


def _summary(rendered: Rendered, content: Body) -> str:
    counts = Counter(str(verdict) for verdict in rendered.cells["verdict"])
    hidden = f" ({content.hidden} of them in the json only)" if content.hidden else ""
    pills = " ".join(_pill(verdict, f"{count} {verdict}") for verdict, count in counts.most_common())
    return f"<p class='summary'>{sum(counts.values())} cells{hidden}: {pills}</p>"


def _section(section: Section) -> str:
    """Write one group of rows; a row's label spans its lines."""
    import pandas as pd  # here, because listing tables must not wait for it

    lines = [(number, block.label, line) for number, block in enumerate(section.blocks) for line in block.lines]
    verdicts = [
        _pill(line.verdict)
        + (f" {escape(line.tolerance)}" if line.tolerance else "")
        + (f" <a href='#note-{line.note}'>[{line.note}]</a>" if line.note else "")
        for _, _, line in lines
    ]
    frame = pd.DataFrame(
        [
            [*map(escape, (line.published, line.reproduced, line.difference)), verdict]
            for (_, _, line), verdict in zip(lines, verdicts, strict=True)
        ],
        columns=list(HEADINGS),
        # The number, which is not shown, keeps two rows of one label apart.
        index=pd.MultiIndex.from_tuples([(number, escape(label), escape(line.quantity)) for number, label, line in lines]),
    )
    style = frame.style.hide(level=0).hide(names=True)
    style.cell_ids = False  # type: ignore[attr-defined]  # missing in the stubs
    table = style.to_html(table_attributes="class='cells'", table_uuid="cells")
    # The Styler's own style sheet is empty, and an id may stand once on a page.
    table = re.sub(r"<style.*?</style>\s*| id=\"T_cells\"", "", table, flags=re.DOTALL).replace("&nbsp;", "")
    title = f"<h2>{escape(section.title)}</h2>\n" if section.title else ""
    return f"<section>\n{title}{table.strip()}\n</section>"


def _notes(content: Body) -> str:
    if not content.notes:
        return ""
    notes = "\n".join(f"<li id='note-{number}'>{escape(note)}</li>" for number, note in enumerate(content.notes, start=1))
    return f"<section>\n<ol class='notes'>\n{notes}\n</ol>\n</section>"


def _claims(rendered: Rendered) -> str:
    if not rendered.claims:
        return ""
    claims = "\n".join(
        f"<li id='{escape(claim['id'])}'>\n<blockquote>{escape(claim['text'])}</blockquote>\n"
        f"<p>printed: {_pill(claim['printed'])} ours: {_pill(claim['holds'])}</p>\n"
        f"<p class='because'>{escape(claim['reason']).replace(' Ours: ', '<br>Ours: ')}</p>\n</li>"
        for claim in rendered.claims
    )
    title = "The paper's claims, tested on the printed numbers and on ours"
    return f"<section>\n<h2>{title}</h2>\n<ul class='claims'>\n{claims}\n</ul>\n</section>"


def _deviations(rendered: Rendered) -> str:
    if not rendered.deviations:
        return ""
    deviations = "\n".join(f"<dt>{escape(deviation.id)}</dt><dd>{escape(deviation.text)}</dd>" for deviation in rendered.deviations)
    return f"<section>\n<h2>Deviations from the paper</h2>\n<dl class='deviations'>\n{deviations}\n</dl>\n</section>"
