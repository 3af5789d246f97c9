"""ALL-CNN-C: counts, and maps with and without strides."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_modules.networks.all_cnn import AllCNN


@pytest.mark.parametrize(("order", "expected"), [(None, 1_368_480), (2, 925_248), (3, 1_516_224)])
def test_weights_of_convolutions_are_those_of_the_published_network(order: int | None, expected: int) -> None:
    with torch.device("meta"):
        network = AllCNN(10, jet=None if order is None else {"order": order})
    assert sum(parameter.numel() for parameter in network.parameters() if parameter.dim() > 1) == expected
    # What is left: two numbers a channel of batch normalisation, and a sigma a layer.
    left = sum(parameter.numel() for parameter in network.parameters() if parameter.dim() < 2)
    assert left == 2 * (3 * 96 + 5 * 192 + 10) + (0 if order is None else 7)


def test_strides_halve_maps_and_go_when_told() -> None:
    with torch.device("meta"):
        assert AllCNN(10).map_sizes(32, 32) == [32, 32, 16, 16, 16, 8, 8]
        assert AllCNN(10, jet={}).map_sizes(32, 32) == [32, 32, 16, 16, 16, 8, 8]
        assert AllCNN(10, strided=False).map_sizes(32, 32) == [32] * 7
        assert AllCNN(10, strided=False, jet={"subsampling": 4.0}).map_sizes(32, 32) == [26, 21, 17, 14, 11, 9, 7]


def test_dropout_is_on_the_picture_and_behind_strides() -> None:
    for strided in (True, False):
        with torch.device("meta"):
            layers = list(AllCNN(10, dropout=0.4, strided=strided).features)
        assert {index: layer.p for index, layer in enumerate(layers) if isinstance(layer, nn.Dropout)} == {0: 0.2, 4: 0.4, 8: 0.4}
        assert len(layers) == 12
