"""The speed of a network beside another's: in turn, on the same batch, with the weights that it starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.layers.njet import NJetConv2d
from reproduce.jobs.job import Job, from_plain, to_plain
from reproduce.jobs.provenance import expected_device
from reproduce.jobs.store import Run, Store
from reproduce.papers.njet.specs import Jet, NiN, ToyCNN
from reproduce.schedule.forecast import shape
from reproduce.schedule.local import LocalLauncher
from reproduce.schedule.probe import probe
from reproduce.specs import SGD, Network, Recipe, Speed
from reproduce.worker import speed
from reproduce.worker.building import build_network
from reproduce.worker.process import work

PLAIN = NiN(10, width=1 / 32)
JET = replace(PLAIN, pooling=False, jet=Jet(order=1, subsampling=4.0))
ROUNDS = 3
STEPS = speed.WARM + ROUNDS


@pytest.fixture
def measured(digits: Callable[..., Job]) -> Job:
    recipe = Recipe(steps=ROUNDS, batch_size=2, optimizer=SGD(0.0))
    return digits(task=Speed(PLAIN, (3, 32, 32)), slug="speed", network=JET, data=None, recipe=recipe)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, tuple[int, ...]]]]:
    """Which network took each step, by its place among those built, and the shape of what it saw."""
    seen: list[tuple[int, tuple[int, ...]]] = []
    built: list[nn.Module] = []

    def watched(spec: Network) -> nn.Module:
        network, place = build_network(spec), len(built)
        built.append(network)
        network.register_forward_pre_hook(lambda _, inputs: seen.append((place, tuple(inputs[0].shape))))
        return network

    monkeypatch.setattr(speed, "build_network", watched)
    yield seen
    for network in built:
        assert network.training
        assert all(parameter.grad is None for parameter in network.parameters())


def result_of(job: Job, store: Store) -> dict[str, Any]:
    run = store.prepare(job)
    assert work(run.folder) == 0, run.error
    assert run.result is not None
    return run.result


def finished(job: Job, store: Store) -> Run:
    """A training that is done, without its weights."""
    run = store.prepare(job)
    run.finish({"metrics": {}, "data": {"status": "synthetic", "set": "MNIST", "detail": "some"}, "provenance": {"device": "a processor"}})
    return run


def test_two_networks_take_turns_and_warm_steps_do_not_count(store: Store, measured: Job, steps: list[Any]) -> None:
    result = result_of(measured, store)
    assert steps == [(place, (2, 3, 32, 32)) for _ in range(STEPS) for place in (0, 1)]
    metrics = result["metrics"]
    assert [len(each) for each in metrics["seconds"]] == [ROUNDS, ROUNDS]
    assert all(taken > 0 for each in metrics["seconds"] for taken in each)
    assert (metrics["threads"], metrics["batch_size"]) == (1, 2)
    assert result["data"] == {"status": "noise", "set": "noise", "detail": "2 pictures of 32 x 32 pixels"}
    assert result["timing"] == {"steps": ROUNDS, "step_seconds": pytest.approx(sum(map(sum, metrics["seconds"])) / ROUNDS)}


def test_what_slows_one_network_is_seen_in_its_own_seconds(store: Store, measured: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that a forward pass of the first network puts forward."""
    clock = [0.0]

    def watched(spec: Network) -> nn.Module:
        network, slow = build_network(spec), 5.0 if spec == JET else 1.0

        def later(*_: object) -> None:
            clock[0] += slow

        network.register_forward_hook(later)
        return network

    monkeypatch.setattr(speed, "build_network", watched)
    monkeypatch.setattr(speed, "_now", lambda accelerator: clock[0])
    assert result_of(measured, store)["metrics"]["seconds"] == [[5.0] * ROUNDS, [1.0] * ROUNDS]


def test_nothing_is_learned(store: Store, measured: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[nn.Module] = []
    before: list[dict[str, Tensor]] = []

    def watched(spec: Network) -> nn.Module:
        network = build_network(spec)
        built.append(network)
        before.append({name: value.detach().clone() for name, value in network.named_parameters()})
        return network

    monkeypatch.setattr(speed, "build_network", watched)
    result_of(measured, store)
    assert len(built) == 2
    for network, values in zip(built, before, strict=True):
        assert all(torch.equal(value, values[name]) for name, value in network.named_parameters())


def test_the_weights_of_another_job_are_timed_at_their_sigmas(
    store: Store, measured: Job, digits: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wider filters and smaller maps than a network has at its start."""
    from safetensors.torch import save_model

    parent = digits(network=JET)
    trained = build_network(JET)
    layers = [layer for layer in trained.modules() if isinstance(layer, NJetConv2d)]
    for layer in layers:
        layer.scale.data.fill_(1.0)  # sigma = 2
    run = finished(parent, store)
    save_model(trained, str(run.weights))
    built: list[nn.Module] = []
    monkeypatch.setattr(speed, "build_network", lambda spec: built.append(build_network(spec)) or built[-1])  # type: ignore[func-returns-value]
    result_of(replace(measured, start=parent), store)
    sizes = [[layer.size for layer in network.modules() if isinstance(layer, NJetConv2d)] for network in built]
    assert sizes == [[9, 9, 9], []]
    assert [layer.size for layer in build_network(JET).modules() if isinstance(layer, NJetConv2d)] == [5, 5, 5]


def test_without_the_parents_weights_the_run_says_so(store: Store, measured: Job, digits: Callable[..., Job]) -> None:
    parent = digits(network=JET)
    run = store.prepare(replace(measured, start=parent))
    assert work(run.folder) == 1
    assert run.error == f"Expected {parent.name}, which speed starts from, to be done, but it is todo; run it first."
    finished(parent, store)
    assert work(run.folder) == 1
    assert "train it again with `runs rerun`" in run.error


def test_what_cannot_be_measured_is_refused(store: Store, measured: Job) -> None:
    run = store.prepare(replace(measured, recipe=None))
    assert work(run.folder) == 1
    assert run.error == "Expected `recipe` in the job speed, but got none."
    with pytest.raises(TypeError, match="against"):
        Speed(shape=(3, 32, 32))  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="Expected a network with `num_classes` in the job speed, but got Network"):
        speed._classes(replace(measured, network=Network()))


def test_noise_has_the_shape_asked_for(store: Store, measured: Job, steps: list[Any]) -> None:
    toy = ToyCNN(10, channels=4)
    result = result_of(replace(measured, network=toy, task=Speed(toy, (1, 14, 28))), store)
    assert {shape for _, shape in steps} == {(2, 1, 14, 28)}
    assert result["data"]["detail"] == "2 pictures of 14 x 28 pixels"


@pytest.mark.parametrize(("precision", "expected"), [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)])
def test_convolutions_are_timed_in_the_precision_asked_for(
    precision: str, expected: torch.dtype, store: Store, measured: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: set[torch.dtype] = set()

    def watched(spec: Network) -> nn.Module:
        network = build_network(spec)
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(lambda _module, _inputs, response: kinds.add(response.dtype))
        return network

    monkeypatch.setattr(speed, "build_network", watched)
    result_of(replace(measured, precision=precision), store)
    assert kinds == {expected}


def test_the_other_network_is_identity_and_nothing_runs_beside_it(measured: Job) -> None:
    assert measured.exclusive
    assert replace(measured, task=replace(measured.task, against=JET)).digest != measured.digest
    assert from_plain(to_plain(measured)) == measured


@pytest.mark.slow
def test_a_probe_says_what_it_costs(measured: Job) -> None:
    costs = probe([measured], LocalLauncher(1), expected_device("cpu", 1))
    assert costs[shape(measured)].step > 0
