"""The toy networks: kinds of convolutions, and a start that neither explodes nor fades."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from lightning_modules.layers.deformable import DeformableConv2d
from lightning_modules.layers.njet import NJetConv2d
from lightning_modules.networks.toy_cnn import ToyCNN

KINDS: list[dict[str, Any]] = [{}, {"filter_size": 5}, {"dilation": 2}, {"deformable": True}, {"jet": {}}]


@pytest.mark.parametrize("layers", [1, 2, 4])
@pytest.mark.parametrize("options", KINDS)
def test_every_convolution_is_of_the_kind_and_keeps_the_size(layers: int, options: dict[str, Any]) -> None:
    network = ToyCNN(10, layers, channels=4, **options)
    kind = NJetConv2d if "jet" in options else DeformableConv2d if "deformable" in options else nn.Conv2d
    found = [type(layer) for layer in network.features if not isinstance(layer, nn.ReLU)]
    assert found == [kind] * layers
    assert network.map_sizes(28, 30) == [28] * layers
    assert network(torch.randn(2, 1, 28, 30)).shape == (2, 10)


def test_parameters_are_convolutions_with_biases_and_a_linear_layer() -> None:
    def count(**options: Any) -> int:
        return sum(parameter.numel() for parameter in ToyCNN(10, **options).parameters())

    rest = 16 + 16 + 4 * 4 * 16 * 10 + 10
    assert count() == count(dilation=2) == 9 * (16 + 256) + rest
    assert count(filter_size=7) == 49 * (16 + 256) + rest
    assert count(deformable=True) == count() + 18 * (9 + 1) + 18 * (9 * 16 + 1)
    assert count(jet={"order": 2}) == 6 * (16 + 256) + 2 + rest


def test_a_dilated_network_sees_as_far_as_its_dilation_says() -> None:
    torch.manual_seed(0)
    network = ToyCNN(10, 2, dilation=2).double()
    picture = torch.zeros(1, 1, 21, 21, dtype=torch.float64, requires_grad=True)
    network.features(picture)[:, :, 10, 10].square().sum().backward()
    assert picture.grad is not None
    rows = picture.grad[0, 0].abs().sum(1).nonzero().flatten().tolist()
    assert rows == [6, 8, 10, 12, 14]


@pytest.mark.parametrize("options", [*KINDS, {"jet": {"sigma": 2.0, "order": 4}}, {"jet": {"sigma": 0.5}}])
def test_features_neither_explode_nor_fade(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    features = ToyCNN(10, 4, **options).features(torch.randn(8, 1, 24, 24))
    assert 0.1 < features.square().mean().sqrt().item() < 10


def test_a_start_can_be_asked_for() -> None:
    """With alpha ~ N(0, 1) features of 64 channels grow by about 4 from layer to layer."""
    torch.manual_seed(0)
    features = ToyCNN(10, 4, channels=64, jet={"init": "normal"}).features(torch.randn(8, 1, 24, 24))
    assert features.square().mean().sqrt().item() > 20


@pytest.mark.parametrize("options", KINDS)
def test_gradients_reach_every_parameter(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = ToyCNN(10, **options)
    functional.cross_entropy(network(torch.randn(16, 1, 28, 28)), torch.arange(16) % 10).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_bad_input() -> None:
    for options, message in [
        ({"dilation": 2, "deformable": True}, "Expected at most one of `dilation` above 1, `deformable` and `jet`"),
        ({"dilation": 2, "jet": {}}, "Expected at most one of"),
        ({"deformable": True, "jet": {}}, "Expected at most one of"),
        ({"layers": 0}, "Expected `layers` to be a positive integer, but got 0"),
        ({"channels": 0}, "Expected `channels` to be a positive integer, but got 0"),
        ({"dilation": 0}, "Expected `dilation` to be a positive integer, but got 0"),
        ({"filter_size": 4}, "Expected sizes of filters to be odd and positive, but got 4"),
        ({"filter_size": 4, "deformable": True}, "Expected `kernel_size` to be odd and positive, but got 4"),
    ]:
        with pytest.raises(ValueError, match=message):
            ToyCNN(10, **options)
