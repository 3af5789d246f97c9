"""Forecasts: what counts as the same cost, how it is scaled, how jobs share the time, and that it comes true."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reproduce.commands.units import duration, size
from reproduce.jobs.job import Job
from reproduce.jobs.provenance import expected_device
from reproduce.jobs.result import EMPTY
from reproduce.jobs.store import Store
from reproduce.papers.adaptive_rf.specs import StepCost
from reproduce.schedule.engine import run as run_jobs
from reproduce.schedule.forecast import UNKNOWN, Forecast, History, data_once, forecast, shape, wall
from reproduce.schedule.local import LocalLauncher
from reproduce.schedule.probe import probe

DEVICE = "a processor, 1 thread of 2"


def finished(store: Store, job: Job, step: float = 2.0, device: str = DEVICE, **timing: float) -> None:
    """A finished run that took 5 s to start, 3 s for its data, 4 s to evaluate, and so much a step."""
    assert job.recipe is not None
    parts = {"data_seconds": 3.0, "step_seconds": step, "steps": job.recipe.steps, "test_seconds": 4.0, "test_share": 1.0}
    parts |= {"checkpoint_bytes": 700} | timing
    spent = 5.0 + parts["data_seconds"] + parts["step_seconds"] * parts["steps"] + parts["test_seconds"]
    provenance = {"device": device, "seconds": spent, "peak_memory": {"host_mib": 100.0}}
    store.prepare(job).finish({"metrics": {}, "timing": parts, "provenance": provenance})


def test_seeds_and_dilations_cost_the_same_and_a_learned_f_does_not(tiny: Callable[..., Job]) -> None:
    job = tiny()
    for same in (tiny(seed=3), tiny(dilation=7), tiny(steps=99), tiny(factor_start=5), tiny(start=tiny(seed=1)), tiny(revision=4)):
        assert shape(same) == shape(job)
    for other in (tiny(inflated=False), tiny(width=0.5), tiny(batch_size=3), tiny(precision="bf16-mixed"), tiny(data=None)):
        assert shape(other) != shape(job)


def test_a_stored_run_is_scaled_by_steps(store: Store, tiny: Callable[..., Job]) -> None:
    finished(store, tiny(dilation=3))
    found = History(store, DEVICE).forecast(tiny(steps=100))
    assert found.says == "stored, 1 run"
    assert found.seconds == pytest.approx(5 + 100 * 2 + 4)  # its data is prepared already
    assert found.host == 100 * 2**20
    assert found.scratch == 3 * 700
    paused = History(store, DEVICE).forecast(tiny(steps=100, stop_after=7))
    assert paused.seconds == pytest.approx(5 + 7 * 2)


def test_runs_of_other_seeds_go_before_runs_of_the_shape(store: Store, tiny: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reproduce.schedule.forecast.LOOK_SECONDS", 0.0)
    history = History(store, DEVICE)
    finished(store, tiny(dilation=3), step=9.0)
    assert history.forecast(tiny()).seconds == pytest.approx(5 + 12 * 9 + 4)
    for seed, step in ((1, 1.0), (2, 2.0), (3, 4.0)):  # found later, too: their median
        finished(store, tiny(seed=seed), step=step)
    found = history.forecast(tiny())
    assert (found.runs, found.seconds) == (3, pytest.approx(5 + 12 * 2 + 4))


def test_what_is_done_of_an_interrupted_job_is_not_done_again(store: Store, tiny: Callable[..., Job]) -> None:
    finished(store, tiny(seed=1))
    run = store.prepare(tiny())
    with run.lock():
        (run.folder / "progress.json").write_text('{"stage": "train", "step": 8, "steps": 12}')
    assert History(store, DEVICE).forecast(tiny()).seconds == pytest.approx(5 + 4 * 2 + 4)


def test_other_devices_and_results_without_times_tell_nothing(store: Store, tiny: Callable[..., Job]) -> None:
    finished(store, tiny(seed=1), device="NVIDIA H200")
    store.prepare(tiny(seed=2)).finish({"metrics": {}, "provenance": {"device": DEVICE, "seconds": 9.0}})
    store.prepare(tiny(seed=3)).finish(EMPTY)
    broken = store.prepare(tiny(seed=4))
    broken.finish(EMPTY)
    (broken.folder / "job.json").write_text("{")
    assert History(store, DEVICE).forecast(tiny()) is UNKNOWN


def test_a_part_of_an_evaluation_is_scaled_to_the_whole(store: Store, tiny: Callable[..., Job]) -> None:
    finished(store, tiny(seed=1), test_share=0.1)
    assert History(store, DEVICE).forecast(tiny()).seconds == pytest.approx(5 + 12 * 2 + 40)


def test_jobs_share_slots_and_wait_for_what_they_need(tiny: Callable[..., Job]) -> None:
    jobs = [tiny(seed=seed) for seed in range(4)]
    assert wall(jobs, lambda _: 10.0, 1) == 40
    assert wall(jobs, lambda _: 10.0, 2) == 20
    assert wall(jobs, lambda _: 10.0, 9) == 10
    assert wall([tiny(seed=9, start=jobs[0])], lambda _: 10.0, 9) == 20
    assert wall([], lambda _: 10.0, 2) == 0
    alone = StepCost((0.5, 1.0), 2)
    assert wall([*jobs, tiny(seed=8, task=alone), tiny(seed=9, task=alone)], lambda _: 10.0, 9) == 30  # those alone, one by one
    assert wall([tiny(seed=7, start=tiny(seed=6, task=alone)), *jobs], lambda _: 10.0, 9) == 20


def test_data_is_paid_for_once(tiny: Callable[..., Job]) -> None:
    jobs = [tiny(seed=0), tiny(seed=1), tiny(seed=2, data=None)]
    forecasts = {job.name: Forecast("probe", 1.0, data=seconds) for job, seconds in zip(jobs, (30.0, 0.5, 7.0), strict=True)}
    assert data_once(jobs, forecasts) == 30.0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((0.04, "0.0 s"), (9.97, "10 s"), (59.6, "1 min 00 s"), (250, "4 min 10 s")),
        *((3599.7, "1 h 00 min"), (11_100, "3 h 05 min"), (190_000, "2 d 5 h")),
    ],
)
def test_times_are_said_in_two_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_sizes_are_said_in_their_unit() -> None:
    assert [size(count) for count in (0, 999, 1024, 1.5 * 2**20, 80 * 2**30)] == ["0 B", "999 B", "1 KiB", "1.5 MiB", "80 GiB"]


def files(folder: Path) -> dict[str, Any]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def close(expected: Forecast, actual: float) -> bool:
    assert expected.seconds is not None
    return actual / 2 < expected.seconds + expected.data < actual * 2


@pytest.mark.slow
def test_forecasts_come_true(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    """From a probe, then from the run that was forecast: time within a factor of two, memory and disk closer."""
    launcher, device = LocalLauncher(1), expected_device("cpu", 1)
    # Whatever else this machine does in between is no fault of the forecast: once in three must do.
    for attempt in range(3):
        job = tiny(steps=120, milestones=(), width=1 / 16, log_every=5, checkpoint_every=50, seed=attempt)
        job = replace(job, data=replace(job.data, size=96))
        store = Store(tmp_path / f"runs-{attempt}")
        before = files(tmp_path)
        costs = probe([job], launcher, device)
        assert files(tmp_path) == before  # nothing is left in the runs folder, nor is there one
        probed = forecast(job, store.run(job), costs[shape(job)], "probe")
        (first,) = run_jobs([job], store, launcher)
        again = replace(job, seed=9)
        stored = History(store, device).forecast(again)
        (second,) = run_jobs([again], store, launcher)
        print(f"probe {probed.seconds}, took {first.seconds}; stored {stored.seconds}, took {second.seconds}")
        result = store.run(job).result
        assert (probed.source, stored.source) == ("probe", "stored")
        assert result is not None
        assert probed.host == pytest.approx(result["provenance"]["peak_memory"]["host_mib"] * 2**20, rel=0.3)
        assert probed.scratch == pytest.approx(stored.scratch, rel=0.1)
        assert probed.kept == pytest.approx(store.run(job).disk_use, rel=0.1)
        assert stored.kept == pytest.approx(store.run(again).disk_use, rel=0.1)
        if close(probed, first.seconds) and close(stored, second.seconds):
            return
    pytest.fail("three times off by more than a factor of two")


@pytest.mark.slow
def test_a_probe_that_fails_says_so_and_costs_only_its_own_forecast(tiny: Callable[..., Job], capfd: pytest.CaptureFixture[str]) -> None:
    good, bad = tiny(), tiny(learning_rate=1e6, width=1 / 16, slug="bad")
    assert set(probe([good, bad], LocalLauncher(1), expected_device("cpu", 1))) == {shape(good)}
    said = capfd.readouterr().err
    assert re.search(r"The probe of bad failed: Expected (a finite training loss|`factor` to be finite)", said)


def test_a_result_is_json(store: Store, tiny: Callable[..., Job]) -> None:
    finished(store, tiny())
    assert json.loads((store.run(tiny()).folder / "result.json").read_text())["timing"]["steps"] == 12
