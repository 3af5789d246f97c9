"""Figure of learned numbers against the training step, one line per network or layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from reproduce.figures.panels import BANDS, draw_seeds, panels
from reproduce.figures.style import CM, FAINT, LINE, SMALL

HEIGHT = 4.6 * CM  # height of a panel's axes
LEFT, RIGHT = 1.6 * CM, 1.8 * CM  # margins beside the axes
MOST_LABELS = 12  # most labels that fit at the ends of lines; a panel with more lines has a colour bar
BAR_LABELS = 7
HEADER: Any = {"color": FAINT, "va": "bottom", "size": SMALL, "linespacing": 1.0}


@dataclass(frozen=True)
class Trajectory:
    """One learned number.

    Args:
        label: Label at the line's end.
        rank: Number that decides the line's colour; colours follow the order of ranks, and lines of equal rank share a colour.
        steps: Training steps.
        values: Values at each step, one sequence per seed.
        dashed: Whether the line is dashed.
    """

    label: str
    rank: float
    steps: Sequence[int]
    values: Sequence[Sequence[float]]
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """Learned numbers of one kind.

    Args:
        title: Title above the panel.
        lines: Lines, at least one.
        axis: Name of the learned quantity, with its unit.
        header: Text above the labels at the lines' ends, of at most two lines.
        start: Common start value of all lines; None if the lines start at different values.
    """

    title: str
    lines: Sequence[Trajectory]
    axis: str
    header: str
    start: float | None = None

    @property
    def crowded(self) -> bool:
        """Whether there are too many lines for labels, and for bands, which would hide each other."""
        return len(self.lines) > MOST_LABELS


def draw(shown: Sequence[Panel], notes: Sequence[str]) -> Figure:
    """Draw learned numbers against the training step: lines for means over seeds, bands from the lowest to the highest value.

    Source: Wei et al. 2017, figure 2; Pintea et al. 2021, figure 5b.

    Args:
        shown: Panels from top to bottom, at least one.
        notes: Sentences under the figure; they include what was run.
    """
    crowded = {panel.crowded for panel in shown if any(len(line.values) > 1 for line in panel.lines)}
    if crowded == {True}:
        notes = ["Lines: means over seeds.", *notes]
    elif crowded:
        notes = [BANDS + f" Of more than {MOST_LABELS} lines: means alone." * (True in crowded), *notes]
    figure, column = panels([panel.title for panel in shown], notes, height=HEIGHT, left=LEFT, right=RIGHT)
    for axes, panel in zip(column, shown, strict=True):
        _draw_axes(axes, panel)
    return figure


def _draw_axes(axes: Axes, panel: Panel) -> None:
    ranks = sorted({line.rank for line in panel.lines})
    ordered = mpl.colormaps["viridis"](np.linspace(0, 0.82, len(ranks)))  # distinct for colour-blind readers and in grey
    colours = [ordered[ranks.index(line.rank)] for line in panel.lines]
    low, high = np.inf, -np.inf
    if panel.start is not None:
        axes.axhline(panel.start, color="0.6", linewidth=0.6, linestyle=(0, (1, 2)), zorder=0, label="start")
        low, high = panel.start - 0.1, panel.start + 0.1
    for line, colour in zip(panel.lines, colours, strict=True):
        values = [np.mean(line.values, axis=0)] if panel.crowded else line.values
        look = {"color": colour, "linestyle": (0, (4, 1.5)) if line.dashed else "-", "linewidth": 0.7 if panel.crowded else 1.0}
        draw_seeds(axes, line.steps, values, label=line.label, **look)
        low, high = min(low, np.min(values)), max(high, np.max(values))
    margin = 0.04 * (high - low) or 0.1
    axes.set_ylim(low - margin, high + margin)
    axes.set_xlim(0, max(max(line.steps) for line in panel.lines) + 1)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlabel("training step")
    axes.set_ylabel(panel.axis)
    if panel.crowded:
        _draw_bar(axes, panel, ranks, ordered)
    else:
        _label_ends(axes, panel, colours)


def _label_ends(axes: Axes, panel: Panel, colours: Sequence[Any]) -> None:
    """Write labels at the lines' ends, moved apart and connected to their lines."""
    seeds = [len(line.values) for line in panel.lines]
    labels = [f"{line.label} (n={n})" if len(set(seeds)) > 1 else line.label for line, n in zip(panel.lines, seeds, strict=True)]
    bottom, top = axes.get_ylim()
    heights = [(float(np.mean(line.values, axis=0)[-1]) - bottom) / (top - bottom) for line in panel.lines]
    for label, at, to, colour in zip(labels, heights, spread(heights, LINE / HEIGHT), colours, strict=True):
        axes.plot([1, 1.05], [at, to], color=colour, linewidth=0.5, transform=axes.transAxes, clip_on=False, label="_tie")
        axes.text(1.065, to, label, color=colour, transform=axes.transAxes, va="center", fontweight="bold")
    axes.text(1.065, 1.04, panel.header, transform=axes.transAxes, **HEADER)


def _draw_bar(axes: Axes, panel: Panel, ranks: Sequence[float], colours: Any) -> None:
    """Draw a colour bar that identifies the lines; only some colours have labels."""
    bar = axes.inset_axes((1.06, 0, 0.04, 1))
    bar.imshow(colours[:, None], aspect="auto", origin="lower")
    labels = {line.rank: line.label for line in reversed(panel.lines)}
    labelled = [round(place) for place in np.linspace(0, len(ranks) - 1, min(BAR_LABELS, len(ranks)))]
    bar.set_yticks(labelled, [labels[ranks[place]] for place in labelled])
    bar.set_xticks([])
    bar.yaxis.tick_right()
    bar.spines[:].set_visible(False)
    axes.text(1.06, 1.04, panel.header, transform=axes.transAxes, **HEADER)


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights apart so that no two are closer than `gap`: as little as possible (least squares), within 0 and 1 if they fit."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    blocks: list[list[float]] = []  # blocks of labels that touch; the average of a block is the height of its lowest label
    for rank, index in enumerate(order):
        blocks.append([heights[index] - rank * gap])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    lowest = [float(np.mean(block)) for block in blocks for _ in block]
    highest = 1 - (len(heights) - 1) * gap
    placed = dict(zip(order, (max(0.0, min(height, highest)) + rank * gap for rank, height in enumerate(lowest)), strict=True))
    return [placed[index] for index in range(len(heights))]
