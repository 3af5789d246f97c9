"""The single-path networks of Wei et al. 2017: the dilation baseline, and the one that learns its receptive field."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor, nn

from lightning_modules.layers.inflation import InflationLayer
from lightning_modules.networks.backbone import Backbone, BackboneVGG, check_positive
from lightning_modules.networks.path import path_learned, path_receptive_field, path_scores, path_trajectory
from lightning_modules.networks.vgg import initialise


class AdaptiveVGG(BackboneVGG):
    """VGG-16 with a dilated fc6 and, where `inflated`, a learned receptive field.

    Inflated: the inflation layer before fc6, the interpolation layer after fc8.

    Source: Wei et al. 2017, section 3.1 and figure 1 (a).

    Args:
        num_classes: background included.
        dilation: of fc6.
        gradient: of f; see `InflationLayer`.
        background_weight: of background pixels in the gradient of f; below 1, training needs labels.
        backbone: by name, see `BackboneVGG`: kernel_size, inflated, norm, width, head_channels, strides, dilations, pool_dilations,
            batch_norm, dropout.
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
        initialise(self)

    @property
    def uses_labels(self) -> bool:
        """Whether training needs the labels in `forward`."""
        return self.factor is not None and self.factor.uses_labels

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:
        """B 3 H W, in training with labels B H W where it `uses_labels`, to scores B num_classes H W."""
        return path_scores(self.pool5(image), self.head, self.factor, (image.shape[-2], image.shape[-1]), labels)

    def receptive_field(self) -> int:
        """Return fc6's receptive field in pixels, by section 3.3's formula where it is learned."""
        return path_receptive_field(self.features, self.head, self.factor)

    fc6_receptive_field = receptive_field

    def trajectory(self) -> dict[str, float]:
        """Return what is learned about the receptive field: f, the two shares of its last gradient, the receptive field in pixels."""
        return path_trajectory(self.features, self.head, self.factor)

    def learned(self) -> dict[str, float]:
        """Return what a trained network has learned about the receptive field: f, and the receptive field in pixels."""
        return path_learned(self.features, self.head, self.factor)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Name f, where it is learned, and fc6 to fc8."""
        return {"f": [] if self.factor is None else [self.factor.value], "head": list(self.head.parameters())}
