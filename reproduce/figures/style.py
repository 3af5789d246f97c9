"""Common parts of all figures: sizes, fonts, the lines under a figure, and files whose bytes depend only on the drawing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from reproduce.jobs.store import write_atomically

CM = 1 / 2.54  # inches
COLUMN, PAGE = 8.5 * CM, 17.5 * CM  # widths of a column and a page of a paper
SMALL, LARGE = 7, 8  # points
LINE = 1.35 * SMALL / 72  # height of a line of small text, in inches
FAINT = "0.35"
STYLE: Any = {
    "font.family": "DejaVu Sans",  # part of matplotlib, so that all machines use the same font
    "font.size": SMALL,
    "axes.titlesize": LARGE,
    "axes.labelsize": SMALL,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": SMALL,
    "lines.linewidth": 1.0,
    "svg.hashsalt": "reproduce",  # makes ids depend only on the drawing
}


@contextmanager
def styled() -> Iterator[None]:
    """Use this project's style, and ignore the user's matplotlibrc."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG, at 300 pixels per inch, and as SVG; the same figure gives the same bytes.

    Args:
        figure: Figure that was drawn within `styled`; call `save` there too.
        stem: Path of both files without the suffix.
    """
    written = []
    for ending, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=ending, dpi=300, metadata=metadata)
        written.append(stem.with_name(f"{stem.name}.{ending}"))
        write_atomically(written[-1], buffer.getvalue())
    return written


def wrap(text: str, width: float) -> list[str]:
    """Break small text into lines of at most `width` inches; a longer word is not broken."""
    font, lines = FontProperties(family=STYLE["font.family"], size=SMALL), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_to_path.get_text_width_height_descent(longer, font, ismath=False)[0] > width * 72:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def write_footer(figure: Figure, lines: list[str], left: float) -> None:
    """Write lines at the bottom of a figure, `left` inches from its left edge."""
    width, height = figure.get_size_inches()
    figure.text(left / width, 0.5 * LINE / height, "\n".join(lines), va="bottom", color=FAINT, linespacing=1.25)
