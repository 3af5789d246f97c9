"""The single-path networks of Wei et al. 2017: the dilation baseline, and the network that learns its receptive field."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor, nn

from lightning_modules.layers.inflation import InflationLayer
from lightning_modules.networks.backbone import Backbone, BackboneVGG, check_positive
from lightning_modules.networks.path import path_learned, path_receptive_field, path_scores, path_trajectory
from lightning_modules.networks.vgg import initialise


class AdaptiveVGG(BackboneVGG):
    """VGG-16 with a dilated fc6 and, if `inflated`, a learned receptive field.

    If inflated, the inflation layer comes before fc6, and the interpolation layer comes after fc8.

    Source: Wei et al. 2017, section 3.1 and figure 1 (a).

    Args:
        num_classes: Number of classes, background included.
        dilation: Dilation of fc6.
        gradient: Gradient of f; see `InflationLayer`.
        background_weight: Weight of background pixels in the gradient of f; below 1, training needs labels.
        backbone: Arguments of `BackboneVGG`, by name: kernel_size, inflated, norm, width, head_channels, strides, dilations,
            pool_dilations, batch_norm, dropout, narrowest, fc8_std.
    """

    def __init__(
        self,
        num_classes: int,
        dilation: int,
        *,
        gradient: str = "equation 11",
        background_weight: float = 1.0,
        **backbone: Unpack[Backbone],
    ) -> None:
        check_positive(dilation=dilation)
        super().__init__(num_classes, **backbone)
        self.factor = InflationLayer(gradient=gradient, background_weight=background_weight) if self.inflated else None
        self.head = self.head_of(dilation)
        initialise(self, self.fc8_std)

    @property
    def uses_labels(self) -> bool:
        """Whether `forward` needs the labels in training."""
        return self.factor is not None and self.factor.uses_labels

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map B 3 H W to scores B num_classes H W; in training also takes labels B H W, if the network `uses_labels`."""
        return path_scores(self.pool5(image), self.head, self.factor, (image.shape[-2], image.shape[-1]), labels)

    def receptive_field(self) -> int:
        """Return fc6's receptive field in pixels; if it is learned, by the formula of section 3.3."""
        return path_receptive_field(self.features, self.head, self.factor)

    fc6_receptive_field = receptive_field

    def trajectory(self) -> dict[str, float]:
        """Return the learned values during training: f, the two shares of its last gradient, the receptive field in pixels."""
        return path_trajectory(self.features, self.head, self.factor)

    def learned(self) -> dict[str, float]:
        """Return the learned values of a trained network: f, and the receptive field in pixels."""
        return path_learned(self.features, self.head, self.factor)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the groups `f` (empty if f is not learned) and `head` (fc6 to fc8)."""
        return {"f": [] if self.factor is None else [self.factor.value], "head": list(self.head.parameters())}
