"""A paper from outside, in `tests/outside_paper`: from its folder and from its wheel it gets everything that ours get."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "tests" / "outside_paper"
TABLE = ("outside.table1", "--profile", "demo")

pytestmark = pytest.mark.slow


def reproduce(
    folder: Path, *words: str, python: str = sys.executable, code: int = 0, paper: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder, with the paper's folder named unless it is installed."""
    named = ["--paper", str(PAPER)] if paper else []
    environment = {name: value for name, value in os.environ.items() if name not in ("REPRODUCE_DATA", "PYTHONPATH")}
    done = subprocess.run([python, "-m", "reproduce", *words, *named], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stderr + done.stdout
    return done


def cells(text: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(cell["row_key"], cell["column"]): cell for cell in json.loads(text)["cells"]}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[tuple[str, str], dict[str, Any]]]:
    """The table's demo, run from the paper's folder with wandb offline, and its cells."""
    folder = tmp_path_factory.mktemp("ran")
    done = reproduce(folder, *TABLE, "--format", "json", "--wandb", "offline")
    return folder, cells(done.stdout)


def test_every_row_has_its_number_beside_the_printed_one(ran: tuple[Path, Any]) -> None:
    _, found = ran
    assert len(found) == 7
    trained = [cell for (row, _), cell in found.items() if row != "quoted"]
    assert all(cell["n"] == 1 and cell["mean"] > 0 for cell in trained)
    assert found["coarse", "mae"]["verdict"] == "not comparable"
    assert found["fine-dark", "mae"]["verdict"] == "unpublished"
    assert found["quoted", "mae"]["verdict"] == "published only"
    assert found["coarse", "rate"]["mean"] != 0.5  # it was learned


def test_ten_ways_of_evaluating_cost_one_training(ran: tuple[Path, Any]) -> None:
    """Five rows, two trainings; waves at half the contrast, brightened by a conversion, are the clean ones to the last digit."""
    folder, found = ran
    names = sorted(path.name.rpartition("-s0-")[0] for path in (folder / "runs").glob("outside-*"))
    assert names == sorted(f"outside-{row}-demo" for row in ("coarse", "fine", "fine-bright", "fine-dark", "fine-noisy"))
    assert len(list((folder / "runs").glob("outside-*/weights.safetensors"))) == 2
    assert found["fine-bright", "mae"]["mean"] == found["fine", "mae"]["mean"] != found["fine-dark", "mae"]["mean"]


def test_the_stage_and_the_task_are_in_the_results(ran: tuple[Path, Any]) -> None:
    folder, _ = ran
    (coarse,), (fine,) = ((folder / "runs").glob(f"outside-{row}-demo-*") for row in ("coarse", "fine"))
    result = json.loads((fine / "result.json").read_text())
    assert {"mae", "mse", "rate"} == result["metrics"].keys()
    assert (result["start"]["job"], result["start"]["frozen"], result["images"]) == (coarse.name, ["features"], 64)
    assert result["start"]["fresh"] == ["head.0.bias", "head.0.weight", "head.2.bias", "head.2.weight"]
    lines = [json.loads(line) for line in (coarse / "metrics.jsonl").read_text().splitlines()]
    assert all("trajectory/rate" in line for line in lines[:-1])
    with np.load(fine / "examples.npz") as kept:
        assert all("px, predicted" in caption for caption in kept["captions"].tolist())
    assert list((fine / "wandb").glob("offline-run-*/*.wandb"))


@pytest.mark.parametrize("form", ["terminal", "md", "html", "tex", "csv"])
def test_it_is_shown_in_every_format_with_its_claim_and_figure(form: str, ran: tuple[Path, Any]) -> None:
    folder, _ = ran
    text = reproduce(folder, "show", *TABLE, "--format", form).stdout
    assert "outside.table1" in text or form == "csv"
    assert "Second stage" in text
    assert "noise makes periods harder to see" in text or form == "csv"
    assert (folder / "runs" / "figures" / "outside.table1-demo.png").read_bytes()[:4] == b"\x89PNG"


