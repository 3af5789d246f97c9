"""Residual networks for pictures of CIFAR's size, plain and with N-Jet layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.layers.safe_subsampling import safe_subsample
from lightning_modules.networks.jet import JetNetwork, block, global_average, scaled

CHANNELS = (16, 32, 64)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut without parameters.

    Source: He et al. 2016, section 4.2, option A: the shortcut keeps every `stride`-th cell, and zeros fill the additional channels.
    Not in paper: with safe subsampling, the shortcut takes the nearest cells, as safe subsampling does.

    Args:
        in_channels: Number of input channels, C.
        out_channels: Number of output channels, O.
        stride: Stride of the first convolution, in cells.
        jets: Arguments of `NJetConv2d` for the first and for the second convolution, or None for a plain convolution.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, jets: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]
    ) -> None:
        super().__init__()
        self.stride, self.added_channels = stride, out_channels - in_channels
        self.residual = nn.Sequential(
            block(in_channels, out_channels, 3, jets[0], stride), block(out_channels, out_channels, 3, jets[1], activation=None)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map B C H W to B O H' W'."""
        residual: Tensor = self.residual(features)
        kept = safe_subsample(features[:, :, :: self.stride, :: self.stride], (residual.shape[2], residual.shape[3]))
        return functional.relu(residual + functional.pad(kept, (0, 0, 0, 0, 0, self.added_channels)))


class CIFARResNet(JetNetwork):
    """A 3 x 3 convolution, three stages of residual blocks, a global average and a linear layer.

    Source: He et al. 2016, section 4.2; Pintea et al. 2021, section IV: N-Jet layers in place of all 3 x 3 convolutions, safe subsampling
    "only at the layers where the original network subsamples", and none in ResNet-110.

    Args:
        num_classes: Number of classes.
        depth: Number of layers, 6n + 2.
        in_channels: Number of channels of the picture, C.
        jet: Arguments of `NJetConv2d`, or None for plain convolutions. Its `subsampling` replaces the stride of 2 at the start of the
            second and the third stage; without it the stride stays.
        width: Number of channels as a share of the paper's.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self, num_classes: int, depth: int = 32, in_channels: int = 3, jet: Mapping[str, Any] | None = None, width: float = 1.0
    ) -> None:
        super().__init__()
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"Expected `depth` to be 6n + 2 with n of 1 or more, such as 20, 32 or 110, but got {depth}.")
        inner = None if jet is None else {**jet, "subsampling": None}
        subsampled = jet is not None and jet.get("subsampling") is not None
        channels = scaled(CHANNELS[0], width)
        self.stem = block(in_channels, channels, 3, inner)
        self.stages = nn.Sequential()
        for stage, number in enumerate(CHANNELS):
            for index in range((depth - 2) // 6):
                first = stage > 0 and index == 0
                stride = 2 if first and not subsampled else 1
                out_channels = scaled(number, width)
                self.stages.append(BasicBlock(channels, out_channels, stride, (jet if first else inner, inner)))
                channels = out_channels
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        """Map B C H W to scores B num_classes."""
        scores: Tensor = self.classifier(global_average(self.stages(self.stem(image))))
        return scores
