"""The figure of learned filters beside the filters of a baseline, each at its size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reproduce.figures.style import CM, COLUMN, LARGE, LINE, wrap, write_footer

Filter = npt.NDArray[np.floating]

MARGIN, MIDDLE, GAP = 0.2 * CM, 0.4 * CM, 0.08 * CM  # space beside the halves, between the halves, between filters
COLUMNS = 5  # filters in a line of a half
HALF = (COLUMN - 2 * MARGIN - MIDDLE) / 2
WIDEST = (HALF - (COLUMNS - 1) * GAP) / COLUMNS  # width of the widest filter
LABEL = 1.2 * LINE
GREYS = "Each filter has its own grey scale: grey is 0, white and black are plus and minus its largest absolute value."


@dataclass(frozen=True)
class LayerFilters:
    """Filters of one layer.

    Args:
        name: Name of the layer, such as "layer 1".
        sigma: Learned sigma, in pixels.
        baseline: Filters of the baseline, k k each, at least one.
        learned: Filters of the N-Jet network, k k each, at least one; k may differ from the baseline's.

    Raises:
        ValueError: The filters of a half differ in shape, are not two-dimensional, or are missing.
    """

    name: str
    sigma: float
    baseline: Sequence[Filter]
    learned: Sequence[Filter]

    def __post_init__(self) -> None:
        for argument, half in (("baseline", self.baseline), ("learned", self.learned)):
            shapes = {each.shape for each in half}
            if len(shapes) != 1 or len(half[0].shape) != 2:
                raise ValueError(f"Expected `{argument}` of {self.name} to hold filters k k of one size, but got shapes {sorted(shapes)}.")

    @property
    def halves(self) -> tuple[tuple[str, Sequence[Filter]], tuple[str, Sequence[Filter]]]:
        """Title and filters of each half."""
        learned = f"{self.name}, σ {self.sigma:.2f} px, {_size(self.learned)}"
        return (f"{self.name}, {_size(self.baseline)}", self.baseline), (learned, self.learned)


def filters(layers: Sequence[LayerFilters], notes: Sequence[str]) -> Figure:
    """Draw trained filters, of a baseline on the left and of an N-Jet network on the right. All pixels are drawn at one size.

    Source: Pintea et al. 2021, figure 12.
    Not in paper: which filters of a layer are shown. This shows the given filters in their order.

    Args:
        layers: Layers from top to bottom, at least one.
        notes: Sentences under the layers; one of them says what was run.
    """
    footer = [line for note in (GREYS, *notes) for line in wrap(note, COLUMN - 2 * MARGIN)]
    pixel = WIDEST / max(each.shape[1] for layer in layers for _, half in layer.halves for each in half)
    height = 2 * LINE + sum(_height(layer, pixel) for layer in layers) + (len(footer) + 1) * LINE
    figure = Figure(figsize=(COLUMN, height))
    axes = figure.add_axes((0, 0, 1, 1))  # in inches
    axes.set_axis_off()
    lefts = (MARGIN, MARGIN + HALF + MIDDLE)
    for left, title in zip(lefts, ("baseline", "N-Jet"), strict=True):
        axes.text(left, height - LINE, title, va="center", fontweight="bold", size=LARGE)
    top = height - 2 * LINE
    for layer in layers:
        for left, (label, half) in zip(lefts, layer.halves, strict=True):
            axes.text(left, top - LINE / 2, label, va="center")
            _draw(axes, half, left, top - LABEL, pixel)
        top -= _height(layer, pixel)
    axes.set(xlim=(0, COLUMN), ylim=(0, height))
    write_footer(figure, footer, MARGIN)
    return figure


def _size(half: Sequence[Filter]) -> str:
    rows, columns = half[0].shape
    return f"{rows} × {columns}"


def _height(layer: LayerFilters, pixel: float) -> float:
    """Return the height of a layer: its labels, the taller of its halves, and a space."""
    halves: list[float] = [math.ceil(len(half) / COLUMNS) * (half[0].shape[0] * pixel + GAP) for _, half in layer.halves]
    return LABEL + max(halves) + 0.7 * LINE


def _draw(axes: Axes, half: Sequence[Filter], left: float, top: float, pixel: float) -> None:
    tall, wide = (pixel * length for length in half[0].shape)
    for index, each in enumerate(half):
        row, column = divmod(index, COLUMNS)
        x, y = left + column * (wide + GAP), top - row * (tall + GAP)
        most = float(np.abs(each).max()) or 1.0
        axes.imshow(each, cmap="gray", vmin=-most, vmax=most, interpolation="nearest", extent=(x, x + wide, y - tall, y), aspect="auto")
        axes.add_patch(Rectangle((x, y - tall), wide, tall, fill=False, edgecolor="0.6", linewidth=0.4))
