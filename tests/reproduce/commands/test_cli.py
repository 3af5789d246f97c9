"""The command line as a user types it: lists, runs, shows, refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from datamodules.synthetic import write_helen
from reproduce import plugins
from reproduce.cli import main
from reproduce.commands import listing
from reproduce.commands.options import say_more_seeds
from reproduce.render import FORMATS
from reproduce.table import Setting
from reproduce.verdicts.published import load

HEADER = ["schema", "table", "paper", "title", "profile", "cells", "claims", "deviations"]
CELL = [
    "row",
    "row_key",
    "column",
    "kind",
    "unit",
    "published",
    "published_std",
    "values",
    "seeds",
    "mean",
    "std",
    "n",
    "difference",
    "tolerance",
    "interval",
    "cap",
    "test",
    "seeds_needed",
    "verdict",
    "reason",
    "data",
    "device",
    "jobs",
]
CLAIM = ["id", "text", "printed", "holds", "reason", "test", "level", "e_yes", "e_no", "comparisons", "forecast"]


def run(*words: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, without what this one's environment says of data."""
    inherited = {name: value for name, value in os.environ.items() if name != "REPRODUCE_DATA"}
    root = str(Path(__file__).parents[3])
    return subprocess.run(
        [sys.executable, "-m", "reproduce", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=inherited | {"PYTHONPATH": root} | environment,
    )


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REPRODUCE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def test_listing_names_every_table_with_cells_and_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "adaptive_rf.table1" in out
    assert "38" in out


@pytest.mark.parametrize("words", [[], ["show", "table1"], ["show", "table1", "--format", "json"], ["show", "adaptive_rf.figure3"]])
def test_listing_and_showing_import_no_torch(words: list[str]) -> None:
    code = (
        "import sys; from reproduce.cli import main; code = main(sys.argv[1:]);"
        "sys.exit(code or bool({'torch', 'lightning', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("format", FORMATS)
def test_show_renders_without_running(format: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["show", "table1", "--format", format]) == 0
    out = capsys.readouterr().out
    assert "not run" in out
    assert "paper inconsistent" in out
    assert not list(tmp_path.iterdir())


def test_show_ends_with_the_verdicts_and_lists_deviations_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "table1"])
    *_, told, summary = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d+ deviations from the paper: --deviations lists them\.", told)
    assert summary.endswith("292 not run, 5 exact, 1 paper inconsistent.")
    main(["show", "table1", "--deviations"])
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1] == summary
    assert "--deviations" not in shown
    assert "  demo-data  " in shown


@pytest.mark.parametrize("verb", [["show"], ["plan", "--no-probe"]])
def test_more_seeds_than_asked_for_are_announced_with_the_reason(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for seeds in (1, 2):
        assert main([*verb, "adaptive_rf.gradient", "table1", "--seeds", str(seeds)]) == 0
        told = f"adaptive_rf.gradient takes 3 seeds, also with --seeds {seeds}: one seed says nothing about where f ends.\n"
        assert capsys.readouterr().err == told
    assert main([*verb, "adaptive_rf.gradient", "--seeds", "3"]) == 0
    assert not capsys.readouterr().err


def test_a_table_without_a_reason_for_its_seeds_says_their_number(capsys: pytest.CaptureFixture[str]) -> None:
    bare = replace(plugins.table("adaptive_rf.gradient"), more_seeds="")
    say_more_seeds([bare], Setting("demo"))
    assert capsys.readouterr().err == "adaptive_rf.gradient takes 3 seeds, also with --seeds 1.\n"


def test_json_has_the_documented_form(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "adaptive_rf.table1", "--format", "json"])
    table = json.loads(capsys.readouterr().out)
    assert list(table) == HEADER
    assert (table["schema"], table["table"], table["profile"]) == (1, "adaptive_rf.table1", "demo")
    assert all(list(cell) == CELL for cell in table["cells"])
    columns = {(cell["row_key"], cell["column"]) for cell in table["cells"]}
    assert len(columns) == len(table["cells"])
    # Beside the 38 cells of the table: F of merged parts, skin, hair and every class, for each of its 13 networks.
    assert len(columns) == 38 + 13 * (9 + 11)
    assert all(list(claim) == CLAIM for claim in table["claims"])
    assert {claim["printed"] for claim in table["claims"]} <= {"yes", "no", "undecided", "not tested"}
    assert all(list(deviation) == ["id", "text"] for deviation in table["deviations"])


