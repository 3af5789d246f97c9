"""Functions that compute a path, from pool5 to scores, for networks with one path and with several."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.layers.inflation import InflationLayer, interpolate
from lightning_modules.layers.windows import inflated_receptive_field, receptive_field
from lightning_modules.networks.vgg import windows


def path_scores(
    features: Tensor, head: nn.Module, factor: InflationLayer | None, size: tuple[int, int], labels: Tensor | None = None
) -> Tensor:
    """Return the scores of a path: inflation layer, `head`, interpolation layer; without a factor, `head` and interpolation.

    Source: Wei et al. 2017, section 3.1 and figure 1.

    Args:
        features: Features of pool5, B C h w.
        head: Layers fc6 to fc8, which keep the size.
        factor: Inflation layer with the factor f; None if f is not learned.
        size: Size of the image, H W.
        labels: Labels B H W in training, if the gradient of f depends on them.

    Returns:
        Scores B num_classes H W.
    """
    source = (features.shape[-2], features.shape[-1])
    if factor is None:
        scores = head(features)
        kind = torch.promote_types(features.dtype, torch.float32)  # half precision has too few bits for positions
        return interpolate(scores, scores.new_ones((), dtype=kind), source, size)
    return factor.interpolate(head(factor(features, size, labels)), source, size, labels)


def path_receptive_field(features: nn.Module, head: nn.Module, factor: InflationLayer | None) -> int:
    """Return fc6's receptive field in pixels; if it is learned, by the formula of section 3.3."""
    layers = list(windows(features))
    if factor is None:
        return receptive_field([*layers, *windows(head)])[0]
    fc6 = next(windows(head))
    return inflated_receptive_field(float(factor.value.detach()), fc6.extent, *receptive_field(layers))


def path_learned(features: nn.Module, head: nn.Module, factor: InflationLayer | None) -> dict[str, float]:
    """Return the learned values of a path: f, and the receptive field in pixels that follows from it."""
    return {name: value for name, value in path_trajectory(features, head, factor).items() if not name.startswith("gradient_")}


def path_trajectory(features: nn.Module, head: nn.Module, factor: InflationLayer | None) -> dict[str, float]:
    """Return the values of a path in training: f, the two shares of its last gradient, the receptive field in pixels."""
    if factor is None:
        return {}
    return {
        "f": float(factor.value.detach()),
        "gradient_inflation": float(factor.shares[0]),
        "gradient_interpolation": float(factor.shares[1]),
        "receptive_field": float(path_receptive_field(features, head, factor)),
    }
