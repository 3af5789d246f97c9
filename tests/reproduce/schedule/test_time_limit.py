"""A time limit: what fits is begun, what does not is left, what runs is ended resumably."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reproduce.jobs.job import Job
from reproduce.jobs.result import EMPTY
from reproduce.jobs.store import Run, Store
from reproduce.schedule.engine import run
from reproduce.schedule.local import LocalLauncher
from reproduce.schedule.time_limit import TimeLimit


class Endless:
    """Jobs that never end by themselves; ended, they leave a checkpoint's traces."""

    def __init__(self, slots: int = 2, outcome: Callable[[Run], None] | None = None) -> None:
        self.slots, self.outcome = slots, outcome
        self.running: list[Run] = []
        self.submitted: list[str] = []

    def submit(self, folder: Path) -> None:
        self.submitted.append(folder.name)
        self.running.append(Run(folder))

    def active(self) -> set[str]:
        if self.outcome:
            for ended in self.running:
                self.outcome(ended)
            self.running = []
        return {running.name for running in self.running}

    def stop(self) -> None:
        for stopped in self.running:
            (stopped.folder / "lock").touch()
            (stopped.folder / "progress.json").write_text('{"stage": "train", "step": 2, "steps": 55000}')
        self.running = []


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reproduce.schedule.engine.POLL_SECONDS", 0.001)


def test_running_jobs_are_ended_before_the_limit_and_nothing_else_begins(store: Store, tiny: Callable[..., Job]) -> None:
    jobs = [tiny(seed=seed) for seed in range(3)]
    child = tiny(seed=9, start=jobs[0])
    launcher, begun = Endless(slots=2), time.monotonic()
    statuses = run([*jobs, child], store, launcher, limit=TimeLimit(0.5))
    assert time.monotonic() - begun < 0.5
    assert launcher.submitted == [jobs[0].name, jobs[1].name]
    assert [(status.phase, status.reason) for status in statuses[:2]] == [("stopped", "2 of 55,000 steps")] * 2
    assert {status.phase for status in statuses[2:]} <= {"stopped", "blocked"}
    assert store.run(jobs[2]).state == "todo"
    # The same command goes on.
    again = run(jobs, store, Endless(outcome=lambda run: run.finish(EMPTY)))
    assert [status.phase for status in again] == ["done"] * 3


def test_a_job_that_would_go_beyond_the_limit_is_not_begun(store: Store, tiny: Callable[..., Job]) -> None:
    short, long, endless, unknown = (tiny(seed=seed) for seed in range(4))
    seconds: dict[str, float | None] = {short.name: 1.0, long.name: 95.0, endless.name: 101.0, unknown.name: None}
    limit = TimeLimit(100.0, lambda job: seconds[job.name])
    launcher = Endless(outcome=lambda run: run.finish(EMPTY))
    statuses = {status.job.name: status for status in run([short, long, endless, unknown], store, launcher, limit=limit)}
    # What no whole limit could hold is worked on, or it would never be done.
    assert launcher.submitted == [short.name, endless.name, unknown.name]
    assert (statuses[long.name].phase, statuses[long.name].reason) == ("stopped", "it would exceed the time limit")
    assert limit.used


def test_a_limit_that_is_not_reached_changes_nothing(store: Store, tiny: Callable[..., Job]) -> None:
    limit = TimeLimit(100.0)
    (status,) = run([tiny()], store, Endless(outcome=lambda run: run.finish(EMPTY)), limit=limit)
    assert (status.phase, limit.used) == ("done", False)


def test_a_job_of_another_command_is_not_waited_for_beyond_the_limit(store: Store, tiny: Callable[..., Job]) -> None:
    job = tiny()
    with store.prepare(job).lock():
        (status,) = run([job], store, Endless(), limit=TimeLimit(0.2))
    assert status.phase == "stopped"


@pytest.mark.slow
def test_a_real_job_is_ended_with_a_checkpoint_and_goes_on(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    job = tiny(steps=100_000, milestones=(), checkpoint_every=100_000, log_every=100)
    store, launcher = Store(tmp_path), LocalLauncher(1)
    # The fork server imports torch first; that is not what is limited here.
    run([tiny(seed=5)], store, launcher)
    begun = time.monotonic()
    (status,) = run([job], store, launcher, limit=TimeLimit(20.0))
    assert time.monotonic() - begun < 20.0
    assert status.phase == "stopped"
    (checkpoint,) = (store.run(job).folder / "checkpoints").glob("step-*.ckpt")
    reached = int(checkpoint.stem.split("-")[1])
    assert status.reason == f"{reached:,} of 100,000 steps"
    assert reached > 0


@pytest.mark.slow
def test_a_command_ends_within_its_hours_and_shows_the_table(tmp_path: Path) -> None:
    words = ("table1", "--profile", "demo", "--rows", "baseline-2", "--max-hours", "0.005")
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "reproduce", *words],
        capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    # The limit is of the jobs: 18 s, after Python has started and before the table is shown.
    assert time.monotonic() - begun < 25
    assert done.returncode == 1
    assert done.stderr.endswith("Stopped before the limit of 0.005 hours; the same command resumes.\n")
    assert "not run" in done.stdout
    assert [run.state for run in Store(tmp_path / "runs").runs() if "sizes" not in run.name] == ["interrupted"]
