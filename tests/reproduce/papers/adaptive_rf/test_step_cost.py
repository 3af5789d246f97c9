"""The cost of a step: each is taken at its f, and time and memory are each step's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.layers.windows import inflated_size
from reproduce.jobs.job import Job, from_plain, to_plain
from reproduce.jobs.provenance import expected_device
from reproduce.jobs.store import Store
from reproduce.papers.adaptive_rf import step_cost
from reproduce.papers.adaptive_rf.specs import StepCost
from reproduce.schedule.forecast import shape
from reproduce.schedule.local import LocalLauncher
from reproduce.schedule.probe import probe
from reproduce.specs import Network, Segmentation
from reproduce.worker.machine import peak_memory, reset_peak_memory
from reproduce.worker.process import work

SWEEP = StepCost((0.5, 1.0, 2.0), rounds=2)
CELLS = 10  # of the tiny network's pool5: 40 pixels at a stride of 4


@pytest.fixture
def measured(tiny: Callable[..., Job]) -> Job:
    return tiny(task=SWEEP, steps=SWEEP.steps, learning_rate=0.0, milestones=())


@pytest.fixture
def widths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What fc6 sees along an axis, step by step."""
    seen: list[int] = []
    build = step_cost.building.build_network

    def watched(spec: Network) -> nn.Module:
        def note(_: nn.Module, inputs: tuple[Tensor]) -> None:
            seen.append(inputs[0].shape[-1])

        network = build(spec)
        network.get_submodule("head.fc6").register_forward_pre_hook(note)
        return network

    monkeypatch.setattr(step_cost.building, "build_network", watched)
    return seen


def result_of(job: Job, store: Store) -> dict[str, Any]:
    run = store.prepare(job)
    assert work(run.folder) == 0, run.error
    assert run.result is not None
    return run.result


def test_every_step_is_taken_at_its_f_and_measured(store: Store, measured: Job, widths: list[int]) -> None:
    result = result_of(measured, store)
    assert widths == [inflated_size(CELLS, factor) for factor in (0.5, *SWEEP.factors * 3)]
    metrics = result["metrics"]
    assert [len(rounds) for rounds in metrics["seconds"]] == [SWEEP.rounds] * len(SWEEP.factors)
    assert all(taken > 0 for rounds in metrics["seconds"] for taken in rounds)
    # How much that is says nothing here: whatever ran in this process before has left more than such steps take.
    assert [peak > 0 for peak in (metrics["memory_before_mib"], *metrics["memory_mib"])] == [True] * (1 + len(SWEEP.factors))
    assert metrics["threads"] == 1
    assert result["data"]["status"] == "synthetic"
    assert result["timing"]["steps"] == SWEEP.steps - 1  # the first step is not among them


def test_a_rate_of_zero_leaves_the_network_as_it_was(store: Store, measured: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[nn.Module] = []
    build = step_cost.building.build_network
    monkeypatch.setattr(step_cost.building, "build_network", lambda spec: built.append(build(spec)) or built[-1])  # type: ignore[func-returns-value]
    result_of(measured, store)
    torch.manual_seed(measured.seed)
    fresh = dict(build(measured.network).named_parameters())
    for name, parameter in built[0].named_parameters():
        assert parameter.grad is not None
        assert name == "factor.value" or torch.equal(parameter, fresh[name])


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux lets a process forget its peak")
def test_a_peak_is_forgotten() -> None:
    before = torch.zeros(64 * 2**20 // 4)
    high = peak_memory("cpu")["host_mib"]
    del before
    assert reset_peak_memory("cpu").endswith("reset before the step")
    low = peak_memory("cpu")["host_mib"]
    assert low < high - 60
    again = torch.zeros(64 * 2**20 // 4)
    assert peak_memory("cpu")["host_mib"] > low + 60
    del again


def test_where_no_peak_can_be_reset_the_result_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    assert reset_peak_memory("cpu").endswith("the most so far")


def test_a_sweep_outside_the_range_of_f_is_refused(store: Store, measured: Job) -> None:
    run = store.prepare(replace(measured, task=StepCost((1.0, 5.0), 2)))
    assert work(run.folder) == 1
    assert run.error == "Expected `factors` to be within 0.25 and 4, but got (1.0, 5.0)."


def test_what_cannot_be_measured_is_refused(store: Store, measured: Job, tiny: Callable[..., Job]) -> None:
    for lacking in ("recipe", "data"):
        without = store.prepare(replace(measured, **{lacking: None}))
        assert work(without.folder) == 1
        assert without.error == f"Expected `{lacking}` in the job tiny, but got none."
    plain = store.prepare(replace(measured, network=tiny(inflated=False).network))
    assert work(plain.folder) == 1
    assert "Expected the network of tiny to have an inflation factor" in plain.error


@pytest.mark.parametrize("factors", [(), (2.0, 1.0), (1.0, 1.0), (0.0, 1.0)])
def test_factors_ascend(factors: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="Expected `factors` to be positive and ascending"):
        StepCost(factors, 2)


def test_there_is_no_sweep_without_factors() -> None:
    with pytest.raises(TypeError, match="factors"):
        StepCost(rounds=2)  # type: ignore[call-arg]


def test_quartiles_need_two_rounds() -> None:
    with pytest.raises(ValueError, match="Expected `rounds` to be at least 2"):
        StepCost((1.0,), 1)


def test_the_sweep_is_identity_and_survives_the_file(measured: Job) -> None:
    assert from_plain(to_plain(measured)) == measured
    assert replace(measured, task=replace(SWEEP, rounds=3)).digest != measured.digest
    others = [replace(measured, task=task) for task in (replace(SWEEP, factors=(1.0,)), Segmentation())]
    assert len({shape(job) for job in (measured, *others)}) == 3
    assert measured.exclusive
    assert not replace(measured, task=Segmentation()).exclusive


@pytest.mark.slow
def test_a_probe_says_what_it_costs(measured: Job) -> None:
    costs = probe([measured], LocalLauncher(1), expected_device("cpu", 1))
    assert costs[shape(measured)].step > 0
