"""EfficientNet-B0 for pictures of CIFAR's size, plain and with N-Jet layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.networks.jet import JetNetwork, block, convolution, global_average, scaled


class Stage(NamedTuple):
    """Settings that the blocks of a stage share; only the first block has the stride."""

    expansion: int
    channels: int
    repeats: int
    size: int
    stride: int


STEM, HEAD = 32, 1280
STAGES = (
    Stage(1, 16, 1, 3, 1),
    Stage(6, 24, 2, 3, 2),
    Stage(6, 40, 2, 5, 2),
    Stage(6, 80, 3, 3, 2),
    Stage(6, 112, 3, 5, 1),
    Stage(6, 192, 4, 5, 2),
    Stage(6, 320, 1, 3, 1),
)


class SqueezeExcitation(nn.Module):
    """Scale each channel by a gate that is computed from the means of all channels.

    Source: Hu et al. 2018, section 3.

    Args:
        channels: Number of channels, C.
        squeezed: Number of channels between the two convolutions.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            convolution(channels, squeezed, 1, bias=True), nn.SiLU(), convolution(squeezed, channels, 1, bias=True), nn.Sigmoid()
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map B C H W to B C H W."""
        gates: Tensor = self.gate(features.mean((2, 3), keepdim=True))
        return features * gates


class MBConv(nn.Module):
    """A 1 x 1 convolution to more channels, a depthwise convolution, squeeze-and-excitation, a 1 x 1 convolution and a shortcut.

    The shortcut exists only if input and output have the same size.

    Source: Tan and Le 2019, section 4; section 5.2 for drop connect, the stochastic depth of Huang et al. 2016.

    Args:
        in_channels: Number of input channels, C.
        stage: Settings of the block's stage.
        stride: Stride of the depthwise convolution, in cells.
        out_channels: Number of output channels, O.
        jet: Arguments of `NJetConv2d` for the depthwise convolution, or None for a plain convolution.
        drop_connect: Share of the pictures for which training drops everything but the shortcut.
    """

    def __init__(
        self, in_channels: int, stage: Stage, stride: int, out_channels: int, jet: Mapping[str, Any] | None, drop_connect: float
    ) -> None:
        super().__init__()
        channels = in_channels * stage.expansion
        self.branch = nn.Sequential()
        if stage.expansion > 1:
            self.branch.append(block(in_channels, channels, 1, activation=nn.SiLU))
        self.branch.extend(
            [
                block(channels, channels, stage.size, jet, stride, groups=channels, activation=nn.SiLU),
                SqueezeExcitation(channels, max(1, in_channels // 4)),
                block(channels, out_channels, 1, activation=None),
            ]
        )
        self.shortcut, self.drop_connect = stride == 1 and in_channels == out_channels, drop_connect

    def forward(self, features: Tensor) -> Tensor:
        """Map B C H W to B O H' W'."""
        response: Tensor = self.branch(features)
        if not self.shortcut:
            return response
        if self.training and self.drop_connect:
            kept = 1 - self.drop_connect
            response = response * torch.empty_like(response[:, :1, :1, :1]).bernoulli_(kept) / kept
        return features + response


class EfficientNetB0(JetNetwork):
    """EfficientNet-B0 whose first convolution has stride 1, so that 32 cells become 2.

    Source: Tan and Le 2019, table 1; section 5.2 for drop connect, which grows from block to block. In Pintea et al. 2021, section IV,
    it has N-Jet layers and no safe subsampling.
    Not in paper: the stride of 1 at CIFAR's size. The first and all depthwise convolutions become N-Jet layers and keep their strides.

    Args:
        num_classes: Number of classes.
        in_channels: Number of channels of the picture, C.
        jet: Arguments of `NJetConv2d` without `subsampling`, or None for plain convolutions.
        width: Number of channels as a share of the paper's.
        depth: Number of blocks per stage as a share of the paper's, rounded up.
        dropout: Dropout rate before the linear layer.
        drop_connect: Share of the pictures for which training drops a block at the end of the network; proportionally less for earlier
            blocks.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        jet: Mapping[str, Any] | None = None,
        width: float = 1.0,
        depth: float = 1.0,
        dropout: float = 0.2,
        drop_connect: float = 0.2,
    ) -> None:
        super().__init__()
        if jet is not None and jet.get("subsampling") is not None:
            raise ValueError(f"Expected `jet` without `subsampling`, because EfficientNet has none, but got {jet['subsampling']}.")
        if not depth > 0:
            raise ValueError(f"Expected `depth` to be positive, but got {depth}.")
        if not 0 <= drop_connect < 1:
            raise ValueError(f"Expected `drop_connect` to be 0 or more and below 1, but got {drop_connect}.")
        channels = scaled(STEM, width)
        self.stem = block(in_channels, channels, 3, jet, activation=nn.SiLU)
        blocks = [(stage, index) for stage in STAGES for index in range(math.ceil(stage.repeats * depth))]
        self.blocks = nn.Sequential()
        for position, (stage, index) in enumerate(blocks):
            out_channels, stride = scaled(stage.channels, width), 1 if index else stage.stride
            self.blocks.append(MBConv(channels, stage, stride, out_channels, jet, drop_connect * position / len(blocks)))
            channels = out_channels
        self.head = block(channels, scaled(HEAD, width), 1, activation=nn.SiLU)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(scaled(HEAD, width), num_classes)

    def forward(self, image: Tensor) -> Tensor:
        """Map B C H W to scores B num_classes."""
        scores: Tensor = self.classifier(self.dropout(global_average(self.head(self.blocks(self.stem(image))))))
        return scores
