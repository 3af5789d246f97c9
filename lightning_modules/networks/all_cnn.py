"""ALL-CNN-C, plain and with N-Jet layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from lightning_modules.networks.jet import JetNetwork, block, scaled

CHANNELS = (96, 96, 96, 192, 192, 192, 192)
# Indices of the third and the sixth convolution.
STRIDED = (2, 5)


class AllCNN(JetNetwork):
    """Seven 3 x 3 convolutions, two of them with stride 2 instead of pooling, then two 1 x 1 convolutions and a global average.

    Source: Springenberg et al. 2015, table 2, ALL-CNN-C; dropout of 0.2 on the picture, section 3. In Pintea et al. 2021, section IV, the
    3 x 3 convolutions become N-Jet layers, all with safe subsampling.
    Not in paper: batch normalisation after every convolution, also after the last, and no bias, as in NiN. Without batch normalisation,
    alpha ~ N(0, 1) makes features of 192 channels grow 8-fold per layer, and plain and N-Jet networks would not train at the same
    learning rate. All convolutions pad to keep the size.

    Args:
        num_classes: Number of classes.
        in_channels: Number of channels of the picture, C.
        strided: Whether these two convolutions have stride 2; else stride 1.
        jet: Arguments of `NJetConv2d`, or None for plain convolutions.
        width: Number of channels as a share of the paper's.
        dropout: Dropout rate after these two convolutions.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        strided: bool = True,
        jet: Mapping[str, Any] | None = None,
        width: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Dropout(0.2))
        for index, number in enumerate(CHANNELS):
            out_channels = scaled(number, width)
            self.features.append(block(in_channels, out_channels, 3, jet, stride=2 if strided and index in STRIDED else 1))
            if index in STRIDED:
                self.features.append(nn.Dropout(dropout))
            in_channels = out_channels
        self.features.extend([block(in_channels, in_channels, 1), block(in_channels, num_classes, 1)])
