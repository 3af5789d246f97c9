"""Figure of pictures, their labels and the segmentations of networks, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lightning_modules.example import Example
from reproduce.figures.overlay import Colour, Pixels
from reproduce.figures.style import CM, LARGE, LINE, PAGE, wrap, write_footer

IGNORED, NEUTRAL = 255, (205, 205, 205)  # a grey that is no class's colour
MARGIN, GAP = 0.2 * CM, 0.08 * CM
TITLE = 0.75 * CM
TALLEST = 1.0  # largest height of a picture, in widths; a taller picture is drawn narrower
SWATCH = 2.4 * CM  # width of a class in the legend


@dataclass(frozen=True)
class Board:
    """The rows of one data set.

    Args:
        title: Title above the rows.
        columns: Names of the masks, of one or two lines: the labels, then each network.
        examples: Rows, at least one.
        classes: Names of the classes.
        colours: Colours, one per class.
    """

    title: str
    columns: Sequence[str]
    examples: Sequence[Example]
    classes: Sequence[str]
    colours: Sequence[Colour]

    @property
    def occurring(self) -> list[int]:
        """Indices of the classes that occur in any mask."""
        found = set().union(*(np.unique(mask).tolist() for example in self.examples for mask in example.masks.values()))
        return sorted(index for index in found if index != IGNORED)

    @property
    def ignores(self) -> bool:
        """Whether any pixel is ignored."""
        return any((mask == IGNORED).any() for example in self.examples for mask in example.masks.values())


def draw(boards: Sequence[Board], notes: Sequence[str]) -> Figure:
    """Draw pictures beside their labels and segmentations, one board per data set, each with a legend of the classes that it shows.

    Source: Wei et al. 2017, figure 3.

    Args:
        boards: Boards from top to bottom, at least one.
        notes: Sentences under the figure; they include what was run.
    """
    footer = [line for note in notes for line in wrap(note, PAGE - 2 * MARGIN)]
    height = sum(_height(board) for board in boards) + (len(footer) + 1) * LINE
    figure = Figure(figsize=(PAGE, height))
    top = height
    for board in boards:
        _draw_board(figure, board, top)
        top -= _height(board)
    write_footer(figure, footer, MARGIN)
    return figure


def coloured(mask: Pixels, colours: Sequence[Colour]) -> Pixels:
    """Return the colour of each pixel's class, H W to H W 3; ignored pixels are grey."""
    table = np.full((256, 3), NEUTRAL, np.uint8)
    table[: len(colours)] = colours
    return table[mask]


def _widths(board: Board) -> float:
    """Return the width of a column."""
    columns = len(board.columns) + 1
    return (PAGE - 2 * MARGIN - (columns - 1) * GAP) / columns


def _rows(board: Board) -> list[float]:
    """Return the height of each row."""
    shapes = [example.image.shape for example in board.examples]
    return [_widths(board) * min(TALLEST, shape[0] / shape[1]) for shape in shapes]


def _legend_lines(board: Board) -> int:
    return math.ceil((len(board.occurring) + board.ignores) / _legend_columns())


def _legend_columns() -> int:
    return int((PAGE - 2 * MARGIN) / SWATCH)


def _height(board: Board) -> float:
    return LINE * 2 + TITLE + sum(height + GAP for height in _rows(board)) + (_legend_lines(board) + 1) * LINE


def _draw_board(figure: Figure, board: Board, top: float) -> None:
    width, height = figure.get_size_inches()
    column = _widths(board)
    figure.text(MARGIN / width, (top - 1.5 * LINE) / height, board.title, size=LARGE, fontweight="bold", va="center")
    top -= 2 * LINE + TITLE
    for index, name in enumerate(("image", *board.columns)):
        figure.text((MARGIN + index * (column + GAP) + column / 2) / width, (top + GAP) / height, name, ha="center", va="bottom")
    for example, tall in zip(board.examples, _rows(board), strict=True):
        top -= tall + GAP
        shown = [example.image, *(coloured(mask, board.colours) for mask in example.masks.values())]
        for index, pixels in enumerate(shown):
            axes = figure.add_axes(((MARGIN + index * (column + GAP)) / width, (top + GAP) / height, column / width, tall / height))
            axes.imshow(pixels, interpolation="nearest" if index else "antialiased")
            axes.set_axis_off()
    entries = [(board.classes[index], board.colours[index]) for index in board.occurring] + [("ignored", NEUTRAL)] * board.ignores
    handles = [
        Patch(facecolor="#{:02x}{:02x}{:02x}".format(*colour), edgecolor="0.35", linewidth=0.4, label=name) for name, colour in entries
    ]
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(MARGIN / width, (top - 0.3 * LINE) / height), ncols=_legend_columns(),
        frameon=False, borderpad=0, borderaxespad=0, handlelength=1.2, handletextpad=0.5, columnspacing=1.2, labelspacing=0.35,
    )  # fmt: skip
