"""Tables as DataFrames: the json's cells, a line each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reproduce.cli import main
from reproduce.dataframe import results


def test_the_frame_holds_the_cells_of_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = results("table1", runs_dir=tmp_path)
    assert main(["show", "table1", "--profile", "demo", "--runs-dir", str(tmp_path), "--format", "json"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert list(frame.columns) == list(cells[0])
    assert frame[["row_key", "column", "verdict"]].to_dict("records") == [
        {key: cell[key] for key in ("row_key", "column", "verdict")} for cell in cells
    ]
    printed = frame.set_index(["row_key", "column"])["published"]
    assert printed["modified-8", "f"] == 2.61


def test_an_unknown_table_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="Expected `table` to be one of"):
        results("table9")


def test_an_unknown_profile_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="Expected `profile` to be one of paper, small, demo, but got 'foo'"):
        results("table1", "foo")  # type: ignore[arg-type]  # as a notebook may