def test_the_json_of_a_table_named_twice_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "table1", "adaptive_rf.table1", "--format", "json"])
    assert json.loads(capsys.readouterr().out)["table"] == "adaptive_rf.table1"


def test_rows_chooses_rows(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "table1", "--rows", "modified-8, baseline-8", "--format", "json"])
    assert {cell["row_key"] for cell in json.loads(capsys.readouterr().out)["cells"]} == {"baseline-8", "modified-8"}


def test_a_wrong_data_root_in_the_environment_is_an_error_but_for_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRODUCE_DATA", "/nowhere")
    assert main(["show", "table1"]) == 2
    assert main(["show", "table1", "--profile", "demo"]) == 0


def test_with_data_the_profile_is_paper_unless_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_helen(tmp_path, exemplars=4, tuning=1, testing=1, size=64, seed=0)
    main(["show", "table1", "--data-root", str(tmp_path), "--format", "json"])
    table = json.loads(capsys.readouterr().out)
    assert table["profile"] == "paper"
    assert any("vgg16-397923af.pth" in deviation["text"] for deviation in table["deviations"])


@pytest.mark.slow
def test_two_rows_run_once_render_and_fail_by_the_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real run through the fork server on made-up faces, its recipe cut down from outside; then one of its jobs fails."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    rows, options = ("--rows", "baseline-2,modified-2"), ("--profile", "demo", "--stop-after", "1")
    first = run("table1", *rows, *options, cwd=tmp_path)
    assert first.returncode == 1, first.stderr
    assert "1 of 550 steps" in first.stdout
    assert first.stdout.count("260 px") == 2  # printed and computed
    assert "stopped (1 of 550 steps)" in first.stderr
    second = run("table1", *rows, *options, cwd=tmp_path)
    assert "2 of 550 steps" in second.stdout
    # A folder in the place of the curves makes the job fail, and only that one.
    (broken,) = (tmp_path / "runs").glob("adaptive-rf-modified-2-demo-*")
    (broken / "metrics.jsonl").unlink(missing_ok=True)
    (broken / "metrics.jsonl").mkdir()
    third = run("table1", *rows, *options, cwd=tmp_path)
    assert third.returncode == 1
    assert "failed: [Errno 21] Is a directory" in third.stdout
    assert "3 of 550 steps" in third.stdout


def test_the_listing_says_what_is_no_table_of_printed_numbers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    table = load("table1")
    unprinted = replace(table, cells=tuple(replace(cell, printed="") for cell in table.cells))
    for id, own, nature in (
        ("a.table1", True, "a comparison of our own"),
        ("a.figure1", False, "a figure: the paper prints no numbers"),
        ("a.table1", False, "its printed numbers were not found"),
    ):
        monkeypatch.setattr(listing, "load", lambda name, id=id, own=own: replace(unprinted, id=id, own=own))
        main([])
        assert f"{table.title} ({nature})" in capsys.readouterr().out


def test_starting_takes_little_more_than_python_itself() -> None:
    """No timing here (benchmarks/ measures it): listing and showing must do without pandas, which takes longer than all the rest."""
    code = "import sys; from reproduce.cli import main; main([]); main(['show', 'table1']); sys.exit('pandas' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    )
    assert done.returncode == 0, done.stderr


def test_tables_whose_data_is_there_are_shown_without_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "data"
    write_helen(root, exemplars=3, tuning=1, testing=1, size=64, seed=0)
    words = ["--profile", "small", "--data-root", str(root), "--runs-dir", str(tmp_path / "runs")]
    assert main(["show", "table2", "table1", *words]) == 0
    shown = capsys.readouterr()
    assert "adaptive_rf.table1" in shown.out
    assert "adaptive_rf.table2" not in shown.out
    assert shown.err.startswith("adaptive_rf.table2 is left out: VOC2012 is missing: ")
    assert main(["show", "table2", *words]) == 2
    assert capsys.readouterr().err.startswith("VOC2012 is missing: ")


def test_a_header_says_what_was_run_and_a_footnote_the_command_that_runs_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "my runs"
    main(["show", "table1", "--profile", "demo", "--seeds", "3", "--runs-dir", str(runs), "--rows", "baseline-8"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "seeds: none" in shown
    assert f"`python -m reproduce adaptive_rf.table1 --profile demo --seeds 3 --rows baseline-8 --runs-dir '{runs}'` computes it" in shown
    assert "claims" not in shown  # they are about other rows too


def test_short_names_are_taken_where_one_paper_has_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "figure2", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["table"] == "adaptive_rf.figure2"
