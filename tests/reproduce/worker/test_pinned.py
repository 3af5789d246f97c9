"""Three pinned losses per method: they say when a change of code changes its numbers.

Where one moves on purpose, change it here and raise the method's `REVISION`, so that old runs are not taken for new ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.papers.adaptive_rf.helen import multi_path
from reproduce.papers.adaptive_rf.table3 import LABEL_SETS
from reproduce.worker.process import work

LOSSES = {"baseline": [2.3935988, 2.2670357, 2.0029247], "modified": [2.3935988, 2.2684221, 2.0974069]}
FACTORS = {"baseline": [], "modified": [1.0, 1.0044248, 0.9296808]}
MULTI_PATH_LOSSES = [2.4204049, 2.1101682, 1.6245269]
MULTI_PATH_FACTORS = [(1.0, 1.0), (1.0010144, 1.0006397), (1.0003297, 0.9849814)]


@pytest.mark.parametrize("method", LOSSES)
def test_the_first_three_losses(method: str, tmp_path: Path, tiny: Callable[..., Job]) -> None:
    inflated = method == "modified"
    run = Store(tmp_path).prepare(tiny(inflated=inflated, steps=3, milestones=(), batch_norm=False, factor_multiplier=200.0))
    assert work(run.folder) == 0
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()[:3]]
    # Processors differ in rounding, and rounding grows over steps; a change of method moves far more.
    assert [line["train/loss_per_pixel"] for line in lines] == pytest.approx(LOSSES[method], rel=1e-4)
    assert [line["trajectory/f"] for line in lines if inflated] == pytest.approx(FACTORS[method], rel=1e-4)


def test_the_first_three_losses_of_two_guided_paths(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    network = multi_path(tiny(batch_norm=False).network, (2, 2), norm=True, label_sets=LABEL_SETS["bipath"])
    run = Store(tmp_path).prepare(tiny(network=network, steps=3, milestones=(), factor_multiplier=50.0))
    assert work(run.folder) == 0
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()[:3]]
    assert [line["train/loss_per_pixel"] for line in lines] == pytest.approx(MULTI_PATH_LOSSES, rel=1e-4)
    factors = [(line["trajectory/f_1"], line["trajectory/f_2"]) for line in lines]
    assert factors == [pytest.approx(pair, rel=1e-4) for pair in MULTI_PATH_FACTORS]
    assert run.result is not None
    assert [len(run.result["metrics"][name]) for name in ("f", "receptive_field")] == [2, 2]
