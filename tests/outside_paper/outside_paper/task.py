"""Regression of a wave's period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import MeanAbsoluteError, MeanSquaredError, MetricCollection

from lightning_modules.example import Example
from lightning_modules.recipe import Optimization
from lightning_modules.task import Task


class PeriodRegression(Task):
    """Train on the l1 distance to the period over `scale`; evaluate by mean absolute and mean squared error, in pixels.

    Args:
        network: Network from B 1 H W to B.
        optimization: Optimiser and schedule; None if the network is only evaluated.
        scale: Pixels per unit of the network's output.
    """

    label = "period"

    def __init__(self, network: nn.Module, optimization: Optimization | None = None, scale: float = 10.0) -> None:
        super().__init__(network, optimization, scale=scale)
        self.scale = scale
        self.metric = MetricCollection({"mae": MeanAbsoluteError(), "mse": MeanSquaredError()})

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the mean l1 distance of a batch."""
        return functional.l1_loss(self(batch["image"]), batch["period"] / self.scale)

    def outputs(self, batch: Mapping[str, Any]) -> Tensor:
        """Return periods in pixels, B."""
        return self(batch["image"]) * self.scale

    def examples(self, batch: Mapping[str, Any], outputs: Tensor, data: Any, number: int) -> Sequence[Example]:
        """Return pictures of waves, captioned with the true and the predicted period."""
        pictures = ((batch["image"][:number].cpu().numpy() + 1) * 127.5).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
        said = zip(pictures, batch["period"].tolist(), outputs.tolist(), strict=False)
        return [Example(image, f"{period:.1f} px, predicted {found:.1f} px") for image, period, found in said]
