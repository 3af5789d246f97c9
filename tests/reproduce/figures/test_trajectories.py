"""What is drawn of learned numbers is what was learned."""

from __future__ import annotations

import numpy as np
import pytest

from reproduce.figures.style import COLUMN, SMALL, styled
from reproduce.figures.trajectories import Panel, Trajectory, spread, trajectories

STEPS = [4, 9, 14]
ONE = Trajectory(2, STEPS, [[1.0, 0.9, 0.8]])
LATE = Trajectory(2, STEPS, [[1.0, 1.0, 0.95]], dashed=True)
SEVERAL = Trajectory(8, STEPS, [[1.0, 1.2, 1.5], [1.0, 1.1, 1.1], [1.0, 1.0, 1.3]])


def test_the_lines_are_the_curves_and_the_bands_their_ranges() -> None:
    with styled():
        figure = trajectories([Panel("Helen", [ONE, LATE, SEVERAL])], ["profile demo"])
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines if line.get_label() != "_tie"}
    assert list(lines) == ["start", "2", "2*", "8"]
    assert set(lines["start"].get_ydata()) == {1.0}
    for drawn, given in (("2", ONE), ("2*", LATE), ("8", SEVERAL)):
        assert list(lines[drawn].get_xdata()) == STEPS
        assert lines[drawn].get_ydata() == pytest.approx(np.mean(given.values, axis=0))
    (band,) = axes.collections  # of the one with several seeds
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (1.0, 1.5)
    low, high = axes.get_ylim()
    assert low < 0.8
    assert high > 1.5


def test_the_late_line_is_dashed_in_the_colour_of_its_dilation() -> None:
    with styled():
        (axes,) = trajectories([Panel("Helen", [ONE, LATE, SEVERAL])], []).axes
    lines = {line.get_label(): line for line in axes.lines}
    assert [lines[label].get_linestyle() for label in ("2", "2*", "8")] == ["-", "--", "-"]
    assert tuple(lines["2"].get_color()) == tuple(lines["2*"].get_color()) != tuple(lines["8"].get_color())


def test_labels_say_how_many_seeds_only_where_that_differs() -> None:
    with styled():
        mixed = trajectories([Panel("Helen", [ONE, SEVERAL])], []).axes[0]
        alike = trajectories([Panel("Helen", [ONE, LATE])], []).axes[0]
    assert {text.get_text() for text in mixed.texts} == {"2 (n=1)", "8 (n=3)", "initial\ndilation"}
    assert {text.get_text() for text in alike.texts} == {"2", "2*", "initial\ndilation"}


def test_a_panel_a_data_set_and_the_notes_under_them_as_wide_as_a_column() -> None:
    notes = ["profile demo | data: made up | seeds: 0, 1, 2 | device: a processor with a name that is long enough for two lines"]
    with styled():
        figure = trajectories([Panel("Helen", [SEVERAL]), Panel("VOC", [ONE])], notes)
        figure.draw_without_rendering()
        inside = figure.get_tightbbox()
    assert [axes.get_title("left") for axes in figure.axes] == ["Helen", "VOC"]
    (footer,) = figure.texts
    assert " ".join(footer.get_text().split("\n")).endswith(notes[0])
    assert "bands: from the lowest to the highest" in footer.get_text()
    width, height = figure.get_size_inches()
    assert width == COLUMN
    assert inside.x0 > 0  # nothing is cut off
    assert inside.y0 > 0
    assert inside.x1 < width
    assert inside.y1 < height
    assert min(text.get_fontsize() for axes in figure.axes for text in axes.texts) >= SMALL == 7


@pytest.mark.parametrize("scale", [0.001, 0.1, 3.0])
def test_nothing_is_cut_off_however_far_f_moves(scale: float) -> None:
    """A narrow range has tick labels of many digits."""
    lines = [Trajectory(dilation, [0, 1], [[1.0, 1.0 + scale * end]]) for dilation, end in ((2, -0.7), (20, 0.9))]
    with styled():
        figure = trajectories([Panel("VOC", lines)], ["profile demo"])
        figure.draw_without_rendering()
        inside = figure.get_tightbbox()
    assert inside.x0 > 0
    assert inside.x1 < figure.get_size_inches()[0]


def test_labels_move_apart_as_little_as_need_be() -> None:
    assert spread([0.2, 0.8], 0.1) == [0.2, 0.8]
    assert spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])
    assert spread([0.9, 0.5, 0.52], 0.1) == pytest.approx([0.9, 0.46, 0.56])
    assert spread([1.0, 1.0], 0.1) == pytest.approx([0.9, 1.0])
    assert spread([0.0, 0.0, 0.0], 0.1) == pytest.approx([0.0, 0.1, 0.2])