def test_it_is_planned_and_listed_and_kept_house_for(ran: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = ran
    assert "5 jobs, 5 done" in reproduce(folder, "plan", *TABLE).stdout
    planned = reproduce(tmp_path, "plan", *TABLE).stdout
    assert "a forecast for 5 of the other 5" in planned
    assert "outside.table1" in reproduce(folder).stdout
    assert "stale" not in reproduce(folder, "runs").stdout
    reproduce(folder, "runs", "export", str(tmp_path / "out.tar.gz"))
    assert "5 added, 0 skipped" in reproduce(tmp_path, "runs", "import", str(tmp_path / "out.tar.gz")).stdout
    assert cells(reproduce(tmp_path, "show", *TABLE, "--format", "json").stdout) == ran[1]
    # Who does not name the paper is not shown a stale run, which could be removed, but an unknown one.
    without = reproduce(folder, "runs", paper=False).stdout
    assert "outside-fine-demo" in without
    assert "stale" not in without


def test_the_dashboard_has_its_quantity_and_its_panel(ran: tuple[Path, Any]) -> None:
    folder, _ = ran
    made = json.loads(reproduce(folder, "dashboard", *TABLE, "--dry-run").stdout)
    names = [section["name"] for section in made["section"]["panelBankConfig"]["sections"]]
    assert names[:3] == ["Tables", "Rate of the envelope", "Waves"]


def test_own_rows_stand_beside_its_rows(ran: tuple[Path, Any]) -> None:
    folder, _ = ran
    (folder / "my_rows.py").write_text(
        "from dataclasses import replace\nfrom reproduce.own import OwnNetwork, OwnRow, SGD\n\n"
        "def flat():\n    from torch import nn\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(256, 1), nn.Flatten(0))\n\n"
        "def rows(published):\n"
        "    recipe = replace(published.recipe, steps=9, groups=(), optimizer=SGD(1e-3))\n"
        "    return [OwnRow('flat', 'Flat', OwnNetwork('flat'), recipe),"
        " OwnRow('wide', 'Wide', replace(published.network, channels=9), replace(published.recipe, steps=9))]\n"
    )
    done = reproduce(folder, *TABLE, "--with", "my_rows.py", "--rows", "flat,wide", "--format", "json")
    found = cells(done.stdout)
    assert found["flat", "mae"]["mean"] > 0
    assert ("flat", "rate") not in found  # it learns none
    assert (found["wide", "rate"]["n"], found["wide", "rate"]["reason"]) == (
        1, "not in the paper's table; own row: 9 steps of 16, EnvelopeNet(channels=9)",
    )  # fmt: skip


def test_two_ranks_give_what_one_gives(ran: tuple[Path, Any], tmp_path: Path) -> None:
    found = cells(reproduce(tmp_path, *TABLE, "--devices", "2", "--jobs", "1", "--format", "json").stdout)
    for key, cell in found.items():
        assert cell["mean"] == (None if key[0] == "quoted" else pytest.approx(ran[1][key]["mean"], rel=2e-3)), key
        assert cell["jobs"] == ran[1][key]["jobs"]


def test_a_killed_command_goes_on_to_equal_numbers(ran: tuple[Path, Any], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "reproduce", *TABLE, "--paper", str(PAPER)]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/outside-*/checkpoints/step-*.ckpt")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    again = cells(reproduce(tmp_path, *TABLE, "--format", "json").stdout)
    assert {key: cell["mean"] for key, cell in again.items()} == {key: cell["mean"] for key, cell in ran[1].items()}


def test_a_staged_table_can_be_tried_in_two_steps(ran: tuple[Path, Any], tmp_path: Path) -> None:
    tried = cells(reproduce(tmp_path, *TABLE, "--stop-after", "2", "--format", "json", code=1).stdout)
    assert tried["coarse", "mae"]["reason"].startswith("interrupted: 2 of 60 steps; `")
    assert tried["fine", "mae"]["reason"].startswith("interrupted: 2 of 60 steps, started from an unfinished job; `")
    assert tried["fine-noisy", "mae"]["reason"].startswith("interrupted: started from an unfinished job; `")
    whole = cells(reproduce(tmp_path, *TABLE, "--format", "json").stdout)
    assert {key: cell["mean"] for key, cell in whole.items()} == {key: cell["mean"] for key, cell in ran[1].items()}


def test_from_its_wheel_in_a_fresh_environment_it_gives_the_same(ran: tuple[Path, Any], tmp_path: Path) -> None:
    """Both wheels are installed as a user's pip does; what they depend on is this environment's."""
    build = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
    for source in (ROOT, PAPER):
        subprocess.run([sys.executable, "-c", build, tmp_path / "wheels"], cwd=source, check=True, capture_output=True)
    venv.create(tmp_path / "env", with_pip=True)
    python = str(tmp_path / "env" / "bin" / "python")
    wheels = [str(path) for path in (tmp_path / "wheels").glob("*.whl")]
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", *wheels], check=True, capture_output=True)
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    dependencies = Path(pytest.__file__).parents[1]
    (site / "dependencies.pth").write_text(f"{dependencies}\n")
    where = "import reproduce, outside_paper; print(reproduce.__file__, outside_paper.__file__)"
    found = subprocess.run([python, "-c", where], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert found.count(str(site)) == 2
    installed = cells(reproduce(tmp_path, *TABLE, "--format", "json", python=python, paper=False).stdout)
    for key, cell in installed.items():
        assert {name: cell[name] for name in ("mean", "jobs", "verdict")} == {
            name: ran[1][key][name] for name in ("mean", "jobs", "verdict")
        }
