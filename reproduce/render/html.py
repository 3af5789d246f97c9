"""A table as one HTML page that loads nothing else: no script, no font, no picture."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from reproduce.render.content import Body, RenderedCell, RenderedGroup, body, header, tested

if TYPE_CHECKING:
    from reproduce.render import Screen
    from reproduce.render.content import ComparedTable

HEADINGS = {"published": "Published", "reproduced": "Mean ± std (n)", "difference": "Difference", "verdict": "Verdict", "state": "State"}


def render(tables: Sequence[ComparedTable], screen: Screen) -> str:
    """Render tables as one page. It is light or dark like the reader's system, and readable at the width of a phone.

    Args:
        tables: Compared tables, one below the other.
        screen: Not used.

    Returns:
        Page. Each verdict has a colour and is also written in words.
    """
    style = Path(__file__).with_name("html.css").read_text(encoding="utf-8")
    title = header(tables[0])[0] if len(tables) == 1 else ", ".join(rendered.table.id for rendered in tables)
    return (
        f"<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        f"<meta name='viewport' content='width=device-width, initial-scale=1'>\n<title>{escape(title)}</title>\n"
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n" + "\n".join(map(_article, tables)) + "\n</main>\n</body>\n</html>\n"
    )


def _article(rendered: ComparedTable) -> str:
    content, id = body(rendered), rendered.table.id
    title, paper, run = header(rendered)
    pills = " ".join(_pill(verdict, f"{count} {verdict}") for verdict, count in content.counts)
    parts = [
        f"<article id='{escape(id)}'>",
        f"<header>\n<h1>{escape(title)}</h1>\n<p>{escape(paper)}</p>\n<p class='run'>{_run(run)}</p>\n</header>",
        _figure(rendered),
        f"<p class='summary'>{content.counted}: {pills}</p>",
        *(_group(group, content.columns, id) for group in content.groups),
        _notes(content, id),
        _claims(rendered),
        _deviations(rendered),
        "</article>",
    ]
    return "\n".join(part for part in parts if part)


def _run(run: str) -> str:
    return " ".join(f"<span>{escape(part)}</span>" for part in run.split(" | "))


def _figure(rendered: ComparedTable) -> str:
    """Embed an SVG in the page: remove what only a separate file needs, and make its ids unique among figures."""
    if not rendered.figure:
        return ""
    id, svg = escape(rendered.table.id), rendered.figure.svg
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*| xmlns(:\w+)?=\"[^\"]*\"", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r"( id=\"|href=\"#|url\(#)", rf"\g<1>{id}-", svg)
    return f"<figure role='img' aria-label='{id}'>\n{svg.strip()}\n</figure>"


def _pill(word: str, text: str = "") -> str:
    return f"<span class='pill {re.sub('[^a-z]+', '-', word)}'>{escape(text or word)}</span>"


def _group(group: RenderedGroup, columns: Sequence[str], id: str) -> str:
    """Render one group of rows; a row's label spans its lines."""
    lines = [(number, row.label, line) for number, row in enumerate(group.rows) for line in row.cells]
    places = ("published", "reproduced", "difference", "state" if "state" in columns else "verdict")
    frame = pd.DataFrame(
        [[*(_numbers(texts) for texts in (line.published, line.reproduced, line.difference)), _judged(line, id)] for _, _, line in lines],
        columns=[HEADINGS[column] for column in places],
        # The hidden number keeps two rows with the same label apart.
        index=pd.MultiIndex.from_tuples([(number, escape(label), escape(line.quantity)) for number, label, line in lines]),
    )
    # Columns are hidden, not removed, because the style sheet refers to them by number.
    hidden: list[Hashable] = [HEADINGS[column] for column in places if column not in columns]
    style = frame.style.hide(level=0).hide(names=True).hide(hidden, axis="columns")
    style.cell_ids = False  # type: ignore[attr-defined]  # missing in the stubs
    table = style.to_html(table_attributes="class='cells'", table_uuid="cells")
    # The Styler's own style sheet is empty, and an id may occur only once per page.
    table = re.sub(r"<style.*?</style>\s*| id=\"T_cells\"", "", table, flags=re.DOTALL).replace("&nbsp;", "")
    title = f"<h2>{escape(group.title)}</h2>\n" if group.title else ""
    return f"<section>\n{title}{table.strip()}\n</section>"


def _numbers(texts: Sequence[str]) -> str:
    return "<br>".join(map(escape, texts))


def _judged(line: RenderedCell, id: str) -> str:
    first, *rest = map(escape, line.tolerance or ("",))
    link = f"<a href='#{escape(id)}-note-{line.note}'>[{line.note}]</a>" if line.note else ""
    pill = _pill(line.verdict) if line.verdict else ""
    return "<br>".join([" ".join(part for part in (pill, first, link) if part), *rest])


def _notes(content: Body, id: str) -> str:
    if not content.notes:
        return ""
    notes = "\n".join(
        f"<dt>[{number}]</dt><dd id='{escape(id)}-note-{number}'>{escape(note)}</dd>" for number, note in enumerate(content.notes, start=1)
    )
    return f"<section>\n<dl class='notes'>\n{notes}\n</dl>\n</section>"


def _claims(rendered: ComparedTable) -> str:
    title, claims = tested(rendered)
    if not claims:
        return ""
    items = "\n".join(
        f"<li>\n<h3>{escape(claim.id)}</h3>\n<blockquote>{escape(claim.text)}</blockquote>\n"
        f"<p>{' '.join(f'{whose}: {_pill(truth)}' for whose, truth in claim.results)}</p>\n"
        f"<p class='because'>{'<br>'.join(map(escape, claim.because))}</p>\n</li>"
        for claim in claims
    )
    return f"<section>\n<h2>{title}</h2>\n<ul class='claims'>\n{items}\n</ul>\n</section>"


def _deviations(rendered: ComparedTable) -> str:
    if not rendered.deviations:
        return ""
    deviations = "\n".join(f"<dt>{escape(deviation.id)}</dt><dd>{escape(deviation.text)}</dd>" for deviation in rendered.deviations)
    return f"<section>\n<h2>Deviations from the paper</h2>\n<dl class='deviations'>\n{deviations}\n</dl>\n</section>"
