"""Residual networks: counts, shortcuts, and where N-Jet layers subsample."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from lightning_modules.layers.njet import NJetConv2d, update_sizes
from lightning_modules.layers.safe_subsampling import safe_subsample
from lightning_modules.networks.cifar_resnet import BasicBlock, CIFARResNet


@pytest.mark.parametrize(
    ("depth", "order", "expected"),
    [
        (32, None, 464_154),
        (32, 2, 310_441),
        (32, 3, 515_433),
        (110, None, 1_727_962),
        (110, 2, 1_154_999),
        (110, 3, 1_919_095),
    ],
)
def test_parameters_are_those_of_the_published_networks(depth: int, order: int | None, expected: int) -> None:
    with torch.device("meta"):
        network = CIFARResNet(10, depth, jet=None if order is None else {"order": order})
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    assert len(network.trajectory() if order is None else network.map_sizes(32, 32)) == (0 if order is None else depth - 1)


def test_only_what_had_a_stride_subsamples() -> None:
    with torch.device("meta"):
        network = CIFARResNet(10, 32, jet={"subsampling": 4.0})
        layers = [layer for layer in network.modules() if isinstance(layer, NJetConv2d)]
        assert [index for index, layer in enumerate(layers) if layer.subsampling is not None] == [11, 21]
        assert {layer.stride for layer in layers} == {(1, 1)}
        assert network.map_sizes(32, 32) == [32] * 11 + [26] * 10 + [21] * 10
        for jet in (None, {}):
            assert CIFARResNet(10, 32, jet=jet).map_sizes(32, 32) == [32] * 11 + [16] * 10 + [8] * 10


@pytest.mark.parametrize("cells", [8, 7])
@pytest.mark.parametrize("jet", [None, {}])
def test_a_shortcut_keeps_every_second_cell_and_fills_channels_with_zeros(cells: int, jet: dict[str, Any] | None) -> None:
    block, features = silent(BasicBlock(3, 5, 2, (jet, jet))), torch.randn(2, 3, cells, cells)
    expected = functional.pad(functional.relu(features[..., ::2, ::2]), (0, 0, 0, 0, 0, 2))
    assert torch.equal(block(features), expected)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 4.0])
def test_a_shortcut_is_as_large_as_a_subsampled_branch(sigma: float) -> None:
    jet = {"subsampling": 4.0}
    block, features = silent(BasicBlock(3, 3, 1, (jet, {}))), torch.randn(2, 3, 16, 16)
    first = next(layer for layer in block.modules() if isinstance(layer, NJetConv2d))
    with torch.no_grad():
        first.scale.fill_(sigma).log2_()
    update_sizes(block)
    size = int(16 * 0.5 ** (sigma / 4))
    assert torch.equal(block(features), functional.relu(safe_subsample(features, (size, size))))


def test_a_branch_may_take_away() -> None:
    """ReLU comes after the sum alone."""
    block, features = silent(BasicBlock(3, 3, 1, (None, None))), torch.randn(2, 3, 8, 8)
    nn.init.constant_([layer for layer in block.modules() if isinstance(layer, nn.BatchNorm2d)][-1].bias, -0.5)
    assert torch.equal(block(features), functional.relu(features - 0.5))


def test_bad_input() -> None:
    for depth in (2, 30):
        with pytest.raises(ValueError, match=f"Expected `depth` to be 6n .* but got {depth}"):
            CIFARResNet(10, depth)


def silent(block: BasicBlock) -> BasicBlock:
    """A block whose branch adds nothing."""
    last = [layer for layer in block.modules() if isinstance(layer, nn.BatchNorm2d)][-1]
    nn.init.zeros_(last.weight)
    return block
