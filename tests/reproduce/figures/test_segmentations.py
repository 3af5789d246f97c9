"""Boards of pictures: every pixel in its class's colour, a legend of what occurs."""

from __future__ import annotations

import numpy as np

from lightning_modules.example import Example
from reproduce.figures.overlay import voc_colours
from reproduce.figures.segmentations import NEUTRAL, Board, coloured, draw
from reproduce.figures.style import PAGE, styled

COLOURS = voc_colours(4)
TRUTH = np.array([[0, 1, 1, 255], [0, 1, 1, 255]], np.uint8)
GUESS = np.array([[0, 0, 1, 3], [0, 1, 1, 1]], np.uint8)
PICTURE = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
NAMES = ("background", "one", "two", "three")
BOARD = Board(
    "VOC", ("truth", "baseline,\ndilation 4"), [Example(PICTURE, masks={"ground truth": TRUTH, "baseline": GUESS})] * 2, NAMES, COLOURS
)


def test_pixels_have_their_classes_colours_and_ignored_ones_are_grey() -> None:
    shown = coloured(TRUTH, COLOURS)
    assert tuple(shown[0, 1]) == COLOURS[1]
    assert tuple(shown[1, 3]) == NEUTRAL
    assert NEUTRAL not in voc_colours(21)


def test_rows_are_pictures_and_columns_networks() -> None:
    with styled():
        figure = draw([BOARD], ["profile demo | data: made up"])
        figure.draw_without_rendering()
        inside = figure.get_tightbbox()
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    assert len(shown) == 6
    for row in (0, 3):
        assert (shown[row] == PICTURE).all()
        assert (shown[row + 1] == coloured(TRUTH, COLOURS)).all()
        assert (shown[row + 2] == coloured(GUESS, COLOURS)).all()
    texts = [text.get_text() for text in figure.texts]
    assert texts == ["VOC", "image", "truth", "baseline,\ndilation 4", "profile demo | data: made up"]
    width, height = figure.get_size_inches()
    assert width == PAGE
    assert inside.x0 > 0
    assert inside.x1 < width
    assert inside.y0 > 0
    assert inside.y1 < height


def test_the_legend_has_the_classes_that_occur_and_only_those() -> None:
    without = Board("Helen", ("truth",), [Example(PICTURE, masks={"ground truth": np.zeros((2, 4), np.uint8)})], NAMES, COLOURS)
    with styled():
        figure = draw([BOARD, without], [])
    legends = [[text.get_text() for text in legend.get_texts()] for legend in figure.legends]
    assert legends == [["background", "one", "three", "ignored"], ["background"]]


def test_a_tall_picture_keeps_its_shape_and_takes_no_page() -> None:
    tall = Board(
        "VOC", ("truth",), [Example(np.zeros((90, 30, 3), np.uint8), masks={"ground truth": np.zeros((90, 30), np.uint8)})], NAMES, COLOURS
    )
    with styled():
        figure = draw([tall], [])
        figure.draw_without_rendering()
    box = figure.axes[0].get_window_extent()
    assert box.height <= box.width * 3.01
    assert figure.get_size_inches()[1] < 0.75 * PAGE
