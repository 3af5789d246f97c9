"""Cost against f: the points are the samples, the curve is their fit."""

from __future__ import annotations

import pytest

from reproduce.figures.style import styled
from reproduce.papers.adaptive_rf.drawing import MIB, cost, fit

SECONDS = {f: [0.1 + 0.02 * f**2] * 3 for f in (4.0, 0.5, 1.0, 2.0)}
MEMORY = {f: [(1 + 0.5 * f**2) * MIB] for f in (4.0, 0.5, 1.0, 2.0)}


def test_the_fit_finds_what_made_the_numbers() -> None:
    assert fit(SECONDS) == pytest.approx((0.1, 0.02))
    assert fit({1.0: [1.0, 2.0]}) is None


def test_points_and_formulas_in_units_that_are_said() -> None:
    with styled():
        figure = cost(SECONDS, MEMORY, ["profile demo"])
        figure.draw_without_rendering()
        inside = figure.get_tightbbox()
    time, memory = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["s", "MiB"]
    assert list(time.lines[0].get_xdata()) == [0.5, 1.0, 2.0, 4.0]
    assert time.lines[0].get_ydata() == pytest.approx([0.105, 0.12, 0.18, 0.42])
    assert memory.lines[0].get_ydata() == pytest.approx([1.125, 1.5, 3.0, 9.0])
    legends = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in figure.axes]
    assert legends == [["0.1 + 0.02 f² s", "median, lowest to highest"], ["1 + 0.5 f² MiB", "measured"]]
    assert figure.texts[0].get_text() == "profile demo"
    assert inside.x0 > 0
    assert inside.x1 < figure.get_size_inches()[0]


def test_the_bars_reach_from_the_lowest_to_the_highest() -> None:
    with styled():
        figure = cost({1.0: [1.0, 2.0, 6.0]}, {1.0: [MIB]}, [])
    (bar,) = figure.axes[0].collections[0].get_segments()
    assert bar[:, 1] == pytest.approx([1.0, 6.0])
    assert figure.axes[0].get_ylabel() == "s"
    assert len(figure.axes[0].get_legend().get_texts()) == 1  # no fit through one f
