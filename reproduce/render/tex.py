"""A table as a LaTeX document, for pdflatex and booktabs."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from reproduce.render.content import Body, RenderedRow, body, header, tested

if TYPE_CHECKING:
    from reproduce.render import Screen
    from reproduce.render.content import ComparedTable

HEADINGS = {
    "quantity": "Quantity",
    "published": "Published",
    "reproduced": r"Mean $\pm$ std ($n$)",
    "difference": "Difference",
    "verdict": "Verdict",
    "state": "State",
}
NUMBERS = ("published", "reproduced", "difference")
LABEL = 29  # most characters of a row's label per line; longer labels continue in the next line
PREAMBLE = r"""% Run pdflatex twice: the second time it knows the widths of the columns.
\documentclass[10pt]{article}
\usepackage[a4paper,margin=16mm]{geometry}
\usepackage[utf8]{inputenc}
\usepackage{booktabs,longtable,graphicx}
\setlength{\tabcolsep}{4pt}
\setlength{\LTcapwidth}{\textwidth}
\setlength{\parindent}{0pt}
\begin{document}
"""
ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    '"': "''",  # a closing quote; for an opening one see `escaped`
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "-": r"{-}",  # two in a row would become a dash
    "±": r"$\pm$",
    "√": r"$\surd$",
    "×": r"$\times$",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
} | {sign: f"\\{sign}" for sign in "&%$#_{}"}


def render(tables: Sequence[ComparedTable], screen: Screen) -> str:
    """Render tables as a document for pdflatex, with one or two pages per table.

    Args:
        tables: Compared tables; each starts a new page.
        screen: Not used.

    Returns:
        Document. Per table: a `longtable` with its caption, which can be copied into a paper unchanged, then notes, figure, claims and
        deviations.
    """
    return PREAMBLE + "\\clearpage\n".join(map(_pages, tables)) + "\\end{document}\n"


def _pages(rendered: ComparedTable) -> str:
    content = body(rendered)
    title, paper, run = header(rendered)
    frame = _frame(content)
    table = frame.style.hide(axis="index").to_latex(
        environment="longtable",
        hrules=True,
        column_format=f"@{{}}l{''.join('r' if column in NUMBERS else 'l' for column in content.columns)}@{{}}",
        caption=" ".join(
            (
                f"{escaped(title)}.",
                f"{escaped(paper)}.",
                rf"\textbf{{{escaped(run.replace(' | ', '; '))}.}}",
            )
        ),
    )
    parts = [r"\begingroup\small", table.rstrip(), r"\footnotesize\raggedright"]
    parts += _listed("", [(f"[{number}]", note) for number, note in enumerate(content.notes, start=1)])
    parts += [escaped(content.summary) + r"\par"]
    if rendered.figure:
        parts += [rf"\medskip\includegraphics{{\detokenize{{{rendered.figure.png.as_posix()}}}}}\par"]
    title, claims = tested(rendered)
    results = [", ".join(f"{whose}: {truth}" for whose, truth in claim.results) for claim in claims]
    said = [(claim.id, " ".join((f"{result}.", claim.text, *claim.because))) for claim, result in zip(claims, results, strict=True)]
    parts += _listed(title, said)
    parts += _listed("Deviations from the paper", [(deviation.id, deviation.text) for deviation in rendered.deviations])
    return "\n".join([*parts, r"\endgroup"]) + "\n"


def escaped(text: str) -> str:
    r"""Escape text for LaTeX; a character that pdflatex lacks becomes a plain letter or a question mark.

    Args:
        text: Any text.
    """
    plain = re.sub(r"\s+", " ", text)
    special = {match.start(): "$-$" for match in re.finditer(r"(?<!\w)-(?=\d)", plain)}
    special |= {match.start(): "``" for match in re.finditer(r"(?<![^\s(\[])\"(?=\S)", plain)}
    return "".join(special.get(at) or ESCAPES.get(sign) or _letter(sign) for at, sign in enumerate(plain))


def _letter(sign: str) -> str:
    if sign.isascii():
        return sign if sign.isprintable() else "?"
    plain = "".join(part for part in unicodedata.normalize("NFKD", sign) if part.isascii() and part.isprintable() and part not in ESCAPES)
    # TeX's oldest fonts, which every installation has as outlines, have of Latin 1 only accented plain letters and the letters listed here.
    return sign if sign in "æøßÆØ" or (sign.isalpha() and ord(sign) < 0x100 and len(plain) == 1 and plain.isalpha()) else plain or "?"


def _frame(content: Body) -> pd.DataFrame:
    """Return the cells as lines of LaTeX; a heading has its own line, and a long label adds lines to its row."""
    import pandas as pd  # imported here, because the import takes longer than rendering any other format

    lines: list[list[str]] = []
    for group in content.groups:
        space = r"\addlinespace[1ex] " if lines else ""
        if group.title:
            # Zero width, so that the heading extends over the columns.
            lines.append([rf"{space}\rlap{{\textbf{{{escaped(group.title)}}}}}"] + [""] * len(content.columns))
        for row in group.rows:
            lines += _lines(row, content.columns)
    return pd.DataFrame(lines, columns=["Row", *(HEADINGS[column] for column in content.columns)])


def _lines(row: RenderedRow, columns: Sequence[str]) -> list[list[str]]:
    labels = textwrap.wrap(row.label, LABEL) or [""]
    cells = [texts for line in row.cells for texts in line.texts(columns)]
    height = max(len(labels), len(cells))
    labels += [""] * (height - len(labels))
    cells += [("",) * len(columns)] * (height - len(cells))
    lines = [[escaped(text) for text in (label, *line)] for label, line in zip(labels, cells, strict=True)]
    lines[0][0] = rf"\addlinespace {lines[0][0]}"
    return lines


def _listed(title: str, items: list[tuple[str, str]]) -> list[str]:
    if not items:
        return []
    head = [rf"\subsection*{{{escaped(title)}}}"] if title else []
    return [
        *head,
        r"\begin{description}\itemsep0pt",
        *(rf"\item[{{{escaped(mark)}}}] {escaped(text)}" for mark, text in items),
        r"\end{description}",
    ]
