"""The comparison of two gradients of f: its jobs, its statistics, its claims."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

import pytest

from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.papers.adaptive_rf.gradient import CLAIMS, DILATIONS, TABLE, cells
from reproduce.papers.adaptive_rf.helen import training_jobs
from reproduce.table import Setting
from reproduce.verdicts.claims import check_claims
from reproduce.verdicts.compare import ComparedCell, compare
from reproduce.verdicts.measured import measure
from reproduce.verdicts.published import load

DEMO = Setting("demo")


def test_three_seeds_at_least_and_a_users_own_number_above_that() -> None:
    assert {len(cell.jobs) for cell in cells(DEMO)} == {3}
    assert {len(cell.jobs) for cell in cells(Setting("demo", seeds=5))} == {5}


def test_equation_11s_rows_are_table_1s_own_jobs_and_a_pair_differs_by_the_gradient_alone() -> None:
    jobs = {cell.row_key: cell.jobs for cell in cells(DEMO)}
    for dilation in DILATIONS:
        assert jobs[f"equation-11-{dilation}"] == training_jobs(Setting("demo", seeds=3), dilation, inflated=True)[0]
        for one, other in zip(jobs[f"equation-11-{dilation}"], jobs[f"true-{dilation}"], strict=True):
            assert other.network.gradient == "true"  # type: ignore[union-attr]
            assert other.digest != one.digest
            assert (one.recipe, one.data, one.seed) == (other.recipe, other.data, other.seed)


def finished(store: Store, job: Job, factor: float, shares: list[float]) -> None:
    data = {"status": "synthetic", "set": "Helen", "detail": "some"}
    run = store.prepare(job)
    lines = [
        {"step": step, "trajectory/gradient_inflation": share, "trajectory/gradient_interpolation": -share}
        for step, share in enumerate(shares)
    ]
    (run.folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in [*lines, {"step": 9, "test/mean_iou": 0.5}]))
    run.finish({"metrics": {"f": factor, "f_score": 0.5}, "data": data, "provenance": {"device": "a processor"}})


@pytest.fixture
def compared(tmp_path: Path) -> list[ComparedCell]:
    """All runs done: f ends at the initial dilation over 4 and a little more a seed."""
    store = Store(tmp_path)
    for cell in cells(DEMO):
        if cell.column == "f":
            for job in cell.jobs:
                finished(store, job, job.network.dilation / 4 + job.seed / 1000, [1.0 + job.seed, 3.0 + job.seed])  # type: ignore[union-attr]
    return compare(load(TABLE.id), measure(cells(DEMO), store, "demo", "run"))


def test_shares_are_averaged_over_a_training_and_then_over_seeds(compared: list[ComparedCell]) -> None:
    values = {cell.key: cell for cell in compared}
    assert values["true-8", "inflation"].values == [2.0, 3.0, 4.0]
    assert values["true-8", "inflation"].std == 1.0
    assert values["true-8", "interpolation"].mean == -3.0
    assert values["true-8", "inflation_spread"].mean == pytest.approx(statistics.stdev([1.0, 3.0]))


def test_a_share_that_overflowed_is_left_out(tmp_path: Path) -> None:
    """Half precision scales the first losses beyond its range; those steps are not taken."""
    store = Store(tmp_path)
    (cell,) = (cell for cell in cells(DEMO) if (cell.row_key, cell.column) == ("true-2", "inflation"))
    finished(store, cell.jobs[0], 1.0, [math.inf, 2.0, 4.0])
    assert measure([cell], store, "demo", "run")[0].value == 3.0


def test_claims_are_decided_on_ours_alone(compared: list[ComparedCell]) -> None:
    results = {result["id"]: result for result in check_claims(CLAIMS, load(TABLE.id), compared)}
    assert {result["printed"] for result in results.values()} == {"not tested"}
    assert results["larger-start-greater-f"]["holds"] == "yes"
    assert results["dilation-2-keeps-f-above-1"]["holds"] == "no"


def test_the_deviation_names_the_profiles_stride() -> None:
    texts = {profile: {item.id: item.text for item in TABLE.deviations(Setting(profile))} for profile in ("paper", "small", "demo")}  # type: ignore[arg-type]
    for profile, stride in (("paper", 8), ("small", 4), ("demo", 2)):
        assert f"({stride} / f)^2" in texts[profile]["true-gradient"]
