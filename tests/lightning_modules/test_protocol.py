"""What the suite takes for an answer where a network does not say, and what it makes of what a network says."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules import protocol
from lightning_modules.layers.inflation import InflationLayer
from lightning_modules.networks.adaptive_vgg import AdaptiveVGG
from lightning_modules.networks.cifar_resnet import CIFARResNet
from lightning_modules.networks.multi_path_vgg import MultiPathVGG
from lightning_modules.networks.nin import NiN
from lightning_modules.networks.toy_cnn import ToyCNN
from lightning_modules.networks.vgg import TORCHVISION
from lightning_modules.quantity import Quantity

SMALL: dict[str, Any] = {"width": 1 / 64, "head_channels": 4}


class Says(nn.Linear):
    """Says of itself whatever can be said."""

    quantities = (Quantity("rate", "rate", unit="px"),)
    uses_labels = True

    def __init__(self) -> None:
        super().__init__(2, 3)
        self.told: list[Any] = []

    def trajectory(self) -> dict[str, float]:
        return {"rate": 2.0, "gradient": 1.0}

    def learned(self) -> dict[str, Any]:
        return {"rate": 2.0, "rates": [2.0]}

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"slopes": [self.weight], "none": []}

    def sizes(self, shape: tuple[int, ...] | None = None) -> dict[str, Any]:
        return {"shape": shape}

    def start_weights(self, state: dict[str, Tensor], layout: str) -> dict[str, Tensor]:
        return {f"{layout}.{name}": value for name, value in state.items()}

    def before_step(self, loss_scale: float) -> None:
        self.told.append(loss_scale)

    def after_step(self) -> None:
        self.told.append("after")


def test_a_network_that_says_nothing_learns_nothing_besides_weights() -> None:
    plain, state = nn.Linear(2, 3), {"weight": torch.zeros(3, 2)}
    assert protocol.trajectory(plain) == protocol.learned(plain) == protocol.sizes(plain, (3, 8, 8)) == {}
    assert protocol.quantities(plain) == ()
    assert protocol.uses_labels(plain) is False
    assert protocol.start_weights(plain, state, "") is state
    protocol.before_step(plain, 1.0)
    protocol.after_step(plain)


def test_what_a_network_says_is_taken() -> None:
    network = Says()
    assert protocol.trajectory(network) == {"rate": 2.0, "gradient": 1.0}
    assert protocol.learned(network) == {"rate": 2.0, "rates": [2.0]}
    assert protocol.sizes(network, (3, 8, 8)) == {"shape": (3, 8, 8)}
    assert protocol.quantities(network) == Says.quantities
    assert protocol.uses_labels(network) is True
    assert protocol.start_weights(network, {"a": torch.zeros(1)}, "caffe").keys() == {"caffe.a"}
    assert protocol.start_weights(network, {"a": torch.zeros(1)}, "").keys() == {"a"}


def test_what_is_logged_is_kept_where_a_network_does_not_say_what_is_learned() -> None:
    class Logs(nn.Module):
        def trajectory(self) -> dict[str, float]:
            return {"rate": 2.0}

    assert protocol.learned(Logs()) == {"rate": 2.0}


def test_modules_at_any_depth_are_told_of_a_step_once() -> None:
    inner = Says()
    network = nn.Sequential(nn.ReLU(), nn.Sequential(inner), inner)
    protocol.before_step(network, 8.0)
    protocol.after_step(network)
    assert inner.told == [8.0, "after"]


def test_a_layout_that_a_network_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected a network that takes weights in the layout of caffe, but got Linear"):
        protocol.start_weights(nn.Linear(2, 3), {}, "caffe")
    with pytest.raises(ValueError, match=f"Expected weights in the layout of {TORCHVISION}, but got caffe"):
        protocol.start_weights(AdaptiveVGG(5, 2, **SMALL), {}, "caffe")


def named(network: nn.Module, name: str, optional: bool = False) -> set[str]:
    found = {id(parameter) for parameter in protocol.named_parameters(network, name, optional)}
    return {path for path, parameter in network.named_parameters() if id(parameter) in found}


def test_names_mean_parameters() -> None:
    network = nn.Sequential()
    network.add_module("body", nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)))
    network.add_module("bodyguard", nn.Linear(2, 2))
    network.add_module("head", Says())
    assert named(network, "biases") == {"body.0.bias", "body.1.bias", "bodyguard.bias", "head.bias"}
    assert named(network, "norms") == {"body.1.weight", "body.1.bias"}
    assert named(network, "body") == {"body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias"}  # and nobody's guard
    assert named(network, "body.1") == {"body.1.weight", "body.1.bias"}
    assert named(network, "head.weight") == {"head.weight"}
    assert named(Says(), "slopes") == {"weight"}
    assert named(network, "tail", optional=True) == set()


def test_a_name_that_means_nothing_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"group of parameters of Says \(slopes, .*biases, norms.*\), but got 'tail'"):
        protocol.named_parameters(Says(), "tail")
    with pytest.raises(ValueError, match=r"group of parameters of Sequential \(biases, norms, 0, 1\), but got 'head'"):
        protocol.named_parameters(nn.Sequential(nn.ReLU(), nn.Linear(2, 2)), "head")
    with pytest.raises(ValueError, match="but got 'norms'"):
        protocol.named_parameters(nn.Linear(2, 2), "norms")


def test_a_networks_own_group_without_parameters_is_refused_unless_it_may_be_empty() -> None:
    for network, name in ((Says(), "none"), (AdaptiveVGG(5, 2, inflated=False, **SMALL), "f"), (NiN(10, width=0.1), "sigma")):
        assert protocol.named_parameters(network, name, optional=True) == []
        with pytest.raises(ValueError, match=f"but got '{name}'"):
            protocol.named_parameters(network, name)


@pytest.mark.parametrize(
    "network",
    [
        AdaptiveVGG(5, 2, **SMALL),
        AdaptiveVGG(5, 2, inflated=False, **SMALL),
        MultiPathVGG(5, (2, 4), **SMALL),
        MultiPathVGG(5, (2, 4), inflated=False, **SMALL),
        ToyCNN(5, jet={}),
        ToyCNN(5),
        NiN(10, width=0.1, jet={}),
        CIFARResNet(10, depth=8, jet={}),
    ],
    ids=lambda network: type(network).__name__,
)
def test_all_that_a_network_logs_and_keeps_is_of_its_quantities(network: nn.Module) -> None:
    kinds = protocol.quantities(network)
    for name in protocol.trajectory(network):
        assert any(re.fullmatch(kind.pattern, name) for kind in kinds), name
    assert bool(kinds) == bool(protocol.trajectory(network)) == bool(protocol.learned(network))
    kept = protocol.learned(network)
    assert not any(name.startswith("gradient") for name in kept)
    for kind in kinds:
        assert not kind.metric or kind.metric in kept, kind


def test_the_sizes_of_a_network_are_of_its_structure_alone() -> None:
    assert protocol.sizes(AdaptiveVGG(5, 2, **SMALL)) == {"receptive_field": None, "pool5_receptive_field": 212, "stride": 8}
    fixed = MultiPathVGG(5, (4, 6), inflated=False, norm=False, **SMALL)
    assert protocol.sizes(fixed) == {"receptive_field": [308, 356], "pool5_receptive_field": 212, "stride": 8}
    toy = ToyCNN(5, layers=2)
    assert protocol.sizes(toy) == {}
    assert protocol.sizes(toy, (1, 12, 12)) == {"map_sizes": toy.map_sizes(12, 12)}


def test_factors_are_told_of_a_step() -> None:
    network = MultiPathVGG(5, (2, 4), **SMALL)
    factors = [module for module in network.modules() if isinstance(module, InflationLayer)]
    for factor in factors:
        factor.shares.fill_(8.0)
        nn.init.constant_(factor.value, 9.0)
    protocol.before_step(network, 2.0)
    assert [factor.shares.tolist() for factor in factors] == [[4.0, 4.0]] * 2
    protocol.after_step(network)
    protocol.before_gradients(network)
    assert [(factor.value.item(), factor.shares.tolist()) for factor in factors] == [(4.0, [0.0, 0.0])] * 2


@pytest.mark.parametrize(
    ("name", "value", "leaves"), [("rate", 0.5, False), ("rate_2", 1.5, True), ("rate", -0.5, True), ("gradient", 9.0, False)]
)
def test_a_quantity_keeps_to_the_bounds_that_it_declares(name: str, value: float, leaves: bool) -> None:
    network = Says()
    network.quantities = (Quantity("rate", "rate", lowest=0.0, highest=1.0),)
    if leaves:
        with pytest.raises(ValueError, match=f"Expected `{name}` to stay from 0 to 1, as Says declares, but got {value:g}"):
            protocol.check_bounds(network, {name: value})
    else:
        protocol.check_bounds(network, {name: value})


@pytest.mark.parametrize(
    ("network", "device", "expected"),
    [
        (AdaptiveVGG(3, 1, **SMALL), "cpu", torch.channels_last),
        (MultiPathVGG(3, (1, 2), **SMALL), "cpu", torch.channels_last),
        (NiN(3, width=1 / 64), "cpu", torch.channels_last),
        (NiN(3, width=1 / 64), "cuda", torch.preserve_format),
        (ToyCNN(3), "cpu", torch.preserve_format),
        (nn.Conv2d(3, 3, 1), "cpu", torch.preserve_format),
    ],
)
def test_channels_are_last_for_networks_that_say_so_on_processors(network: nn.Module, device: str, expected: torch.memory_format) -> None:
    assert protocol.memory_format(network, torch.device(device)) is expected
