"""Accuracies with subsampling and without: the points are means over seeds, the numbers between them what is lost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes

from reproduce.figures.accuracy import APART, Accuracies, draw
from reproduce.figures.style import COLUMN, styled

SHOWN = [
    Accuracies("3, 3, 3", [88.0, 89.0, 90.0], [83.0, 84.0, 85.5]),
    Accuracies("5, 5, 3", [90.0], [91.25]),
    Accuracies("7, 7, 7", [89.0, 89.5], []),
]


def drawn(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    """Return the points of either kind."""
    containers = {container.get_label(): container[0] for container in axes.containers}
    return {label: list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for label, line in containers.items()}


def test_points_are_means_and_bars_reach_from_the_lowest_to_the_highest() -> None:
    with styled():
        (axes,) = draw("NiN on CIFAR-10", SHOWN, []).axes
    points = drawn(axes)
    assert list(points) == ["subsampled", "not subsampled"]
    assert np.array(points["subsampled"]) == pytest.approx(np.array([(0 - APART, 89.0), (1 - APART, 90.0), (2 - APART, 89.25)]))
    assert np.array(points["not subsampled"]) == pytest.approx(np.array([(0 + APART, 84.1666667), (1 + APART, 91.25)]))
    bars = [[tuple(segment[:, 1]) for segment in bar.get_segments()] for bar in axes.collections]
    assert bars == [[(88, 90), (90, 90), (89, 89.5)], [(83, 85.5), (91.25, 91.25)]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["3, 3, 3", "5, 5, 3", "7, 7, 7"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["subsampled", "not subsampled"]


def test_both_points_of_a_choice_are_tied_and_their_difference_is_written() -> None:
    with styled():
        (axes,) = draw("NiN on CIFAR-10", SHOWN, []).axes
    ties = [line.get_ydata() for line in axes.lines if line.get_label() == "_change"]
    assert np.array(ties) == pytest.approx(np.array([(89.0, 84.1666667), (90.0, 91.25)]))
    assert [text.get_text() for text in axes.texts] == ["−4.8", "+1.2"]  # of 7, 7, 7 one is unknown


def test_notes_say_what_points_and_numbers_are() -> None:
    def said(shown: list[Accuracies]) -> str:
        with styled():
            return " ".join(draw("NiN", shown, ["profile demo"]).texts[0].get_text().split())

    numbers = "Numbers: accuracy without subsampling minus accuracy with it, in percentage points."
    assert said(SHOWN) == f"{numbers} Points: means over seeds; bars: from the lowest to the highest. profile demo"
    assert said(SHOWN[1:2]) == f"{numbers} profile demo"


@pytest.mark.parametrize("shown", [SHOWN, SHOWN[:1], [Accuracies(f"{k}, {k}, {k}", [90, 90.4], [70.0, 79.9]) for k in (3, 5, 7, 9, 11)]])
def test_nothing_overlaps_or_is_cut_off(shown: list[Accuracies]) -> None:
    with styled():
        figure = draw("NiN on CIFAR-10", shown, ["profile demo"])
        figure.draw_without_rendering()
        inside = figure.get_tightbbox()
    (axes,) = figure.axes
    low = min(min([*each.subsampled, *each.unsubsampled]) for each in shown)
    legend = axes.get_legend().get_window_extent().transformed(axes.transData.inverted())
    assert legend.y1 < low
    assert inside.x0 > 0
    assert inside.x1 < COLUMN
    labels = [text.get_window_extent() for text in axes.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(labels))
