"""The dashboard: described once, and as wandb's own json, which is all that can be seen without an account."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lightning_modules.layers.quantities import INFLATION, SIGMA
from lightning_modules.networks.adaptive_vgg import AdaptiveVGG
from reproduce.cli import main
from reproduce.commands import dashboard as command
from reproduce.jobs.store import Store
from reproduce.wandb_.dashboard import EXAMPLES, TRAINING, Bars, Curves, Dashboard, Section, Text, dashboard

ROOT = Path(__file__).parents[3]

# wandb-workspaces 0.4 is written in pydantic's first style.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")


@pytest.fixture(autouse=True)
def nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REPRODUCE_DATA", "WANDB_API_KEY", "WANDB_BASE_URL", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


QUANTITIES = (*INFLATION, SIGMA)
MEASURED = [("mean IoU", "mean_iou"), ("accuracy", "accuracy"), ("mean IoU", "mean_iou")]


def watched(made: Dashboard) -> list[Section]:
    """The sections of a dashboard behind its tables."""
    return list(made.sections[1:])


def curves(made: Dashboard) -> list[Curves]:
    return [panel for section in watched(made) for panel in section.panels if isinstance(panel, Curves)]


def test_every_logged_name_is_in_one_panel() -> None:
    """What the networks here log, what several paths log, and scales of layers."""
    learned = [f"trajectory/{name}" for name in AdaptiveVGG(11, 8, width=1 / 32, head_channels=4).trajectory()]
    assert "trajectory/f" in learned
    several = [f"{name}_{path}" for name in learned for path in (1, 2)]
    scales = ["trajectory/sigma", "trajectory/sigma_conv4"]
    scores = ["val/mean_iou", "test/mean_iou", "test/pixel_accuracy"]
    made = dashboard([], [], QUANTITIES)
    for name in [*learned, *several, *scales, *scores, "train/loss", "train/loss_per_pixel"]:
        assert len([panel for panel in curves(made) if re.fullmatch(panel.pattern, name)]) == 1, name


def test_a_paper_adds_sections_and_each_metric_is_one_bar() -> None:
    added = Section("Rates", (Curves("a rate", "trajectory/rate"),))
    made = dashboard([("a.table1", "")], [], (SIGMA, SIGMA), MEASURED, [added])
    assert [section.title for section in made.sections] == [
        "Tables", "Sigma in pixels", "Rates", *(section.title for section in TRAINING), "Evaluation", EXAMPLES.title,
    ]  # fmt: skip
    bars = [panel for section in made.sections for panel in section.panels if isinstance(panel, Bars)]
    assert bars == [Bars("mean IoU", "mean_iou"), Bars("accuracy", "accuracy")]


def test_each_table_is_shown_and_each_run_named_once() -> None:
    made = dashboard([("a.table1", "| 1 |"), ("a.table2", "| 2 |")], ["x", "y", "x"])
    assert made.title == "a.table1, a.table2"
    assert made.runs == ("x", "y")
    assert made.sections[0].panels == (Text("| 1 |"), Text("| 2 |"))


def spec(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["dashboard", "table1", "--profile", "demo", "--dry-run", *words]) == 0
    written: dict[str, Any] = json.loads(capsys.readouterr().out)
    return written


def test_the_json_has_every_panel_over_the_tables_runs(capsys: pytest.CaptureFixture[str]) -> None:
    from reproduce.plugins import table
    from reproduce.table import Setting

    made = dashboard([("", "")], [], INFLATION, [("F-score", "f_score")])
    section = spec(capsys)["section"]
    shown = {item["name"]: item["panels"] for item in section["panelBankConfig"]["sections"]}
    assert list(shown) == [item.title for item in made.sections]
    assert "Modified, initial dilation 12" in shown["Tables"][0]["config"]["value"]
    plots = [panel for panels in shown.values() for panel in panels if panel["viewType"] == "Run History Line Plot"]
    assert [plot["config"]["metricRegex"] for plot in plots] == [f"^{panel.pattern}$" for panel in curves(made)]
    assert all(plot["config"]["useMetricRegex"] and plot["config"]["xAxis"] == "global_step" for plot in plots)
    bars = [panel["config"]["metrics"] for panels in shown.values() for panel in panels if panel["viewType"] == "Bar Chart"]
    assert bars == [[panel.metric] for item in made.sections for panel in item.panels if isinstance(panel, Bars)]
    assert [panel["config"]["mediaKeys"] for panel in shown["Examples"]] == [["examples"]]
    assert section["settings"]["xAxis"] == "global_step"
    names, states = section["runSets"][0]["filters"]["filters"]
    trained = [job.name for cell in table("adaptive_rf.table1").cells(Setting("demo")) for job in cell.jobs if job.recipe]
    assert (names["key"]["name"], names["op"], names["value"]) == ("displayName", "IN", list(dict.fromkeys(trained)))
    assert (states["key"]["name"], states["value"]) == ("state", ["finished", "running"])


def test_rows_and_seeds_choose_its_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names = spec(capsys, "--rows", "modified-8", "--seeds", "2")["section"]["runSets"][0]["filters"]["filters"][0]["value"]
    assert [name.rpartition("-")[0] for name in names] == ["adaptive-rf-modified-8-demo-s0", "adaptive-rf-modified-8-demo-s1"]


def test_wandb_reads_its_own_json_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from wandb_workspaces.workspaces import Workspace, internal

    assert main(["dashboard", "table1", "--profile", "demo", "--output", str(tmp_path / "dashboard.json")]) == 0
    assert "8 sections" in capsys.readouterr().out
    text = (tmp_path / "dashboard.json").read_text()
    view = internal.View(
        entity="e", project="p", display_name="", name="", id="", spec=internal.WorkspaceViewspec.model_validate_json(text)
    )
    sections = Workspace._from_model(view).sections
    made = dashboard([("", "")], [], INFLATION, [("F-score", "f_score")])
    assert [section.name for section in sections] == [item.title for item in made.sections]
    assert [len(section.panels) for section in sections] == [len(item.panels) for item in made.sections]


REFUSED = {
    "no table": (["--dry-run"], "Expected a table after `dashboard`"),
    "a project that wandb refuses": (["table1", "--wandb-project", "a/b"], "without / \\ # ? % and :, but got 'a/b'"),
    "a file that cannot be written": (["table1", "--output", "missing/d.json"], "Expected --output to be a file that can be written"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_input_is_one_sentence(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, expected = REFUSED[name]
    assert main(["dashboard", *words]) == 2
    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_without_a_login_nothing_is_asked() -> None:
    code = "import sys; from reproduce.cli import main; sys.exit(main(['dashboard', 'table1']))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Expected wandb to accept the dashboard, but got UsageError (No API key configured" in done.stderr


def test_without_the_extra_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "package_version", lambda package: "0.31" if package == "wandb" else "")
    assert main(["dashboard", "table1", "--dry-run"]) == 2
    assert "Expected wandb-workspaces to be installed for `dashboard`" in capsys.readouterr().err


def test_describing_it_does_not_import_wandb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    assert dashboard([("a.table1", "")], []).sections
    assert Store(tmp_path).runs() == []
