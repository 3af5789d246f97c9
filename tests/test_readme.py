"""What the README shows works as shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules.synthetic import write_helen
from lightning_modules import SGD, ImageClassification, Optimization  # noqa: F401  # the README names them
from lightning_modules.networks import NiN  # noqa: F401
from reproduce.commands import dashboard, export, plan, predict, prepare, run, runs
from reproduce.render import FORMATS
from reproduce.verdicts.verdict import Verdict

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.slow
def test_the_parts_work_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example, word for word, on made-up faces in the folder that it names."""
    write_helen(tmp_path / "data", exemplars=8, tuning=2, testing=2, size=64, seed=0)
    monkeypatch.chdir(tmp_path)
    (code,) = (code for code in CODE if "HelenDataModule" in code)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    trainer = names["trainer"]
    (code,) = (code for code in CODE if "load_from_checkpoint" in code)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.onnx
        exec(compile(code, "README.md", "exec"), names)
    assert names["difference"] < 1e-4
    assert (tmp_path / "network.onnx").stat().st_size > 10_000
    assert trainer.global_step == 20
    assert 0 <= trainer.callback_metrics["test/mean_iou"] <= 1


@pytest.mark.slow
def test_own_rows_stand_beside_the_published_ones(tmp_path: Path) -> None:
    """The example, word for word, by the command under it."""
    (code,) = (code for code in CODE if "my_rows.py" in code)
    (command,) = re.findall(r"^python -m (reproduce .*--with my_rows\.py.*)$", README, re.MULTILINE)
    (tmp_path / "my_rows.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", *command.split()], cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr + done.stdout
    own = done.stdout[done.stdout.index("Rows beside the paper's") :]
    for label in ("Two convolutions", "Baseline, dilation 3"):
        assert re.search(rf"{label} +F-score +- +0\.\d{{4}} \(1\) +- +unpublished", own), own


def test_the_inflation_layer_works_alone() -> None:
    (code,) = (code for code in CODE if "InflationLayer" in code)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["scores"].shape == (2, 5, 128, 128)
    f = float(names["inflation"].value.detach())
    assert 0.25 <= f <= 4
    assert f != 1


def test_the_njet_layer_works_alone() -> None:
    (code,) = (code for code in CODE if "NJetConv2d" in code)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    layer = names["layer"]
    assert layer(torch.ones(1, 3, 8, 8)).shape == (1, 16, 6, 6)
    layer.scale.data += 1.0
    layer.scale.grad = torch.zeros(())
    names["optimizer"].step()
    assert (float(layer.sigma.detach()), layer.size) == (2.0, 9)
    (expression,) = re.findall(r"^`(ImageClassification\(NiN\(.*)`\.$", README, re.MULTILINE)
    assert eval(expression).network(torch.ones(2, 3, 32, 32)).shape == (2, 10)


def test_every_option_of_the_examples_exists() -> None:
    actions = [action for command in (plan, predict, export, prepare, run, runs, dashboard) for action in command.parser()._actions]
    known = {option for action in actions for option in action.option_strings}
    used = set(re.findall(r"(?<![-\w])--[a-z][a-z-]*", README))
    assert used - {"--help", "--nproc-per-node"} <= known  # the latter is torchrun's


def test_every_verdict_and_format_is_explained() -> None:
    for verdict in Verdict:
        assert f"`{verdict}`" in README
    for format in FORMATS:
        assert format in README


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target


def test_tables_are_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example, word for word, where nothing was run."""
    monkeypatch.chdir(tmp_path)
    (code,) = (code for code in CODE if "import results" in code)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert set(names["frame"]["verdict"]) == {"exact", "not run", "paper inconsistent"}  # type: ignore[index]


def test_stages_and_evaluations_are_made_as_shown() -> None:
    (code,) = (code for code in CODE if "import evaluation" in code)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    flipped, second, first = names["flipped"], names["second"], names["first"]
    assert (flipped.parents, second.parents) == ((second,), (first,))
    assert (flipped.recipe, flipped.trains, second.trains) == (None, False, True)
    assert second.start.frozen == ("features",)
