"""The plan as a user asks for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from datamodules.synthetic import write_helen
from reproduce.cli import main
from reproduce.commands.plan import needs
from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.specs import Images, Weights

ROWS = ("--rows", "baseline-2,modified-2")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPRODUCE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def test_each_job_stands_once_and_nothing_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["plan", "table1", *ROWS, "--seeds", "2", "--no-probe"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert [line.split()[0].rpartition("-")[0] for line in lines[1:6]] == [
        "adaptive-rf-baseline-2-sizes-s0",
        *(f"adaptive-rf-{row}-2-demo-s{seed}" for row in ("baseline", "modified") for seed in (0, 1)),
    ]
    assert all(line.split()[-4:] == ["unknown"] * 4 for line in lines[1:6])
    assert "made-up Helen" in lines[2]
    assert lines[6] == "5 jobs, 0 done; a forecast for 0 of the other 5."
    assert not list(tmp_path.iterdir())


def test_a_plan_has_one_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "table1", "--format", "json"]) == 2
    assert capsys.readouterr().err == "Unrecognized arguments: --format json; `python -m reproduce plan --help` lists the options.\n"


def test_planning_without_a_probe_imports_no_torch() -> None:
    code = (
        "import sys; from reproduce.cli import main; code = main(['plan', 'table1', '--no-probe']);"
        "sys.exit(code or bool({'torch', 'lightning', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env={"PYTHONPATH": str(Path(__file__).parents[3])})
    assert done.returncode == 0, done.stderr


def test_what_is_missing_is_said_once_and_not_probed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_helen(tmp_path / "data", exemplars=4, tuning=1, testing=1, size=64, seed=0)
    assert main(["plan", "table1", *ROWS, "--data-root", "data", "--no-probe"]) == 0
    out = capsys.readouterr().out
    trained = [line for line in out.splitlines() if "-paper-s0-" in line]
    assert [line.split()[1:4] for line in trained] == [["todo", "Helen", "yes"]] * 2
    assert main(["plan", "table1", *ROWS, "--profile", "small", "--no-probe"]) == 0
    assert "2 jobs: needs Helen" in capsys.readouterr().out


def test_a_job_says_what_it_needs(tiny: Callable[..., Job], digits: Callable[..., Job]) -> None:
    parent = tiny(seed=4)
    assert needs(tiny(start=parent)) == f"made-up Helen, {parent.name}"
    assert needs(tiny(start=Weights("vgg16.pth", ""))) == "made-up Helen, vgg16.pth"
    assert needs(tiny(data=None)) == "nothing"
    assert needs(digits()) == "made-up MNIST"
    assert needs(digits(data=Images("cifar100"))) == "CIFAR-100"


@pytest.mark.slow
def test_a_plan_probes_leaves_nothing_behind_and_knows_what_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "table1", *ROWS]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert all(line.split()[-1] == "probe" for line in lines[1:4])
    assert "Probing 3 kinds of job" in captured.err
    assert lines[4] == "3 jobs, 0 done; a forecast for 3 of the other 3."
    assert lines[5].startswith("In all: ")
    assert "f^2" in lines[6]
    assert not list(tmp_path.iterdir())


def test_a_plan_without_the_forecasts_that_were_asked_for_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reproduce.schedule.probe.probe", lambda *_: {})
    assert main(["plan", "table1", *ROWS]) == 1
    assert main(["plan", "table1", *ROWS, "--no-probe"]) == 0


@pytest.mark.slow
def test_a_plan_says_what_a_probe_cannot_know_of_sigma(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "njet.table5", "--rows", "cnn-3-2,njet-2"]) == 0
    out = capsys.readouterr().out
    assert "4 jobs, 0 done; a forecast for 4 of the other 4." in out
    assert "follow sigma" in out.splitlines()[-1]


def test_a_done_job_costs_nothing_more(capsys: pytest.CaptureFixture[str]) -> None:
    main(["plan", "table1", *ROWS, "--no-probe"])
    name = capsys.readouterr().out.splitlines()[2].split()[0]
    folder = Store(Path("runs")).root / name
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{}")
    main(["plan", "table1", *ROWS, "--no-probe"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == [name, "done", "made-up", "Helen", "yes"]
    assert lines[4] == "3 jobs, 1 done; a forecast for 0 of the other 2."
