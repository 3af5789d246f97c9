"""Figures as files: the same figure gives the same bytes, whatever the user's matplotlib is set to."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from reproduce.figures.style import COLUMN, save, styled, wrap
from reproduce.figures.trajectories import Panel, Trajectory
from reproduce.figures.trajectories import draw as trajectories


def draw() -> Figure:
    line = Trajectory("8", 8, [1, 2], [[1.0, 1.1], [1.0, 1.2]])
    return trajectories([Panel("Helen", [line], "inflation factor f", "initial\ndilation", 1.0)], ["profile demo"])


def test_both_files_have_the_same_bytes_when_drawn_again(tmp_path: Path) -> None:
    bytes_of = []
    for name, size in (("first", 10.0), ("second", 30.0)):
        with mpl.rc_context({"font.size": size, "savefig.dpi": size}):
            with styled():
                written = save(draw(), tmp_path / name)
            assert mpl.rcParams["font.size"] == size
        assert [path.name for path in written] == [f"{name}.png", f"{name}.svg"]
        bytes_of.append([path.read_bytes() for path in written])
    assert bytes_of[0] == bytes_of[1]
    png, svg = bytes_of[0]
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20]) == pytest.approx(COLUMN * 300, abs=1)
    assert b"<svg" in svg
    assert b"dc:date" not in svg
    assert len(list(tmp_path.iterdir())) == 4  # nothing temporary is left


def test_a_name_with_dots_keeps_them(tmp_path: Path) -> None:
    with styled():
        written = save(draw(), tmp_path / "paper.figure2-demo")
    assert written[0].name == "paper.figure2-demo.png"


def test_lines_of_small_text_fit() -> None:
    lines = wrap("word " * 50, COLUMN)
    with styled():
        figure = Figure(figsize=(COLUMN, 2))
        drawn = [figure.text(0, 0, line) for line in lines]
        figure.draw_without_rendering()
    assert len(lines) > 2
    assert all(text.get_window_extent().width / figure.dpi < COLUMN for text in drawn)
