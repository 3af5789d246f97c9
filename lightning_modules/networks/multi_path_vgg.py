"""The multi-path networks of Wei et al. 2017: parallel paths with different dilations, or with learned receptive fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Unpack

from torch import Tensor, nn

from lightning_modules.layers.gradient_weight import weighted_gradient
from lightning_modules.layers.inflation import InflationLayer
from lightning_modules.networks.backbone import Backbone, BackboneVGG
from lightning_modules.networks.path import path_learned, path_receptive_field, path_scores, path_trajectory
from lightning_modules.networks.vgg import initialise


class Path(nn.Module):
    """One of the parallel paths: fc6 to fc8, and their inflation layer, if the receptive field is learned."""

    def __init__(self, head: nn.Module, factor: InflationLayer | None) -> None:
        super().__init__()
        self.head, self.factor = head, factor

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Map features of pool5, B C h w, to scores B num_classes H W."""
        return path_scores(features, self.head, self.factor, size)


class MultiPathVGG(BackboneVGG):
    """VGG-16 with fc6 to fc8 in several paths, whose scores are summed.

    In training with labels, each path has a weighted gradient layer. If inflated, each path also has inflation and interpolation layers
    with their own factor.

    Source: Wei et al. 2017, sections 3.1 and 3.4 and figure 1 (b). All paths start from the same weights.
    Not in paper: section 3.1 has a batch norm in every path, and section 3.4 has one batch norm that all paths share; here they share it.
    Paths with the same dilation and label set differ only by dropout.

    Args:
        num_classes: Number of classes, background included.
        path_dilations: Dilations of fc6, one per path.
        label_sets: Sets of labels, one per path: the path weights the gradients of pixels with these labels. Empty for no weighting.
        gradient_weight: Weight of these gradients; section 4.3.2.
        backbone: Arguments of `BackboneVGG`, by name: kernel_size, inflated, norm, width, head_channels, strides, dilations,
            pool_dilations, batch_norm, dropout, narrowest, fc8_std.
    """

    def __init__(
        self,
        num_classes: int,
        path_dilations: Sequence[int],
        *,
        label_sets: Sequence[Sequence[int]] = (),
        gradient_weight: float = 1.2,
        **backbone: Unpack[Backbone],
    ) -> None:
        super().__init__(num_classes, **backbone)
        _check(num_classes, path_dilations, label_sets, gradient_weight)
        heads = [self.head_of(dilation) for dilation in path_dilations]
        self.paths: Sequence[Path] = nn.ModuleList(  # type: ignore[assignment]  # ModuleList does not type its members
            Path(head, InflationLayer() if self.inflated else None) for head in heads
        )
        self.label_sets, self.gradient_weight = label_sets or ((),) * len(heads), gradient_weight
        initialise(self, self.fc8_std)
        for head in heads[1:]:
            head.load_state_dict(heads[0].state_dict())

    @property
    def uses_labels(self) -> bool:
        """Whether labels change what is learned."""
        return any(self.label_sets) and self.gradient_weight != 1

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map B 3 H W to scores B num_classes H W; in training also takes labels B H W."""
        features = self.pool5(image)
        scores = [path(features, (image.shape[-2], image.shape[-1])) for path in self.paths]
        if self.training and labels is not None:
            scores = [
                weighted_gradient(score, labels, members, self.gradient_weight)
                for score, members in zip(scores, self.label_sets, strict=True)
            ]
        total: Tensor = sum(scores[1:], scores[0])
        return total

    def receptive_fields(self) -> list[int]:
        """Return fc6's receptive field in pixels, one per path."""
        return [path_receptive_field(self.features, path.head, path.factor) for path in self.paths]

    fc6_receptive_field = receptive_fields

    def learned(self) -> dict[str, list[float]]:
        """Return the learned values of a trained network, each with one value per path: f, and the receptive field in pixels."""
        return _by_name([path_learned(self.features, path.head, path.factor) for path in self.paths])

    def trajectory(self) -> dict[str, float]:
        """Return the learned values during training; the path's number follows each name: `f_1`, `f_2`, ..."""
        found = _by_name([path_trajectory(self.features, path.head, path.factor) for path in self.paths])
        return {f"{name}_{path}": value for name, values in found.items() for path, value in enumerate(values, 1)}

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the group `f`: the factors of all paths; empty if they are not learned."""
        return {"f": [path.factor.value for path in self.paths if path.factor is not None]}

    def start_weights(self, state: Mapping[str, Tensor], layout: str) -> dict[str, Tensor]:
        """Convert the weights of a VGG-16, the same for every path; see `vgg.start_weights`."""
        single = super().start_weights(state, layout)
        features = {name: value for name, value in single.items() if name.startswith("features.")}
        head = {name: value for name, value in single.items() if name.startswith("head.")}
        return features | {f"paths.{path}.{name}": value for path in range(len(self.paths)) for name, value in head.items()}


def _by_name(paths: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    return {name: [path[name] for path in paths] for name in paths[0]}


def _check(num_classes: int, path_dilations: Sequence[int], label_sets: Sequence[Sequence[int]], gradient_weight: float) -> None:
    if not path_dilations or min(path_dilations) < 1:
        raise ValueError(f"Expected `path_dilations` to be positive integers, one per path, but got {tuple(path_dilations)}.")
    if label_sets and len(label_sets) != len(path_dilations):
        raise ValueError(f"Expected `label_sets` to have one set per path, {len(path_dilations)}, or none, but got {len(label_sets)}.")
    if any(not 0 <= label < num_classes for members in label_sets for label in members):
        raise ValueError(f"Expected `label_sets` to hold classes below {num_classes}, but got {tuple(map(tuple, label_sets))}.")
    if not gradient_weight > 0:
        raise ValueError(f"Expected `gradient_weight` to be positive, but got {gradient_weight}.")
