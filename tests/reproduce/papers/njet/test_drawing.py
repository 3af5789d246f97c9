"""Filters: what is drawn are their values, at their sizes."""

from __future__ import annotations

import numpy as np
import pytest

from reproduce.figures.style import COLUMN, styled
from reproduce.papers.njet.drawing import COLUMNS, GREYS, LayerFilters, filters

RANDOM = np.random.default_rng(0)


def some(size: int, number: int) -> list[np.ndarray]:
    return list(RANDOM.normal(size=(number, size, size)))


LAYERS = [LayerFilters("layer 1", 0.78, some(5, 3), some(5, 3)), LayerFilters("layer 2", 1.32, some(5, 7), some(7, COLUMNS + 2))]


def test_the_pictures_are_the_filters_each_symmetric_about_grey() -> None:
    with styled():
        (axes,) = filters(LAYERS, []).axes
    given = [each for layer in LAYERS for half in (layer.baseline, layer.learned) for each in half]
    assert len(axes.images) == len(given)
    for image, each in zip(axes.images, given, strict=True):
        assert np.array_equal(image.get_array(), each)
        assert image.get_clim() == (-np.abs(each).max(), np.abs(each).max())
        assert image.cmap(0.5)[:3] == pytest.approx((0.5, 0.5, 0.5), abs=0.01)
        assert image.origin == "upper"


def test_a_pixel_is_of_one_size_in_all_filters() -> None:
    with styled():
        figure = filters(LAYERS, [])
    (axes,) = figure.axes
    for image in axes.images:
        left, right, bottom, top = image.get_extent()
        rows, columns = image.get_array().shape
        assert (right - left) / columns == pytest.approx((top - bottom) / rows)
        assert (right - left) / columns == pytest.approx((axes.images[0].get_extent()[1] - axes.images[0].get_extent()[0]) / 5)
    assert (*axes.get_xlim(), *axes.get_ylim()) == pytest.approx((0, COLUMN, 0, figure.get_size_inches()[1]))  # inches, in both directions
    assert axes.get_position().bounds == (0, 0, 1, 1)


def test_baselines_are_at_the_left_in_the_order_of_layers_and_filters() -> None:
    with styled():
        (axes,) = filters(LAYERS, []).axes
    corners = [(image.get_extent()[0], image.get_extent()[3]) for image in axes.images]
    first, other = corners[:3], corners[3:6]
    assert [x for x, _ in first] == sorted(x for x, _ in first)
    assert max(x for x, _ in first) < COLUMN / 2 < min(x for x, _ in other)
    assert len({y for _, y in first + other}) == 1
    baseline, learned = corners[6:13], corners[13:]
    assert max(y for _, y in baseline + learned) < first[0][1]
    assert [y for _, y in learned] == sorted((y for _, y in learned), reverse=True)
    assert [len({y for _, y in half}) for half in (baseline, learned)] == [2, 2]  # rows
    extents = [image.get_extent() for image in axes.images]
    for index, (left, right, bottom, top) in enumerate(extents):
        for other_left, other_right, other_bottom, other_top in extents[:index]:
            assert left > other_right or right < other_left or bottom > other_top or top < other_bottom


def test_labels_say_layer_sigma_and_size() -> None:
    with styled():
        figure = filters(LAYERS, ["profile demo"])
        figure.draw_without_rendering()
        inside = figure.get_tightbbox()
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [
        "baseline",
        "N-Jet",
        "layer 1, 5 × 5",
        "layer 1, σ 0.78 px, 5 × 5",
        "layer 2, 5 × 5",
        "layer 2, σ 1.32 px, 7 × 7",
    ]
    assert " ".join(figure.texts[0].get_text().split()) == f"{GREYS} profile demo"
    bottom = min(image.get_extent()[2] for image in axes.images)
    assert bottom > figure.texts[0].get_window_extent().y1 / figure.dpi
    assert inside.x0 >= 0
    assert inside.x1 <= COLUMN


def test_a_filter_of_zeros_is_grey() -> None:
    with styled():
        (axes,) = filters([LayerFilters("layer 1", 1.0, [np.zeros((3, 3))], some(5, 1))], []).axes
    assert axes.images[0].get_clim() == (-1, 1)


@pytest.mark.parametrize(
    ("baseline", "learned", "message"),
    [
        ([], some(3, 1), r"`baseline` of layer 1 .* but got shapes \[\]"),
        (some(3, 1), [*some(3, 1), *some(5, 1)], r"`learned` of layer 1 .* but got shapes \[\(3, 3\), \(5, 5\)\]"),
        (list(RANDOM.normal(size=(2, 3, 3, 3))), some(3, 1), r"but got shapes \[\(3, 3, 3\)\]"),
    ],
)
def test_filters_of_a_half_are_of_one_size(baseline: list[np.ndarray], learned: list[np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LayerFilters("layer 1", 1.0, baseline, learned)
