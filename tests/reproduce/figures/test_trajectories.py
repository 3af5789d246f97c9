"""What is drawn of learned numbers is what was learned."""

from __future__ import annotations

import numpy as np
import pytest

from reproduce.figures.panels import BANDS
from reproduce.figures.style import COLUMN, SMALL, styled
from reproduce.figures.trajectories import Panel, Trajectory, draw, spread

STEPS = [4, 9, 14]
ONE = Trajectory("2", 2, STEPS, [[1.0, 0.9, 0.8]])
LATE = Trajectory("2*", 2, STEPS, [[1.0, 1.0, 0.95]], dashed=True)
SEVERAL = Trajectory("8", 8, STEPS, [[1.0, 1.2, 1.5], [1.0, 1.1, 1.1], [1.0, 1.0, 1.3]])


def panel(title: str, lines: list[Trajectory]) -> Panel:
    return Panel(title, lines, "inflation factor f", "initial\ndilation", start=1.0)


def test_the_lines_are_the_curves_and_the_bands_their_ranges() -> None:
    with styled():
        figure = draw([panel("Helen", [ONE, LATE, SEVERAL])], ["profile demo"])
    (axes,) = figure.axes
    assert axes.get_ylabel() == "inflation factor f"
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
        (axes,) = draw([panel("Helen", [ONE, LATE, SEVERAL])], []).axes
    lines = {line.get_label(): line for line in axes.lines}
    assert [lines[label].get_linestyle() for label in ("2", "2*", "8")] == ["-", "--", "-"]
    assert tuple(lines["2"].get_color()) == tuple(lines["2*"].get_color()) != tuple(lines["8"].get_color())


def test_labels_say_how_many_seeds_only_where_that_differs() -> None:
    with styled():
        mixed = draw([panel("Helen", [ONE, SEVERAL])], []).axes[0]
        alike = draw([panel("Helen", [ONE, LATE])], []).axes[0]
    assert {text.get_text() for text in mixed.texts} == {"2 (n=1)", "8 (n=3)", "initial\ndilation"}
    assert {text.get_text() for text in alike.texts} == {"2", "2*", "initial\ndilation"}


def test_a_panel_a_data_set_and_the_notes_under_them_as_wide_as_a_column() -> None:
    notes = ["profile demo | data: made up | seeds: 0, 1, 2 | device: a processor with a name that is long enough for two lines"]
    with styled():
        figure = draw([panel("Helen", [SEVERAL]), panel("VOC", [ONE])], notes)
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


def layers(count: int, seeds: int) -> Panel:
    """As many lines as layers, which all end at their place / 10, from last to first."""
    lines = [Trajectory(str(place), place, [0, 9], [[1.0, place / 10]] * seeds) for place in range(count, 0, -1)]
    return Panel("N-Jet", lines, "σ in pixels", "layer")


def test_more_lines_than_labels_fit_have_a_bar_of_colours() -> None:
    with styled():
        figure = draw([layers(31, 2)], ["profile demo"])
        figure.draw_without_rendering()
    (axes,) = figure.axes
    (bar,) = axes.child_axes
    (colours,) = bar.images
    for line in axes.lines:
        place = int(line.get_label())
        assert line.get_ydata() == pytest.approx([1.0, place / 10])
        assert tuple(colours.get_array()[place - 1, 0]) == tuple(line.get_color())
    assert [label.get_text() for label in bar.get_yticklabels()] == ["1", "6", "11", "16", "21", "26", "31"]
    assert list(bar.get_yticks()) == [0, 5, 10, 15, 20, 25, 30]
    assert [text.get_text() for text in axes.texts] == ["layer"]
    assert axes.get_ylabel() == "σ in pixels"
    assert not axes.collections  # no bands
    assert figure.get_tightbbox().x1 < COLUMN


def test_a_panel_without_a_common_start_has_no_line_there() -> None:
    with styled():
        (axes,) = draw([layers(3, 1)], []).axes
    assert [line.get_label() for line in axes.lines if line.get_label() != "_tie"] == ["3", "2", "1"]
    low, high = axes.get_ylim()
    assert 0.0 < low < 0.1
    assert 1.0 < high < 1.1


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ([layers(3, 1), layers(13, 1)], ""),
        ([layers(3, 2), layers(13, 1)], BANDS),
        ([layers(3, 1), layers(13, 2)], "Lines: means over seeds."),
        ([layers(12, 2), layers(13, 2)], f"{BANDS} Of more than 12 lines: means alone."),
    ],
)
def test_what_lines_and_bands_are_is_said_where_there_are_several_seeds(shown: list[Panel], said: str) -> None:
    with styled():
        figure = draw(shown, [])
    assert " ".join(figure.texts[0].get_text().split()) == said
    assert [len(axes.collections) for axes in figure.axes] == [
        0 if panel.crowded or len(panel.lines[0].values) == 1 else len(panel.lines) for panel in shown
    ]


def test_lines_that_never_move_have_a_height() -> None:
    flat = Panel("MNIST", [Trajectory("1×", 1.0, [0, 9], [[2.0, 2.0]])], "σ in pixels", "resized")
    with styled():
        (axes,) = draw([flat], []).axes
    assert axes.get_ylim() == pytest.approx((1.9, 2.1))


@pytest.mark.parametrize("scale", [0.001, 0.1, 3.0])
def test_nothing_is_cut_off_however_far_f_moves(scale: float) -> None:
    """A narrow range has tick labels of many digits."""
    lines = [Trajectory(str(dilation), dilation, [0, 1], [[1.0, 1.0 + scale * end]]) for dilation, end in ((2, -0.7), (20, 0.9))]
    with styled():
        figure = draw([panel("VOC", lines)], ["profile demo"])
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
