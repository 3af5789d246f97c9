"""A table as a LaTeX document, for pdflatex and booktabs."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from typing import TYPE_CHECKING

from reproduce.render.rendered import Block, Body, body, header, summary

if TYPE_CHECKING:
    import pandas as pd

    from reproduce.render.rendered import Rendered

HEADINGS = ("Row", "Quantity", "Published", r"Mean $\pm$ std ($n$)", "Difference", "Verdict")
LABEL = 29  # characters of a row's label beside its cells; longer ones go on in the next line
PREAMBLE = r"""% Run pdflatex twice: the second time it knows the widths of the columns.
\documentclass[10pt]{article}
\usepackage[a4paper,margin=16mm]{geometry}
\usepackage[utf8]{inputenc}
\usepackage{booktabs,longtable}
\setlength{\tabcolsep}{4pt}
\setlength{\LTcapwidth}{\textwidth}
\setlength{\parindent}{0pt}
\begin{document}
"""
ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    '"': "''",
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


def latex(rendered: Rendered) -> str:
    """Write a table as a document that pdflatex turns into a page or two.

    Args:
        rendered: the table.

    Returns:
        The document: a `longtable` with its caption, to be copied into a paper as it stands, then notes, claims and deviations.
    """
    content = body(rendered)
    title, paper, run = header(rendered)
    frame = _frame(content)
    table = frame.style.hide(axis="index").to_latex(
        environment="longtable",
        hrules=True,
        column_format="@{}llrrrl@{}",
        caption=" ".join(
            (
                f"{escaped(title)}.",
                f"{escaped(paper)}.",
                rf"\textbf{{{escaped(run.replace(' | ', '; '))}.}}",
            )
        ),
    )
    parts = [PREAMBLE.rstrip(), r"\small", table.rstrip(), r"\footnotesize\raggedright"]
    parts += _listed("", [(f"[{number}]", note) for number, note in enumerate(content.notes, start=1)])
    parts += [escaped(summary(rendered, content.hidden)) + r"\par"]
    claims = [
        (claim["id"], f"printed: {claim['printed']}, ours: {claim['holds']}. {claim['text']} {claim['reason']}")
        for claim in rendered.claims
    ]
    parts += _listed("The paper's claims, tested on the printed numbers and on ours", claims)
    parts += _listed("Deviations from the paper", [(deviation.id, deviation.text) for deviation in rendered.deviations])
    return "\n".join([*parts, r"\end{document}"]) + "\n"


def escaped(text: str) -> str:
    r"""Return text that LaTeX sets as it is; what pdflatex has no letter for becomes a plain letter or a question mark.

    Args:
        text: any.
    """
    plain = re.sub(r"\s+", " ", text)
    minus = {match.start() for match in re.finditer(r"(?<!\w)-(?=\d)", plain)}
    return "".join("$-$" if at in minus else ESCAPES.get(sign) or _letter(sign) for at, sign in enumerate(plain))


def _letter(sign: str) -> str:
    if sign.isascii():
        return sign if sign.isprintable() else "?"
    plain = "".join(part for part in unicodedata.normalize("NFKD", sign) if part.isascii() and part.isprintable() and part not in ESCAPES)
    # Of Latin 1, plain letters with an accent and these are in TeX's oldest fonts, which every installation has as outlines.
    return sign if sign in "æøßÆØ" or (sign.isalpha() and ord(sign) < 0x100 and len(plain) == 1 and plain.isalpha()) else plain or "?"


def _frame(content: Body) -> pd.DataFrame:
    """Put the cells under each other as LaTeX; a heading, and a label too long for its lines, take lines of their own."""
    import pandas as pd  # here, because listing tables must not wait for it

    lines: list[list[str]] = []
    for section in content.sections:
        space = r"\addlinespace[1ex] " if lines else ""
        if section.title:
            # Of no width, so that it runs over the columns.
            lines.append([rf"{space}\rlap{{\textbf{{{escaped(section.title)}}}}}"] + [""] * (len(HEADINGS) - 1))
        for block in section.blocks:
            lines += _lines(block)
    return pd.DataFrame(lines, columns=list(HEADINGS))


def _lines(block: Block) -> list[list[str]]:
    labels = textwrap.wrap(block.label, LABEL) or [""]
    cells = [[line.quantity, line.published, line.reproduced, line.difference, line.judged] for line in block.lines]
    height = max(len(labels), len(cells))
    labels += [""] * (height - len(labels))
    cells += [[""] * (len(HEADINGS) - 1)] * (height - len(cells))
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
