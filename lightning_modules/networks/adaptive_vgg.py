"""The single-path networks of Wei et al. 2017: the dilation baseline, and the one that learns its receptive field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from lightning_modules.layers.inflation import InflationLayer
from lightning_modules.layers.quantities import INFLATION
from lightning_modules.layers.windows import receptive_field
from lightning_modules.networks.path import path_learned, path_receptive_field, path_scores, path_trajectory
from lightning_modules.networks.vgg import CHANNELS, initialise, start_weights, vgg16_features, vgg16_head, windows
from lightning_modules.quantity import Quantity


class AdaptiveVGG(nn.Module):
    """VGG-16 with a dilated fc6 and, where `inflated`, a learned receptive field.

    Inflated: the inflation layer before fc6, the interpolation layer after fc8.

    Source: Wei et al. 2017, section 3.1 and figure 1 (a); pool5 has a receptive field of 212 pixels at a stride of 8.
    Not in paper: 2x2 pooling windows; pool4's and pool5's padding, which keeps 62 cells for 500 pixels.

    Args:
        num_classes: background included.
        dilation: of fc6.
        kernel_size: of fc6; 4 on Helen and 3 on VOC, by the receptive fields that the tables print.
        inflated: whether the receptive field is learned.
        norm: batch norm before fc6, or before the inflation layer.
        width: channels of conv1_1 to conv5_3 as a share of VGG-16's.
        head_channels: of fc6 and fc7.
        strides: of pool1 to pool5.
        dilations: of conv1 to conv5.
        pool_dilations: of pool1 to pool5.
        batch_norm: after every convolution but fc8.
        dropout: after fc6 and fc7.
        gradient: of f; see `InflationLayer`.
        background_weight: of background pixels in the gradient of f; below 1, training needs labels.
    """

    def __init__(
        self,
        num_classes: int,
        dilation: int,
        kernel_size: int = 4,
        inflated: bool = True,
        norm: bool = True,
        width: float = 1.0,
        head_channels: int = 4096,
        strides: Sequence[int] = (2, 2, 2, 1, 1),
        dilations: Sequence[int] = (1, 1, 1, 1, 2),
        pool_dilations: Sequence[int] = (1, 1, 1, 1, 2),
        batch_norm: bool = False,
        dropout: float = 0.5,
        gradient: str = "equation 11",
        background_weight: float = 1.0,
    ) -> None:
        super().__init__()
        for name, value in (("num_classes", num_classes), ("dilation", dilation), ("kernel_size", kernel_size)):
            if value < 1:
                raise ValueError(f"Expected `{name}` to be a positive integer, but got {value}.")
        channels = round(CHANNELS[-1] * width)
        self.features = vgg16_features(strides, dilations, pool_dilations, width, batch_norm)
        self.norm = nn.BatchNorm2d(channels) if norm else nn.Identity()
        self.factor = InflationLayer(gradient=gradient, background_weight=background_weight) if inflated else None
        self.head = vgg16_head(channels, head_channels, num_classes, kernel_size, dilation, dropout, batch_norm)
        self.num_classes, self.kernel_size = num_classes, kernel_size
        self.pool5_receptive_field, self.stride = receptive_field(windows(self.features))
        initialise(self)

    @property
    def uses_labels(self) -> bool:
        """Whether training needs the labels in `forward`."""
        return self.factor is not None and self.factor.uses_labels

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:
        """B 3 H W, in training with labels B H W where it `uses_labels`, to scores B num_classes H W."""
        features = self.norm(self.features(image))
        return path_scores(features, self.head, self.factor, (image.shape[-2], image.shape[-1]), labels)

    def receptive_field(self) -> int:
        """Return fc6's receptive field in pixels, by section 3.3's formula where it is learned."""
        return path_receptive_field(self.features, self.head, self.factor)

    def trajectory(self) -> dict[str, float]:
        """Return what is learned about the receptive field: f, the two shares of its last gradient, the receptive field in pixels."""
        return path_trajectory(self.features, self.head, self.factor)

    def learned(self) -> dict[str, float]:
        """Return what a trained network has learned about the receptive field: f, and the receptive field in pixels."""
        return path_learned(self.features, self.head, self.factor)

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What is learned."""
        return () if self.factor is None else INFLATION

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Name f, where it is learned, and fc6 to fc8."""
        return {"f": [] if self.factor is None else [self.factor.value], "head": list(self.head.parameters())}

    def sizes(self, shape: tuple[int, ...] | None = None) -> dict[str, int | None]:
        """Return fc6's receptive field, None where it is learned, that of pool5, and the stride: all in pixels, whatever the pictures."""
        fixed = self.receptive_field() if self.factor is None else None
        return {"receptive_field": fixed, "pool5_receptive_field": self.pool5_receptive_field, "stride": self.stride}

    def start_weights(self, state: Mapping[str, Tensor], layout: str) -> dict[str, Tensor]:
        """Return the weights made of a VGG-16; see `vgg.start_weights`."""
        return start_weights(state, layout, self.kernel_size)
