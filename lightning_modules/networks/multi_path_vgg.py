"""The multi-path networks of Wei et al. 2017: parallel paths of different dilations, or of receptive fields that are learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from lightning_modules.layers.gradient_weight import weighted_gradient
from lightning_modules.layers.inflation import InflationLayer
from lightning_modules.layers.quantities import INFLATION
from lightning_modules.layers.windows import receptive_field
from lightning_modules.networks.path import path_learned, path_receptive_field, path_scores, path_trajectory
from lightning_modules.networks.vgg import CHANNELS, initialise, start_weights, vgg16_features, vgg16_head, windows
from lightning_modules.quantity import Quantity


class Path(nn.Module):
    """One of the parallels: fc6 to fc8, and the factor that is learned for them, if any."""

    def __init__(self, head: nn.Module, factor: InflationLayer | None) -> None:
        super().__init__()
        self.head, self.factor = head, factor

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """B C h w of pool5 to scores B num_classes H W."""
        return path_scores(features, self.head, self.factor, size)


class MultiPathVGG(nn.Module):
    """VGG-16 with fc6 to fc8 in several paths, whose scores are added up.

    Inflated: each path has inflation and interpolation layers with a factor of its own, and in training a weighted gradient layer.

    Source: Wei et al. 2017, sections 3.1 and 3.4 and figure 1 (b). All paths start from the same weights.
    Not in paper: section 3.1 has a batch norm in every path and section 3.4 one that they share; here they share it. Only dropout tells
    paths of the same dilation and label set apart.

    Args:
        num_classes: background included.
        path_dilations: of fc6, one a path.
        kernel_size: of fc6.
        inflated: whether the receptive fields are learned.
        norm: batch norm after pool5.
        label_sets: one a path, the labels whose pixels' gradients are weighted in it; none where empty.
        gradient_weight: of those pixels; section 4.3.2.
        width: channels of conv1_1 to conv5_3 as a share of VGG-16's.
        head_channels: of fc6 and fc7.
        strides: of pool1 to pool5.
        dilations: of conv1 to conv5.
        pool_dilations: of pool1 to pool5.
        batch_norm: after every convolution but fc8.
        dropout: after fc6 and fc7.
    """

    def __init__(
        self,
        num_classes: int,
        path_dilations: Sequence[int],
        kernel_size: int = 4,
        inflated: bool = True,
        norm: bool = True,
        label_sets: Sequence[Sequence[int]] = (),
        gradient_weight: float = 1.2,
        width: float = 1.0,
        head_channels: int = 4096,
        strides: Sequence[int] = (2, 2, 2, 1, 1),
        dilations: Sequence[int] = (1, 1, 1, 1, 2),
        pool_dilations: Sequence[int] = (1, 1, 1, 1, 2),
        batch_norm: bool = False,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        _check(num_classes, path_dilations, kernel_size, label_sets, gradient_weight)
        channels = round(CHANNELS[-1] * width)
        self.features = vgg16_features(strides, dilations, pool_dilations, width, batch_norm)
        self.norm = nn.BatchNorm2d(channels) if norm else nn.Identity()
        heads = [
            vgg16_head(channels, head_channels, num_classes, kernel_size, dilation, dropout, batch_norm) for dilation in path_dilations
        ]
        self.paths: Sequence[Path] = nn.ModuleList(  # type: ignore[assignment]  # its members have no type
            Path(head, InflationLayer() if inflated else None) for head in heads
        )
        self.num_classes, self.kernel_size, self.inflated = num_classes, kernel_size, inflated
        self.label_sets, self.gradient_weight = label_sets or ((),) * len(heads), gradient_weight
        self.pool5_receptive_field, self.stride = receptive_field(windows(self.features))
        initialise(self)
        for head in heads[1:]:
            head.load_state_dict(heads[0].state_dict())

    @property
    def uses_labels(self) -> bool:
        """Whether labels make a difference to what is learned."""
        return any(self.label_sets) and self.gradient_weight != 1

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:
        """B 3 H W, in training with labels B H W, to scores B num_classes H W."""
        features = self.norm(self.features(image))
        scores = [path(features, (image.shape[-2], image.shape[-1])) for path in self.paths]
        if self.training and labels is not None:
            scores = [
                weighted_gradient(score, labels, members, self.gradient_weight)
                for score, members in zip(scores, self.label_sets, strict=True)
            ]
        total: Tensor = sum(scores[1:], scores[0])
        return total

    def receptive_fields(self) -> list[int]:
        """Return fc6's receptive field in pixels, of each path."""
        return [path_receptive_field(self.features, path.head, path.factor) for path in self.paths]

    def learned(self) -> dict[str, list[float]]:
        """Return what is learned about the receptive fields, each quantity with one value a path: f, and the receptive field in pixels."""
        return _by_name([path_learned(self.features, path.head, path.factor) for path in self.paths])

    def trajectory(self) -> dict[str, float]:
        """Return what is learned about the receptive fields, the path's number behind each name: `f_1`, `f_2`, ..."""
        found = _by_name([path_trajectory(self.features, path.head, path.factor) for path in self.paths])
        return {f"{name}_{path}": value for name, values in found.items() for path, value in enumerate(values, 1)}

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What is learned."""
        return INFLATION if self.inflated else ()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Name the factors of all paths, where they are learned."""
        return {"f": [path.factor.value for path in self.paths if path.factor is not None]}

    def sizes(self, shape: tuple[int, ...] | None = None) -> dict[str, Any]:
        """Return fc6's receptive fields, None where they are learned, that of pool5, and the stride: all in pixels."""
        fixed = None if self.inflated else self.receptive_fields()
        return {"receptive_field": fixed, "pool5_receptive_field": self.pool5_receptive_field, "stride": self.stride}

    def start_weights(self, state: Mapping[str, Tensor], layout: str) -> dict[str, Tensor]:
        """Return the weights made of a VGG-16, the same for every path; see `vgg.start_weights`."""
        single = start_weights(state, layout, self.kernel_size)
        features = {name: value for name, value in single.items() if name.startswith("features.")}
        head = {name: value for name, value in single.items() if name.startswith("head.")}
        return features | {f"paths.{path}.{name}": value for path in range(len(self.paths)) for name, value in head.items()}


def _by_name(paths: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    return {name: [path[name] for path in paths] for name in paths[0]}


def _check(
    num_classes: int, path_dilations: Sequence[int], kernel_size: int, label_sets: Sequence[Sequence[int]], gradient_weight: float
) -> None:
    for name, value in (("num_classes", num_classes), ("kernel_size", kernel_size)):
        if value < 1:
            raise ValueError(f"Expected `{name}` to be a positive integer, but got {value}.")
    if not path_dilations or min(path_dilations) < 1:
        raise ValueError(f"Expected `path_dilations` to be positive integers, one a path, but got {tuple(path_dilations)}.")
    if label_sets and len(label_sets) != len(path_dilations):
        raise ValueError(f"Expected `label_sets` to have one set a path, {len(path_dilations)}, or none, but got {len(label_sets)}.")
    if any(not 0 <= label < num_classes for members in label_sets for label in members):
        raise ValueError(f"Expected `label_sets` to hold classes below {num_classes}, but got {tuple(map(tuple, label_sets))}.")
    if not gradient_weight > 0:
        raise ValueError(f"Expected `gradient_weight` to be positive, but got {gradient_weight}.")
