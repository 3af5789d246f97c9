"""The base class of the networks of Wei et al. 2017: VGG-16 up to pool5, and the heads of the paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypedDict

from torch import Tensor, nn

from lightning_modules.layers.quantities import INFLATION
from lightning_modules.layers.windows import receptive_field
from lightning_modules.networks.network import Network
from lightning_modules.networks.vgg import CHANNELS, start_weights, vgg16_features, vgg16_head, windows
from lightning_modules.quantity import Quantity


class Backbone(TypedDict, total=False):
    """The arguments of `BackboneVGG` that each network takes by name and passes on."""

    kernel_size: int
    inflated: bool
    norm: bool
    width: float
    head_channels: int
    strides: Sequence[int]
    dilations: Sequence[int]
    pool_dilations: Sequence[int]
    batch_norm: bool
    dropout: float
    narrowest: int
    fc8_std: float


class BackboneVGG(Network):
    """VGG-16's conv1_1 to pool5 and a batch norm, before one or several paths.

    Source: Wei et al. 2017, section 3.1; pool5 has a receptive field of 212 pixels at a stride of 8.
    Not in paper: 2x2 pooling windows; the padding of pool4 and pool5, which keeps 62 cells for 500 pixels; the start of fc8.

    Args:
        num_classes: Number of classes, background included.
        kernel_size: Kernel size of fc6; 4 on Helen and 3 on VOC, computed from the receptive fields that the tables print.
        inflated: Whether receptive fields are learned.
        norm: Whether a batch norm follows pool5, before fc6 or before the inflation layer.
        width: Number of channels of conv1_1 to conv5_3 as a share of VGG-16's.
        head_channels: Number of channels of fc6 and fc7.
        strides: Strides of pool1 to pool5.
        dilations: Dilations of conv1 to conv5.
        pool_dilations: Dilations of pool1 to pool5.
        batch_norm: Whether a batch norm follows every convolution but fc8.
        dropout: Dropout rate after fc6 and fc7.
        narrowest: Least number of channels of conv1_1 to conv5_3.
        fc8_std: Standard deviation of fc8's weights at the start.

    Raises:
        ValueError: A number is not positive.
    """

    channels_last = True

    def __init__(
        self,
        num_classes: int,
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
        narrowest: int = 1,
        fc8_std: float = 0.01,
    ) -> None:
        super().__init__()
        check_positive(num_classes=num_classes, kernel_size=kernel_size, narrowest=narrowest)
        if not fc8_std > 0:
            raise ValueError(f"Expected `fc8_std` to be positive, but got {fc8_std}.")
        channels = max(narrowest, round(CHANNELS[-1] * width))
        self.features = vgg16_features(strides, dilations, pool_dilations, width, narrowest, batch_norm)
        self.norm = nn.BatchNorm2d(channels) if norm else nn.Identity()
        self.num_classes, self.kernel_size, self.inflated, self.fc8_std = num_classes, kernel_size, inflated, fc8_std
        self.pool5_receptive_field, self.stride = receptive_field(windows(self.features))
        self._head = partial(vgg16_head, channels, head_channels, num_classes, kernel_size, dropout=dropout, batch_norm=batch_norm)

    def head_of(self, dilation: int) -> nn.Sequential:
        """Build fc6 to fc8 of one path; `dilation` is that of fc6."""
        return self._head(dilation)

    def pool5(self, image: Tensor) -> Tensor:
        """Map B 3 H W to the normalised features B C h w, the input of the paths."""
        features: Tensor = self.norm(self.features(image))
        return features

    def fc6_receptive_field(self) -> int | list[int]:
        """Return fc6's receptive field in pixels, or a list with one per path."""
        raise NotImplementedError(f"{type(self).__name__} has no `fc6_receptive_field`.")

    def sizes(self, shape: tuple[int, ...] | None = None) -> dict[str, Any]:
        """Return the receptive fields of fc6 (None if learned) and of pool5, and the stride, in pixels; `shape` has no influence."""
        fixed = None if self.inflated else self.fc6_receptive_field()
        return {"receptive_field": fixed, "pool5_receptive_field": self.pool5_receptive_field, "stride": self.stride}

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Learned quantities."""
        return INFLATION if self.inflated else ()

    def start_weights(self, state: Mapping[str, Tensor], layout: str) -> dict[str, Tensor]:
        """Convert the weights of a VGG-16; see `vgg.start_weights`."""
        return start_weights(state, layout, self.kernel_size)


def check_positive(**numbers: int) -> None:
    """Check that numbers are 1 or more.

    Raises:
        ValueError: A number is below 1.
    """
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f"Expected `{name}` to be a positive integer, but got {value}.")
