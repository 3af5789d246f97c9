"""Sizes of feature maps: the steps are the baseline's, the points the means of what seeds learned."""

from __future__ import annotations

import pytest

from reproduce.figures.map_sizes import MapSizes, draw
from reproduce.figures.panels import BANDS
from reproduce.figures.style import COLUMN, styled

NIN = MapSizes("NiN", [32, 16, 8], [[27, 22, 17], [26, 21, 18], [28, 20, 16]])
DEEP = MapSizes("ResNet-32", [32] * 11 + [16] * 10 + [8] * 10, [[33.0] * 31])


def test_steps_points_and_bands_are_the_sizes() -> None:
    with styled():
        (axes,) = draw([NIN], ["profile demo"]).axes
    (steps,) = axes.patches
    values, edges, _ = steps.get_data()
    assert list(values) == [32, 16, 8]
    assert list(edges) == [0.5, 1.5, 2.5, 3.5]  # a step around each layer
    (learned,) = axes.lines
    assert list(learned.get_xdata()) == [1, 2, 3]
    assert learned.get_ydata() == pytest.approx([27, 21, 17])
    assert learned.get_marker() == "o"
    (band,) = axes.collections
    drawn = {(float(x), float(y)) for x, y in band.get_paths()[0].vertices}
    assert drawn == {(1, 26), (1, 28), (2, 20), (2, 22), (3, 16), (3, 18)}
    assert axes.get_ylim() == pytest.approx((0, 1.1 * 32))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["hard-coded", "learned"]


def test_a_panel_a_network_and_nothing_is_cut_off() -> None:
    with styled():
        figure = draw([NIN, DEEP], ["profile demo"])
        figure.draw_without_rendering()
        inside = figure.get_tightbbox()
    assert [axes.get_title("left") for axes in figure.axes] == ["NiN", "ResNet-32"]
    first, second = ([tick for tick in axes.get_xticks() if 0.5 < tick < axes.get_xlim()[1]] for axes in figure.axes)
    assert first == [1, 2, 3]
    assert all(tick == int(tick) for tick in second)
    assert inside.x0 > 0
    assert inside.x1 < figure.get_size_inches()[0] == COLUMN
    (footer,) = figure.texts
    assert " ".join(footer.get_text().split()) == f"{BANDS} profile demo"


def test_one_seed_has_no_band() -> None:
    with styled():
        figure = draw([DEEP], ["profile demo"])
    assert not figure.axes[0].collections
    assert figure.texts[0].get_text() == "profile demo"
    assert figure.axes[0].get_ylim() == pytest.approx((0, 1.1 * 33))  # higher than the baseline's


@pytest.mark.parametrize(("learned", "counts"), [([[27, 22]], r"\[2\]"), ([[27, 22, 17], [27]], r"\[3, 1\]"), ([], r"\[\]")])
def test_as_many_layers_as_the_baseline(learned: list[list[float]], counts: str) -> None:
    with pytest.raises(ValueError, match=f"the baseline's 3 layers for every seed, but got {counts}"):
        MapSizes("NiN", [32, 16, 8], learned)
