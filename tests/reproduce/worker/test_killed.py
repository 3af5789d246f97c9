"""Commands and jobs killed at any moment, and two commands at once, on a table whose trainings take seconds."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from reproduce.jobs.store import Run

pytestmark = pytest.mark.slow

ROWS = "baseline-2,modified-2,modified-2-late"
# Table 1's demo, made small. The guard is for the fork server, which imports the main module of whoever starts it.
COMMAND = """
import sys
from dataclasses import replace
from reproduce.cli import main
from reproduce.papers.adaptive_rf import helen
from reproduce.specs import Helen, MadeFaces, Steps

if __name__ == "__main__":
    demo = helen.SCALES["demo"]
    network = replace(demo.network, width=1 / 32, head_channels=4, dropout=0.5)
    recipe = replace(demo.recipe, steps=240, schedule=Steps((200,)), batch_size=2)
    made = MadeFaces(exemplars=9, tuning=2, testing=3, size=64)
    data = Helen(62, made=made)
    helen.SCALES["demo"] = replace(demo, network=network, recipe=recipe, data=data, checkpoint_every=15, log_every=1)
    raise SystemExit(main(sys.argv[1:]))
"""


def command(folder: Path) -> subprocess.Popen[bytes]:
    """Start the command in a session of its own."""
    (folder / "command.py").write_text(COMMAND)
    environment = {name: value for name, value in os.environ.items() if name != "REPRODUCE_DATA"}
    root = str(Path(__file__).parents[3])
    with (folder / "out.json").open("wb") as out, (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "command.py", "table1", "--profile", "demo", "--rows", ROWS, "--format", "json"],
            cwd=folder,
            stdout=out,
            stderr=log,
            env=environment | {"PYTHONPATH": root},
            start_new_session=True,
            # Whoever runs the tests in the background may ignore Ctrl-C, and that would be inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def runs(folder: Path) -> list[Run]:
    return [Run(path) for path in sorted((folder / "runs").glob("adaptive-rf-*"))]


def workers(folder: Path) -> list[int]:
    """Processes that hold a run's lock."""
    return [int((run.folder / "lock").read_text().split()[0]) for run in runs(folder) if run.state == "running"]


def table(folder: Path) -> list[dict[str, Any]]:
    """The rendered table without what names the machine's moment."""
    cells: list[dict[str, Any]] = json.loads((folder / "out.json").read_text())["cells"]
    return cells


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait(process: subprocess.Popen[bytes], folder: Path) -> int:
    try:
        return process.wait(timeout=300)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError((folder / "log.txt").read_text()) from None


def wait_for_step(step: int, folder: Path) -> None:
    """Wait until a running job is beyond a step."""
    deadline = time.monotonic() + 60
    while not any(run.progress.get("step", 0) > step for run in runs(folder) if run.state == "running"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert wait(command(folder), folder) == 0, (folder / "log.txt").read_text()
    return folder


def curves(folder: Path) -> dict[str, str]:
    return {run.name: (run.folder / "metrics.jsonl").read_text() for run in runs(folder) if (run.folder / "metrics.jsonl").exists()}


def kill_at_random(folder: Path, draw: random.Random) -> int:
    """Give the command, and at a random moment kill it, one of its jobs, or both; return how many were killed."""
    process, kills = command(folder), 0
    deadline = time.monotonic() + draw.uniform(0.3, 6.0)
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    target, jobs = draw.choice(["command", "job", "both"]), workers(folder)
    if target != "command" and jobs:
        kill(draw.choice(jobs))
        kills += 1
    if process.poll() is None:  # one that saw its job die is not waited for either
        kill(process.pid)
        kills += 1
    process.wait()
    return kills


def test_twenty_kills_leave_the_undisturbed_table(tmp_path: Path, undisturbed: Path) -> None:
    """The same command is given until its table is done, in a new folder again, until twenty were killed."""
    draw, kills, tables, attempts = random.Random(0), 0, 0, 0
    while kills < 20:
        folder, finished = tmp_path / str(tables), dict[str, int]()
        folder.mkdir()
        while kills < 20 and not (len(runs(folder)) == len(runs(undisturbed)) and all(run.done for run in runs(folder))):
            kills += kill_at_random(folder, draw)
            for run in runs(folder):
                if run.done:  # a finished job is not touched again
                    stamp = (run.folder / "result.json").stat().st_mtime_ns
                    assert finished.setdefault(run.name, stamp) == stamp
        assert wait(command(folder), folder) == 0, (folder / "log.txt").read_text()
        assert table(folder) == table(undisturbed)
        assert curves(folder) == curves(undisturbed)
        attempts += sum(json.loads((run.folder / "attempts.json").read_text())["attempts"] for run in runs(folder))
        tables += 1
    assert attempts > tables * len(runs(undisturbed))  # some were interrupted and went on


def test_an_orphaned_job_is_adopted(tmp_path: Path, undisturbed: Path) -> None:
    process = command(tmp_path)
    wait_for_step(3, tmp_path)
    (orphan, *_) = workers(tmp_path)
    kill(process.pid)
    process.wait()
    os.kill(orphan, 0)  # it lives on
    assert wait(command(tmp_path), tmp_path) == 0
    assert "elsewhere" in (tmp_path / "log.txt").read_text()
    assert [json.loads((run.folder / "attempts.json").read_text())["attempts"] for run in runs(tmp_path)] == [1] * len(runs(tmp_path))
    assert table(tmp_path) == table(undisturbed)


def test_ctrl_c_ends_the_jobs_and_the_command_goes_on(tmp_path: Path, undisturbed: Path) -> None:
    process = command(tmp_path)
    wait_for_step(3, tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    assert process.wait(timeout=60) == 130
    assert workers(tmp_path) == []
    assert "Stopped; what was computed is kept" in (tmp_path / "log.txt").read_text()
    assert wait(command(tmp_path), tmp_path) == 0
    assert table(tmp_path) == table(undisturbed)


def test_two_commands_share_the_work(tmp_path: Path, undisturbed: Path) -> None:
    """On the same runs folder at once, no job is done twice and none is lost, also when one of the two dies."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "runs").symlink_to(tmp_path / "runs")
    (tmp_path / "runs").mkdir()
    first, second = command(tmp_path), command(other)
    assert (wait(first, tmp_path), wait(second, other)) == (0, 0)
    assert table(tmp_path) == table(other) == table(undisturbed)
    assert [json.loads((run.folder / "attempts.json").read_text())["attempts"] for run in runs(tmp_path)] == [1] * len(runs(tmp_path))


def test_of_two_commands_one_takes_over_what_the_other_leaves(tmp_path: Path, undisturbed: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "runs").mkdir()
    (other / "runs").symlink_to(tmp_path / "runs")
    first, second = command(tmp_path), command(other)
    wait_for_step(8, tmp_path)
    jobs = workers(tmp_path)
    kill(first.pid)
    for job in jobs:
        kill(job)
    first.wait()
    assert wait(second, other) in (0, 1)
    # Jobs of the second command itself may have been among the killed: those it reports as failed, and the same command goes on.
    assert wait(command(other), other) == 0
    assert table(other) == table(undisturbed)
