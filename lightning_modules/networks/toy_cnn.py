"""The toy networks that learn the scale of digits: plain, dilated, deformable or with N-Jet layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from lightning_modules.layers.deformable import DeformableConv2d
from lightning_modules.networks.jet import JetNetwork, convolution, grid_average


class ToyCNN(JetNetwork):
    """Convolutions, each followed only by ReLU, and a linear layer on averages of the last maps over a coarse grid.

    Source: Pintea et al. 2021, section IV, "2 and 4-layer toy architectures containing only convolutional layers followed by ReLU
    activations" (table V), and figure 5.
    Not in paper: the number of channels, the grid, the linear layer. All convolutions of a network are of one kind. N-Jet layers start
    with the energy of He et al. 2015 ("he" of `NJetConv2d`), as plain convolutions do. With alpha ~ N(0, 1) and no batch normalisation,
    features of 16 channels would double per layer.

    Args:
        num_classes: Number of classes.
        layers: Number of convolutions.
        channels: Number of channels of each convolution.
        in_channels: Number of channels of the picture, C.
        filter_size: Filter size of plain and deformable convolutions, pixels, odd.
        dilation: Dilation of plain convolutions.
        deformable: Whether convolutions are deformable.
        jet: Arguments of `NJetConv2d`, or None.
        grid: Number of grid cells per axis. With 1, the global average, one or two convolutions cannot distinguish digits.

    Raises:
        ValueError: An argument is out of its range, or the arguments ask for more than one kind of convolution.
    """

    channels_last = False  # a step then takes 1.2 times as long: its pictures have one channel, and its layers few

    def __init__(
        self,
        num_classes: int,
        layers: int = 2,
        channels: int = 16,
        in_channels: int = 1,
        filter_size: int = 3,
        dilation: int = 1,
        deformable: bool = False,
        jet: Mapping[str, Any] | None = None,
        grid: int = 4,
    ) -> None:
        super().__init__()
        for name, value in {"layers": layers, "channels": channels, "dilation": dilation, "grid": grid}.items():
            if value < 1:
                raise ValueError(f"Expected `{name}` to be a positive integer, but got {value}.")
        if (dilation > 1) + deformable + (jet is not None) > 1:
            raise ValueError("Expected at most one of `dilation` above 1, `deformable` and `jet`, but got several; keep one.")
        if jet is not None:
            jet = {"init": "he", **jet}
        self.grid = grid
        self.features = nn.Sequential()
        for index in range(layers):
            seen = channels if index else in_channels
            if deformable:
                layer: nn.Module = DeformableConv2d(seen, channels, filter_size)
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # type: ignore[arg-type]
            else:
                layer = convolution(seen, channels, filter_size, jet, bias=True, dilation=dilation)
            self.features.extend([layer, nn.ReLU()])
        self.classifier = nn.Linear(channels * grid**2, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        """Map B C H W to scores B num_classes."""
        scores: Tensor = self.classifier(grid_average(self.features(image), self.grid).flatten(1))
        return scores
