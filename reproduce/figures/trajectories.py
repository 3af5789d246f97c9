"""Learned numbers against the training step, a line a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from reproduce.figures.style import CM, COLUMN, FAINT, LINE, SMALL, wrap, write_footer

HEIGHT = 4.6 * CM  # of a panel's axes
LEFT, RIGHT = 1.6 * CM, 1.8 * CM  # beside them
ABOVE, BELOW = 0.85 * CM, 0.95 * CM
START = 1.0  # of f


@dataclass(frozen=True)
class Trajectory:
    """One network's f.

    Args:
        dilation: that it starts from: what it is coloured by, and its label at the line's end.
        steps: of the training.
        values: f at each step, a sequence a seed.
        dashed: whether the line is dashed and its label has a star.
    """

    dilation: int
    steps: Sequence[int]
    values: Sequence[Sequence[float]]
    dashed: bool = False

    @property
    def label(self) -> str:
        """What stands at the line's end."""
        return f"{self.dilation}{'*' * self.dashed}"


@dataclass(frozen=True)
class Panel:
    """The networks of one data set, by initial dilation."""

    title: str
    lines: Sequence[Trajectory]


def trajectories(panels: Sequence[Panel], notes: Sequence[str]) -> Figure:
    """Draw f against the training step: a panel a data set, a line the mean over seeds, a band from the lowest to the highest.

    Source: Wei et al. 2017, figure 2.

    Args:
        panels: from top to bottom, at least one.
        notes: sentences under them, among them what was run.
    """
    if any(len(line.values) > 1 for panel in panels for line in panel.lines):
        notes = ["Lines: means over seeds; bands: from the lowest to the highest.", *notes]
    footer = [line for note in notes for line in wrap(note, COLUMN - 0.4 * CM)]
    each, below = ABOVE + HEIGHT + BELOW, (len(footer) + 1) * LINE
    height = len(panels) * each + below
    figure = Figure(figsize=(COLUMN, height))
    for index, panel in enumerate(panels):
        bottom = height - (index + 1) * each + BELOW
        axes = figure.add_axes((LEFT / COLUMN, bottom / height, 1 - (LEFT + RIGHT) / COLUMN, HEIGHT / height))
        _draw(axes, panel)
    write_footer(figure, footer, 0.2 * CM)
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    dilations = sorted({line.dilation for line in panel.lines})
    ordered = mpl.colormaps["viridis"](np.linspace(0, 0.82, len(dilations)))  # told apart by the colour-blind and in grey
    colours = [ordered[dilations.index(line.dilation)] for line in panel.lines]
    axes.axhline(START, color="0.6", linewidth=0.6, linestyle=(0, (1, 2)), zorder=0, label="start")
    low, high, ends = START - 0.1, START + 0.1, []
    several = {len(line.values) for line in panel.lines}
    for line, colour in zip(panel.lines, colours, strict=True):
        values = np.array(line.values)
        mean = values.mean(axis=0)
        axes.plot(line.steps, mean, color=colour, linestyle=(0, (4, 1.5)) if line.dashed else "-", label=line.label)
        if len(values) > 1:
            axes.fill_between(line.steps, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0)
        low, high = min(low, values.min()), max(high, values.max())
        ends.append(float(mean[-1]))
    axes.set_ylim(low - 0.04 * (high - low), high + 0.04 * (high - low))
    axes.set_xlim(0, max(max(line.steps) for line in panel.lines) + 1)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_title(panel.title, loc="left", fontweight="bold")
    axes.set_xlabel("training step")
    axes.set_ylabel("inflation factor f")
    labels = [f"{line.label} (n={len(line.values)})" if len(several) > 1 else line.label for line in panel.lines]
    _label_ends(axes, labels, ends, colours)


def _label_ends(axes: Axes, labels: list[str], ends: list[float], colours: Sequence[Any]) -> None:
    """Write labels at the lines' ends, moved apart and tied to their lines."""
    bottom, top = axes.get_ylim()
    heights = [(end - bottom) / (top - bottom) for end in ends]
    for label, at, to, colour in zip(labels, heights, spread(heights, LINE / HEIGHT), colours, strict=True):
        axes.plot([1, 1.05], [at, to], color=colour, linewidth=0.5, transform=axes.transAxes, clip_on=False, label="_tie")
        axes.text(1.065, to, label, color=colour, transform=axes.transAxes, va="center", fontweight="bold")
    axes.text(1.065, 1.04, "initial\ndilation", color=FAINT, transform=axes.transAxes, va="bottom", size=SMALL, linespacing=1.0)


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights apart so that no two are closer than `gap`, as little as that takes (least squares), within 0 and 1 if they fit."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    blocks: list[list[float]] = []  # of labels that touch; what is averaged is the height of each block's lowest
    for rank, index in enumerate(order):
        blocks.append([heights[index] - rank * gap])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    lowest = [float(np.mean(block)) for block in blocks for _ in block]
    highest = 1 - (len(heights) - 1) * gap
    placed = dict(zip(order, (max(0.0, min(height, highest)) + rank * gap for rank, height in enumerate(lowest)), strict=True))
    return [placed[index] for index in range(len(heights))]
