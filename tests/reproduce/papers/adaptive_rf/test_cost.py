"""The cost table: its cells against the layer, its statistics on numbers that are known, its jobs as table 1's steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_modules.layers.inflation import inflate
from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.papers.adaptive_rf.cost import CELLS, CLAIMS, FACTORS, cells_ratio, cost_jobs, fit, samples
from reproduce.papers.adaptive_rf.helen import SCALES, training_jobs
from reproduce.papers.adaptive_rf.specs import StepCost
from reproduce.plugins import table
from reproduce.table import PROFILES, Setting
from reproduce.verdicts.claims import check_claims
from reproduce.verdicts.compare import compare
from reproduce.verdicts.measured import measure
from reproduce.verdicts.published import load
from reproduce.worker.building import build_network

TABLE = table("adaptive_rf.cost")
SETTING = Setting("demo", seeds=3)


def finish(store: Store, job: Job) -> None:
    """A measurement of 1 + 2 f^2 seconds and 100 + 50 f^2 MiB, a little slower and a little larger with every seed."""
    more = 1 + job.seed / 100
    metrics: dict[str, Any] = {
        "seconds": [[more * (1 + 2 * f**2) + late for late in (0.0, 0.1, 0.2, -0.1, -0.2)] for f in FACTORS],
        "memory_mib": [more * (100 + 50 * f**2) for f in FACTORS],
        "memory_before_mib": 40.0,
    }
    data = {"status": "synthetic", "set": "Helen", "detail": "some"}
    store.prepare(job).finish({"metrics": metrics, "data": data, "provenance": {"device": "a processor"}})


@pytest.fixture
def compared(tmp_path: Path) -> Any:
    store = Store(tmp_path)
    for job in cost_jobs(SETTING)[0]:
        finish(store, job)
    cells = TABLE.cells(SETTING)
    return compare(load(TABLE.id), measure([*cells, *TABLE.beside(cells)], store, "demo", "run"))


def test_the_table_is_our_own() -> None:
    published = load("adaptive_rf.cost")
    assert published.own
    assert not load("table1").own
    assert not any(cell.printed for cell in published.cells)


@pytest.mark.parametrize("factor", FACTORS)
def test_fc6_sees_what_the_inflation_layer_gives(factor: float) -> None:
    inflated = inflate(torch.zeros(1, 1, CELLS, CELLS), torch.tensor(factor))
    assert cells_ratio(factor) == pytest.approx(inflated.numel() / CELLS**2)
    assert cells_ratio(factor) == pytest.approx(factor**2, rel=0.03)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_step_is_table_1s(profile: str) -> None:
    setting = Setting(profile)  # type: ignore[arg-type]
    (job,), missing = cost_jobs(setting)
    (training,), also = training_jobs(setting, 8, inflated=True)
    assert missing == also
    assert (job.network, job.data, job.precision) == (training.network, training.data, training.precision)
    assert job.recipe is not None
    assert isinstance(job.task, StepCost)
    assert job.task.factors == FACTORS
    assert training.recipe is not None
    optimizer = replace(job.recipe.optimizer, learning_rate=training.recipe.optimizer.learning_rate)
    same = replace(job.recipe, steps=training.recipe.steps, optimizer=optimizer, schedule=training.recipe.schedule)
    assert same == training.recipe
    assert (job.recipe.steps, job.recipe.optimizer.learning_rate) == (job.task.steps, 0.0)
    with torch.device("meta"):
        network = build_network(job.network)
        size = SCALES[setting.profile].data.size
        assert network.features(torch.zeros(1, 3, size, size)).shape[-2:] == (CELLS, CELLS)


def test_a_line_in_f_squared_is_found() -> None:
    found = fit([3 + 0.5 * f**2 for f in FACTORS])
    assert found == pytest.approx({"constant": 3.0, "slope": 0.5, "r2": 1.0})
    assert fit([2.0**f for f in FACTORS])["r2"] < 0.999


def test_cells_are_medians_ratios_and_the_fit(compared: Any) -> None:
    value = {(cell.row_key, cell.column): cell.mean for cell in compared}
    assert value["f-2", "seconds"] == pytest.approx(1.01 * 9)
    assert value["f-2", "seconds_lower_quartile"] == pytest.approx(1.01 * 9 - 0.1)
    assert value["f-2", "seconds_upper_quartile"] == pytest.approx(1.01 * 9 + 0.1)
    assert (value["f-1", "time_ratio"], value["f-1", "memory_ratio"], value["f-1", "cells_ratio"]) == (1, 1, 1)
    assert value["f-4", "time_ratio"] == pytest.approx(11)
    assert value["f-4", "memory_ratio"] == pytest.approx(6)
    assert value["before", "memory"] == 40
    assert value["fit", "time_constant"] == pytest.approx(1.01)
    assert value["fit", "memory_slope"] == pytest.approx(50.5)
    assert value["fit", "time_r2"] == pytest.approx(1)
    assert {cell.verdict for cell in compared} == {"unpublished"}


def test_the_claims_are_tested_on_ours_alone(compared: Any) -> None:
    results = check_claims(CLAIMS, load(TABLE.id), compared)
    assert [(result["printed"], result["holds"]) for result in results] == [("not tested", "yes")] * 3


def test_samples_are_the_medians_of_all_repetitions(tmp_path: Path) -> None:
    store, (first, second, _) = Store(tmp_path), cost_jobs(SETTING)[0]
    assert samples(SETTING, store) == ({}, {})
    finish(store, first)
    finish(store, second)
    seconds, memory = samples(SETTING, store)
    assert tuple(seconds) == tuple(memory) == FACTORS
    assert [len(values) for values in seconds.values()] == [2] * len(FACTORS)
    assert memory[2.0] == pytest.approx([300 * 2**20, 303 * 2**20])


@pytest.mark.parametrize("profile", PROFILES)
def test_deviations_say_what_was_measured(profile: str) -> None:
    texts = {deviation.id: deviation.text for deviation in TABLE.deviations(Setting(profile))}  # type: ignore[arg-type]
    assert f"of {SCALES[profile].data.size} pixels" in texts["step"]  # type: ignore[index]
