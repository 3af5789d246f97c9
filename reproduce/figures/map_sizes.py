"""Figure of feature-map sizes per layer: hard-coded and learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reproduce.figures.panels import BANDS, BLUE, VERMILION, draw_seeds, panels
from reproduce.figures.style import CM, FAINT

HEIGHT = 3.8 * CM  # height of a panel's axes
LEFT, RIGHT = 1.4 * CM, 0.35 * CM  # margins beside the axes


@dataclass(frozen=True)
class MapSizes:
    """Feature-map heights of a network and of its baseline.

    Args:
        title: Title above the panel.
        baseline: Heights in pixels, one per layer.
        learned: Likewise, one sequence per seed, at least one.

    Raises:
        ValueError: `baseline` and `learned` have different numbers of layers.
    """

    title: str
    baseline: Sequence[float]
    learned: Sequence[Sequence[float]]

    def __post_init__(self) -> None:
        if {len(sizes) for sizes in self.learned} != {len(self.baseline)}:
            counts = [len(sizes) for sizes in self.learned]
            raise ValueError(f"Expected `learned` to have the baseline's {len(self.baseline)} layers for every seed, but got {counts}.")


def draw(shown: Sequence[MapSizes], notes: Sequence[str]) -> Figure:
    """Draw the height of feature maps against the layer: steps for hard-coded heights, points for learned heights (mean over seeds).

    Source: Pintea et al. 2021, figures 7 and 8.

    Args:
        shown: Panels from top to bottom, one per network, at least one.
        notes: Sentences under the figure; they include what was run.
    """
    if any(len(sizes.learned) > 1 for sizes in shown):
        notes = [BANDS, *notes]
    figure, column = panels([sizes.title for sizes in shown], notes, height=HEIGHT, left=LEFT, right=RIGHT)
    for axes, sizes in zip(column, shown, strict=True):
        _draw_axes(axes, sizes)
    return figure


def _draw_axes(axes: Axes, sizes: MapSizes) -> None:
    layers = range(1, len(sizes.baseline) + 1)
    axes.stairs(sizes.baseline, np.arange(len(layers) + 1) + 0.5, baseline=None, color=VERMILION, linewidth=1.0, label="hard-coded")
    draw_seeds(axes, layers, sizes.learned, color=BLUE, marker="o", markersize=3, label="learned")
    axes.set_xlim(0.5, len(layers) + 0.5)
    axes.set_ylim(0, 1.1 * max(np.max(sizes.baseline), np.max(sizes.learned)))
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel("layer")
    axes.set_ylabel("height of the feature map, px")
    axes.legend(loc="upper right", frameon=False, borderaxespad=0.2, labelcolor=FAINT)
