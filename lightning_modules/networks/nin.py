"""Network in Network, plain and with N-Jet layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from lightning_modules.networks.jet import JetNetwork, block, scaled

CHANNELS = ((192, 160, 96), (192, 192, 192), (192, 192))


class NiN(JetNetwork):
    """Three large convolutions, each followed by 1 x 1 convolutions, and a global average of the last maps.

    Source: Lin et al. 2014; Pintea et al. 2021, section IV, whose N-Jet NiN has N-Jet layers in place of the large convolutions.
    Not in paper: the numbers of channels; batch normalisation and ReLU after every convolution, also after the last; no bias; all as in
    the authors' code. Poolings are padded by 1, which halves 32 cells to 16 and then to 8.

    Args:
        num_classes: Number of classes.
        in_channels: Number of channels of the picture, C.
        filter_sizes: Filter sizes of the three plain large convolutions, pixels, odd.
        pooling: Whether maps are pooled with stride 2: max pooling after the first block, average pooling after the second.
        jet: Arguments of `NJetConv2d`, or None for plain convolutions.
        width: Number of channels as a share of the paper's.
        dropout: Dropout rate after the first and the second block.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        filter_sizes: Sequence[int] = (5, 5, 3),
        pooling: bool = True,
        jet: Mapping[str, Any] | None = None,
        width: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if len(filter_sizes) != len(CHANNELS):
            raise ValueError(f"Expected `filter_sizes` to be {len(CHANNELS)} numbers, but got {len(filter_sizes)}.")
        self.features = nn.Sequential()
        pools = (nn.MaxPool2d(3, 2, padding=1), nn.AvgPool2d(3, 2, padding=1), None)
        for size, numbers, pool in zip(filter_sizes, CHANNELS, pools, strict=True):
            for index, number in enumerate(numbers):
                out_channels = scaled(number, width)
                self.features.append(block(in_channels, out_channels, 1 if index else size, jet))
                in_channels = out_channels
            if pool is not None:
                self.features.extend([pool, nn.Dropout(dropout)] if pooling else [nn.Dropout(dropout)])
        self.features.append(block(in_channels, num_classes, 1))
