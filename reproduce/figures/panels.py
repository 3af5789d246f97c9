"""Panels one below the other, as wide as a column of a paper, and lines and bands for several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduce.figures.style import CM, COLUMN, LINE, wrap, write_footer

ABOVE, BELOW = 0.85 * CM, 0.95 * CM  # space above and below a panel's axes
BLUE, VERMILION = "#0072B2", "#D55E00"  # colours of Okabe and Ito, which colour-blind readers can distinguish
BANDS = "Lines: means over seeds; bands: from the lowest to the highest."


def panels(titles: Sequence[str], notes: Sequence[str], *, height: float, left: float, right: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with a column of axes, and the axes.

    Args:
        titles: Titles, one per panel, from top to bottom.
        notes: Sentences under the panels.
        height: Height of each panel's axes, in inches.
        left: Space for labels left of each panel's axes, in inches.
        right: Likewise, right of the axes.
    """
    footer = [line for note in notes for line in wrap(note, COLUMN - 0.4 * CM)]
    each = ABOVE + height + BELOW
    tall = len(titles) * each + (len(footer) + 1) * LINE
    figure = Figure(figsize=(COLUMN, tall))
    found = []
    for index, title in enumerate(titles):
        bottom = tall - (index + 1) * each + BELOW
        axes = figure.add_axes((left / COLUMN, bottom / tall, 1 - (left + right) / COLUMN, height / tall))
        axes.set_title(title, loc="left", fontweight="bold")
        found.append(axes)
    write_footer(figure, footer, 0.2 * CM)
    return figure, found


def draw_seeds(axes: Axes, x: Sequence[float], values: Sequence[Sequence[float]], **look: Any) -> None:
    """Draw the mean over seeds as a line; for several seeds, also a band from the lowest to the highest value.

    Args:
        axes: Axes to draw into.
        x: Positions, N.
        values: One sequence of N per seed.
        look: Style of the line; its `color` is also the band's.
    """
    axes.plot(x, np.mean(values, axis=0), **look)
    if len(values) > 1:
        axes.fill_between(x, np.min(values, axis=0), np.max(values, axis=0), color=look["color"], alpha=0.2, linewidth=0)
