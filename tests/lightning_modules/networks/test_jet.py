"""What all networks with N-Jet layers do: sizes that follow sigma, gradients, states, parameters on meta."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from lightning_modules.layers.njet import NJetConv2d, update_sizes
from lightning_modules.layers.safe_subsampling import subsampled_size
from lightning_modules.networks.all_cnn import AllCNN
from lightning_modules.networks.cifar_resnet import CIFARResNet
from lightning_modules.networks.efficientnet import EfficientNetB0
from lightning_modules.networks.jet import JetNetwork, convolution, global_average, grid_average, scaled
from lightning_modules.networks.nin import NiN
from lightning_modules.networks.toy_cnn import ToyCNN


def nin(jet: dict[str, Any] | None = None, **options: Any) -> JetNetwork:
    return NiN(10, jet=jet, pooling=jet is None, width=0.1, **options)


def all_cnn(jet: dict[str, Any] | None = None, **options: Any) -> JetNetwork:
    return AllCNN(10, jet=jet, strided=jet is None, width=0.1, **options)


def cifar_resnet(jet: dict[str, Any] | None = None, **options: Any) -> JetNetwork:
    return CIFARResNet(10, 8, jet=jet, width=0.5, **options)


def efficientnet(jet: dict[str, Any] | None = None, **options: Any) -> JetNetwork:
    return EfficientNetB0(10, jet=jet, width=0.2, depth=0.25, drop_connect=0.0, **options)


def toy_cnn(jet: dict[str, Any] | None = None, in_channels: int = 3) -> JetNetwork:
    return ToyCNN(10, in_channels=in_channels, jet=jet)


NETWORKS = [nin, all_cnn, cifar_resnet, efficientnet, toy_cnn]
SUBSAMPLING = [nin, all_cnn, cifar_resnet, toy_cnn]
# Large convolutions of each.
LAYERS = {nin: 3, all_cnn: 7, cifar_resnet: 7, efficientnet: 8, toy_cnn: 2}
Make = Callable[..., JetNetwork]


def set_sigmas(network: nn.Module, *sigmas: float) -> None:
    layers = [module for module in network.modules() if isinstance(module, NJetConv2d)]
    with torch.no_grad():
        for index, layer in enumerate(layers):
            layer.scale.fill_(math.log2(sigmas[index % len(sigmas)]))


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("jet", [None, {}, {"order": 2, "sigma": 0.5, "learn_sigma": False}, {"sigma_per_filter": True}])
def test_scores_of_pictures_of_28_gray_cells_and_of_32_coloured(make: Make, jet: dict[str, Any] | None) -> None:
    assert make(jet)(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    assert make(jet, in_channels=1)(torch.randn(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("jet", [None, {}, {"sigma_per_filter": True}])
def test_gradients_reach_every_parameter(make: Make, jet: dict[str, Any] | None) -> None:
    torch.manual_seed(0)
    network = make(jet)
    functional.cross_entropy(network(torch.randn(16, 3, 32, 32)), torch.arange(16) % 10).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("make", NETWORKS)
def test_every_large_convolution_becomes_an_njet_layer_and_no_other(make: Make) -> None:
    plain, jet = make(), make({"order": 2})
    sizes = [layer.kernel_size for layer in plain.modules() if isinstance(layer, nn.Conv2d)]
    layers = [layer for layer in jet.modules() if isinstance(layer, NJetConv2d)]
    assert len(layers) == sum(size > (1, 1) for size in sizes) == LAYERS[make]
    assert {layer.order for layer in layers} == {2}
    assert all(layer.kernel_size == (1, 1) for layer in jet.modules() if isinstance(layer, nn.Conv2d))
    assert len(plain.map_sizes(32, 32)) == len(jet.map_sizes(32, 32)) == LAYERS[make]


@pytest.mark.parametrize("make", NETWORKS)
def test_networks_are_made_on_meta(make: Make) -> None:
    for jet in (None, {"init": "he"}):
        with torch.device("meta"):
            network = make(jet)
        made = make(jet)
        assert all(parameter.is_meta for parameter in network.parameters())
        assert [parameter.shape for parameter in network.parameters()] == [parameter.shape for parameter in made.parameters()]
        assert network.map_sizes(32, 28) == made.map_sizes(32, 28)


@pytest.mark.parametrize("make", NETWORKS)
def test_the_trajectory_is_sigma_layer_by_layer(make: Make) -> None:
    assert make().trajectory() == {}
    network = make({"sigma_per_filter": True})
    set_sigmas(network, 1.0, 1.5)
    expected = {f"sigma_{index}": 1.5 if index % 2 == 0 else 1.0 for index in range(1, LAYERS[make] + 1)}
    assert network.trajectory() == pytest.approx(expected)
    assert list(network.trajectory()) == list(expected)
    layer = next(module for module in network.modules() if isinstance(module, NJetConv2d))
    with torch.no_grad():
        layer.scale[0] = 2.0
    assert network.trajectory()["sigma_1"] == pytest.approx(1 + 3 / layer.out_channels)


@pytest.mark.parametrize("make", [nin, all_cnn, toy_cnn])
@pytest.mark.parametrize("rule", ["paper", "code"])
def test_maps_become_smaller_as_sigmas_grow(make: Make, rule: str) -> None:
    network = make({"subsampling": 4.0 if rule == "paper" else 1.5, "subsampling_rule": rule})
    for sigmas in ([1.0], [0.5, 3.0], [2.0, 1.0, 0.7]):
        set_sigmas(network, *sigmas)
        update_sizes(network)
        size, expected = 32, []
        for index in range(LAYERS[make]):
            size = subsampled_size(size, sigmas[index % len(sigmas)], 4.0 if rule == "paper" else 1.5, rule)
            expected.append(size)
        assert network.map_sizes(32, 20) == expected
        assert network(torch.randn(2, 3, 32, 20)).shape == (2, 10)


def test_sizes_of_maps_change_only_with_an_update() -> None:
    network = nin({"subsampling": 4.0})
    set_sigmas(network, 4.0)
    assert network.map_sizes(32, 32) == [26, 21, 17]
    update_sizes(network)
    assert network.map_sizes(32, 32) == [16, 8, 4]


@pytest.mark.parametrize("make", NETWORKS)
def test_asking_for_sizes_of_maps_leaves_a_network_as_it_is(make: Make) -> None:
    network = make({})
    before = copy.deepcopy(network.state_dict())
    generator = torch.get_rng_state()
    network.map_sizes(32, 32)
    assert network.training
    assert torch.equal(torch.get_rng_state(), generator)
    assert not any(module._forward_hooks for module in network.modules())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize("make", SUBSAMPLING)
def test_maps_of_one_cell_are_found_in_training_too(make: Make) -> None:
    """Where batch normalisation wants more than one value."""
    assert make({"subsampling": 0.1}).train().map_sizes(4, 4)[-1] == 1


@pytest.mark.parametrize("make", SUBSAMPLING)
def test_a_state_goes_through_a_network_of_another_sigma(make: Make) -> None:
    torch.manual_seed(0)
    trained = make({"subsampling": 4.0})
    set_sigmas(trained, 1.3, 2.2)
    update_sizes(trained)
    fresh = make({"subsampling": 4.0, "sigma": 2.0})
    images = torch.randn(2, 3, 32, 32)
    assert fresh.map_sizes(32, 32) != trained.map_sizes(32, 32)
    fresh.load_state_dict(copy.deepcopy(trained.state_dict()))
    assert fresh.map_sizes(32, 32) == trained.map_sizes(32, 32)
    assert fresh.trajectory() == trained.trajectory()
    with torch.no_grad():
        assert torch.equal(fresh.eval()(images), trained.eval()(images))


@pytest.mark.parametrize("make", NETWORKS)
def test_networks_of_one_seed_are_equal(make: Make) -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(make({}).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="Expected sizes of filters to be odd and positive, but got 4"):
        convolution(3, 8, 4)
    with pytest.raises(ValueError, match="Expected `width` to be positive, but got 0"):
        scaled(16, 0.0)
    assert scaled(16, 0.001) == 1


@pytest.mark.parametrize(("height", "width"), [(28, 28), (42, 7), (3, 1)])
def test_a_grid_averages_equal_areas(height: int, width: int) -> None:
    features = torch.randn(2, 3, height, width, dtype=torch.float64)
    repeated = features.repeat_interleave(4, 2).repeat_interleave(4, 3)  # whose grid of 4 x 4 has whole pixels
    expected = functional.avg_pool2d(repeated, (height, width)).flatten(2)
    torch.testing.assert_close(grid_average(features, 4), expected)
    torch.testing.assert_close(grid_average(features, 1)[..., 0], global_average(features))
