"""From pool5 to scores: what the paths of one network have in common, and networks of one path and of several."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.layers.inflation import InflationLayer, interpolate
from lightning_modules.layers.windows import inflated_receptive_field, receptive_field
from lightning_modules.networks.vgg import windows


def path_scores(
    features: Tensor, head: nn.Module, factor: InflationLayer | None, size: tuple[int, int], labels: Tensor | None = None
) -> Tensor:
    """Return the scores of a path: `head` between the inflation and the interpolation layer, or without a factor interpolated alone.

    Source: Wei et al. 2017, section 3.1 and figure 1.

    Args:
        features: B C h w, of pool5.
        head: fc6 to fc8, which keep the size.
        factor: f, where it is learned.
        size: H W, of the image.
        labels: B H W, in training, for a factor whose gradient depends on them.

    Returns:
        B num_classes H W.
    """
    source = (features.shape[-2], features.shape[-1])
    if factor is None:
        scores = head(features)
        kind = torch.promote_types(features.dtype, torch.float32)  # half has too few bits for positions
        return interpolate(scores, scores.new_ones((), dtype=kind), source, size)
    return factor.interpolate(head(factor(features, size, labels)), source, size, labels)


def path_receptive_field(features: nn.Module, head: nn.Module, factor: InflationLayer | None) -> int:
    """Return fc6's receptive field in pixels, by section 3.3's formula where it is learned."""
    layers = list(windows(features))
    if factor is None:
        return receptive_field([*layers, *windows(head)])[0]
    fc6 = next(windows(head))
    return inflated_receptive_field(float(factor.value.detach()), fc6.extent, *receptive_field(layers))


def path_learned(features: nn.Module, head: nn.Module, factor: InflationLayer | None) -> dict[str, float]:
    """Return what a path has learned: f, and the receptive field in pixels that follows from it."""
    return {name: value for name, value in path_trajectory(features, head, factor).items() if not name.startswith("gradient_")}


def path_trajectory(features: nn.Module, head: nn.Module, factor: InflationLayer | None) -> dict[str, float]:
    """Return what is learned about a receptive field: f, the two shares of its last gradient, the receptive field in pixels."""
    if factor is None:
        return {}
    return {
        "f": float(factor.value.detach()),
        "gradient_inflation": float(factor.shares[0]),
        "gradient_interpolation": float(factor.shares[1]),
        "receptive_field": float(path_receptive_field(features, head, factor)),
    }
