"""`--until-decided` with a launcher that only pretends: which seeds run, in which order, and when it ends."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from reproduce.cli import main
from reproduce.dataframe import results
from reproduce.jobs.provenance import expected_device
from reproduce.jobs.store import Run
from reproduce.specs import Runtime

ROWS = "modified-2,modified-2-late,modified-8,modified-12"
# Mean and standard deviation of f: the first decides soon, the second never, and the last two differ by four deviations.
F = {"modified-2": (1.5, 0.05), "modified-2-late": (0.99, 0.2), "modified-8": (1.0, 0.05), "modified-12": (1.2, 0.05)}
SECONDS = {"modified-2": 9.0, "modified-2-late": 1.0, "modified-8": 1.0, "modified-12": 1.0}  # of a training


def row_and_seed(name: str) -> tuple[str, int]:
    found = re.fullmatch(r"adaptive-rf-(.*)-demo-s(\d+)-\w+", name)
    assert found
    return found[1], int(found[2])


class Pretending:
    """Finishes every submitted job at the next look, or fails those in `fails`."""

    slots = 1

    def __init__(self) -> None:
        self.ran: list[tuple[str, int]] = []
        self.fails: set[tuple[str, int]] = set()
        self.pending: list[Path] = []

    def submit(self, folder: Path) -> None:
        self.pending.append(folder)

    def active(self) -> set[str]:
        for folder in self.pending:
            row, seed = row_and_seed(folder.name)
            self.ran.append((row, seed))
            if (row, seed) in self.fails:
                (folder / "lock").touch()
                Run(folder).fail("out of luck", "")
                continue
            mean, std = F[row]
            metrics = {"f": random.Random(folder.name).gauss(mean, std), "f_score": 0.5}
            provenance = {"device": expected_device("cpu", 1), "seconds": SECONDS[row], "peak_memory": {"host_mib": 1.0}}
            result: Any = {"metrics": metrics, "data": {"status": "synthetic", "set": "Helen", "detail": "some"}, "provenance": provenance}
            Run(folder).finish(result | {"timing": {"step_seconds": 0.0, "steps": 300}})
        self.pending.clear()
        return set()

    def stop(self) -> None:
        pass


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pretending:
    pretending = Pretending()
    monkeypatch.setattr("reproduce.schedule.devices.launcher_for", lambda *_: (pretending, Runtime(accelerator="cpu", threads=1)))
    monkeypatch.setattr("reproduce.schedule.engine.POLL_SECONDS", 0.0)
    monkeypatch.setattr("reproduce.schedule.forecast.LOOK_SECONDS", 0.0)
    monkeypatch.chdir(tmp_path)
    return pretending


def run(*words: str, rows: str = ROWS) -> int:
    return main(["adaptive_rf.table1", "--profile", "demo", "--rows", rows, "--format", "json", *words])


def seeds_of(launcher: Pretending) -> dict[str, list[int]]:
    return {row: [seed for each, seed in launcher.ran if each == row] for row in F}


def claims(text: str) -> dict[str, str]:
    return {claim["id"]: claim["holds"] for claim in json.loads(text)["claims"]}


def test_seeds_are_added_where_they_decide_the_cheapest_decision_first(launcher: Pretending, capsys: pytest.CaptureFixture[str]) -> None:
    run("--until-decided", "--most-seeds", "8")
    seeds, captured = seeds_of(launcher), capsys.readouterr()
    assert all(each == list(range(len(each))) for each in seeds.values())
    found = claims(captured.out)
    assert (found["dilation-2-keeps-f-above-1"], found["larger-start-greater-f"], found["late-f-falls"]) == ("yes", "yes", "undecided")
    assert 3 <= len(seeds["modified-2"]) < 8
    assert len(seeds["modified-8"]) == len(seeds["modified-12"]) < 8
    assert len(seeds["modified-2-late"]) == 8
    # After one seed of each row, the claims cost 2, 4 and 18 seconds. What seems hopeless comes last.
    order = list(dict.fromkeys(row for row, seed in launcher.ran if seed == 1))
    assert order == ["modified-2-late", "modified-8", "modified-12", "modified-2"]
    assert launcher.ran[-1] == ("modified-2-late", 7)
    assert "Decided by seeds: 2. Open: 1 (--most-seeds 8).\n  adaptive_rf.table1, late-f-falls: " in captured.err

    launcher.ran.clear()
    run("--until-decided", "--most-seeds", "8")
    assert not launcher.ran


def test_all_seeds_in_the_store_are_shown_unless_some_are_asked_for(launcher: Pretending, capsys: pytest.CaptureFixture[str]) -> None:
    run("--seeds", "4", rows="modified-8")
    run("--seeds", "2", rows="modified-2")
    capsys.readouterr()

    def shown(*words: str) -> dict[str, list[int]]:
        main(["show", "table1", "--profile", "demo", "--rows", "modified-2,modified-8", "--format", "json", *words])
        return {cell["row_key"]: cell["seeds"] for cell in json.loads(capsys.readouterr().out)["cells"] if cell["column"] == "f"}

    assert shown() == {"modified-2": [0, 1], "modified-8": [0, 1, 2, 3]}
    assert shown("--seeds", "1") == {"modified-2": [0], "modified-8": [0]}
    assert shown("--seeds", "3") == {"modified-2": [0, 1], "modified-8": [0, 1, 2]}
    for seeds, expected in ((None, 4), (3, 3)):
        frame = results("table1", "demo", seeds=seeds, runs_dir="runs").set_index(["row_key", "column"])
        assert len(frame.loc[("modified-8", "f"), "seeds"]) == expected


def test_a_failed_further_seed_is_shown(launcher: Pretending, capsys: pytest.CaptureFixture[str]) -> None:
    """Seeds that failed are no accident: a mean that left them out would be too good."""
    launcher.fails.add(("modified-2", 2))
    assert run("--until-decided", rows="modified-2") == 1
    assert len(launcher.ran) == 3
    out, err = capsys.readouterr()
    cell = next(cell for cell in json.loads(out)["cells"] if cell["column"] == "f")
    assert (cell["verdict"], cell["seeds"]) == ("failed", [0, 1])
    assert claims(out).get("dilation-2-keeps-f-above-1") is None  # not tested
    assert "Decided by seeds: 0. Open: 0." in err


def test_the_time_limit_is_one_for_all_rounds(launcher: Pretending, capsys: pytest.CaptureFixture[str]) -> None:
    run("--seeds", "3", rows="modified-2-late")
    launcher.ran.clear()
    run("--until-decided", "--max-hours", "1e-9", rows="modified-2-late")
    err = capsys.readouterr().err
    assert not launcher.ran
    assert "Open: 1 (the time is over).\n" in err
    assert "Stopped before the limit of 1e-09 hours; the same command resumes.\n" in err


def test_a_plan_has_a_line_for_every_open_claim(launcher: Pretending, capsys: pytest.CaptureFixture[str]) -> None:
    run("--seeds", "3", rows="modified-2-late,modified-2")
    capsys.readouterr()
    assert main(["plan", "table1", "--profile", "demo", "--rows", "modified-2-late,modified-2"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(
        r"Open: adaptive_rf\.table1, late-f-falls: (more than 200|\d+) seeds of modified-2-late should decide it(, in .*)?\.", last
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--most-seeds", "5"], "Expected --until-decided with --most-seeds, but got --most-seeds alone; add it, or use --seeds."),
        (["--until-decided", "--most-seeds", "2"], "Expected --most-seeds to be from 3, the fewest that decide, to 1000, but got 2."),
        (["--until-decided", "--stop-after", "2"], "Expected --until-decided without --stop-after, but got both: "),
    ],
)
def test_options_that_decide_nothing_are_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == 2
    assert said in capsys.readouterr().err
