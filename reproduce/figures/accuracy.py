"""Figure of accuracies with and without subsampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduce.figures.panels import BLUE, VERMILION, panels
from reproduce.figures.style import CM, FAINT

HEIGHT = 4.6 * CM  # height of the axes
LEFT, RIGHT = 1.4 * CM, 0.35 * CM  # margins beside the axes
APART = 0.12  # distance of both points from the middle of a column, in column widths


@dataclass(frozen=True)
class Accuracies:
    """Accuracies of one choice of filter sizes.

    Args:
        label: Label such as "3, 3, 3".
        subsampled: Accuracies in percent, one per seed; empty if none is known.
        unsubsampled: Likewise, at full resolution.
    """

    label: str
    subsampled: Sequence[float]
    unsubsampled: Sequence[float]


def draw(title: str, shown: Sequence[Accuracies], notes: Sequence[str]) -> Figure:
    """Draw the accuracy of each choice of filter sizes with and without subsampling, and the difference between the two.

    Source: Pintea et al. 2021, figure 6.

    Args:
        title: Title, such as the network and its data.
        shown: Choices from left to right, at least one with a number.
        notes: Sentences under the figure; they include what was run.
    """
    several = any(len(values) > 1 for each in shown for values in (each.subsampled, each.unsubsampled))
    if several:
        notes = ["Points: means over seeds; bars: from the lowest to the highest.", *notes]
    notes = ["Numbers: accuracy without subsampling minus accuracy with it, in percentage points.", *notes]
    figure, (axes,) = panels([title], notes, height=HEIGHT, left=LEFT, right=RIGHT)
    _draw_points(axes, shown)
    _draw_changes(axes, shown)
    axes.set_xticks(range(len(shown)), [each.label for each in shown])
    axes.set_xlim(-0.5, len(shown) - 0.4)  # room for the last number
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.12 * (high - low), high)  # room for the legend
    axes.set_xlabel("filter sizes, layer by layer, px")
    axes.set_ylabel("accuracy, %")
    axes.legend(loc="lower center", ncols=2, frameon=False, borderaxespad=0.2, labelcolor=FAINT)
    return figure


def _draw_points(axes: Axes, shown: Sequence[Accuracies]) -> None:
    for label, marker, colour, offset, scores in (
        ("subsampled", "o", BLUE, -APART, [each.subsampled for each in shown]),
        ("not subsampled", "s", VERMILION, APART, [each.unsubsampled for each in shown]),
    ):
        known = [(place + offset, values) for place, values in enumerate(scores) if values]
        means = [float(np.mean(values)) for _, values in known]
        bars = [(mean - min(values), max(values) - mean) for mean, (_, values) in zip(means, known, strict=True)]
        look: Any = {"fmt": marker, "color": colour, "markersize": 4, "elinewidth": 0.8, "capsize": 2, "zorder": 3}
        axes.errorbar([x for x, _ in known], means, yerr=np.reshape(bars, (-1, 2)).T, label=label, **look)


def _draw_changes(axes: Axes, shown: Sequence[Accuracies]) -> None:
    """Connect the two points of each choice by a line, and write their difference beside it."""
    for place, each in enumerate(shown):
        if each.subsampled and each.unsubsampled:
            means = [float(np.mean(each.subsampled)), float(np.mean(each.unsubsampled))]
            axes.plot([place - APART, place + APART], means, color=FAINT, linewidth=0.8, label="_change")
            change = f"{means[1] - means[0]:+.1f}".replace("-", "\N{MINUS SIGN}")
            axes.text(place + 1.8 * APART, sum(means) / 2, change, va="center", color=FAINT)
