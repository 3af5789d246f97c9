"""A network that looks at waves through an envelope whose rate it learns."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from outside_paper.specs import RATE


class EnvelopeNet(nn.Module):
    """Convolutions under an exponential envelope, and two linear layers.

    Args:
        channels: Channels of the convolutions.
        hidden: Width of the hidden linear layer.
    """

    quantities = (RATE,)

    def __init__(self, channels: int = 8, hidden: int = 16) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(RATE.start))
        self.features = nn.Sequential(nn.Conv2d(1, channels, 5, padding=2), nn.ReLU(), nn.Conv2d(channels, channels, 5, padding=2))
        self.head = nn.Sequential(nn.Linear(4 * channels, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, image: Tensor) -> Tensor:
        """B 1 H W to B."""
        features = self.features(image)
        place = torch.arange(features.shape[-1], device=image.device, dtype=image.dtype)
        seen = features * torch.exp(-self.rate * (place - place.mean()).abs() / len(place))
        grid = nn.functional.adaptive_avg_pool2d(seen.abs(), 2).flatten(1)
        result: Tensor = self.head(grid)[:, 0]
        return result

    def trajectory(self) -> dict[str, float]:
        """Return the rate."""
        return {"rate": float(self.rate.detach())}

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the rate as a group, so that a recipe can train it differently from the weights."""
        return {"rate": [self.rate]}

    @torch.no_grad()
    def after_step(self) -> None:
        """Clamp the rate to its bounds."""
        self.rate.clamp_(RATE.lowest, RATE.highest)


def brightened(network: nn.Module, gain: float) -> nn.Module:
    """Return a network that has the weights of `network` and sees pictures at `gain` times their contrast."""

    class Brightened(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: Tensor) -> Tensor:
            result: Tensor = self.network(gain * image)
            return result

        def trajectory(self) -> dict[str, float]:
            rate: dict[str, float] = self.network.trajectory()  # type: ignore[operator]
            return rate

    return Brightened()
