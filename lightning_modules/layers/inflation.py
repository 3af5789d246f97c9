"""The inflation and interpolation layers, which share the factor f."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lightning_modules.layers.bilinear import resample
from lightning_modules.layers.windows import inflated_size
from lightning_modules.over_ranks import mean_over_ranks


class _ScaledGradient(torch.autograd.Function):
    """Forward: the identity. Backward: the gradient times a constant; `record` sums these gradients."""

    @staticmethod
    def forward(ctx: Any, factor: Tensor, scale: float, record: Tensor | None) -> Tensor:
        ctx.scale, ctx.record = scale, record
        return factor.view_as(factor)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        share = grad_outputs[0] * ctx.scale
        if ctx.record is not None:
            ctx.record.add_(share)
        return share, None, None


def scale_gradient(factor: Tensor, scale: float, record: Tensor | None = None) -> Tensor:
    """Return `factor` unchanged; its gradient is multiplied by `scale` and, if `record` is given, also added to `record`."""
    scaled: Tensor = _ScaledGradient.apply(factor, scale, record)  # type: ignore[no-untyped-call]
    return scaled


def inflate(
    features: Tensor,
    factor: Tensor,
    size: tuple[int, int] | None = None,
    record: Tensor | None = None,
    pixels: int | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Resample features on a grid that is `factor` times as fine, so that later kernels see 1 / factor of the extent.

    The gradient of `factor` is divided by the number of target cells.
    Source: Wei et al. 2017, section 3.2, equations 1 to 4; the gradient, equation 7 and the first line of equation 11.

    Args:
        features: Feature maps, B C H W.
        factor: Inflation factor, scalar, unitless; a factor above 1 shrinks the receptive field of later layers.
        size: Target size H' W', instead of that of equation 2.
        record: Scalar tensor, to which the backward pass adds this layer's share of the gradient.
        pixels: Number that divides the gradient, instead of H' W'.
        weight: Weights of target cells in the gradient of `factor`, B 1 H' W' or H' W'.

    Returns:
        Inflated features B C H' W', with H' = floor(factor * (H - 1)) + 1.
    """
    size = inflated_map(features, factor) if size is None else size
    scaled = scale_gradient(factor, 1 / (pixels or size[0] * size[1]), record)
    rows, columns = (torch.arange(cells, device=features.device, dtype=factor.dtype) / scaled for cells in size)
    return resample(features, rows, columns, weight)


def inflated_map(features: Tensor, factor: Tensor | float) -> tuple[int, int]:
    """Return the size H' W' of inflated features; see `inflated_size`."""
    value = float(factor.detach()) if isinstance(factor, Tensor) else factor
    return inflated_size(features.shape[-2], value), inflated_size(features.shape[-1], value)


def interpolate(
    features: Tensor,
    factor: Tensor,
    source: tuple[int, int],
    size: tuple[int, int],
    record: Tensor | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Resample maps that were computed from inflated features on the grid of the labels.

    The gradient of `factor` is divided by the number of target pixels.
    Source: Wei et al. 2017, section 3.2, equations 8 and 9; the gradient, the second line of equation 11.
    Not in paper: C in equation 11 is the number of classes; the paper says "channel amount in BN layer". F = (H' - 1) / (H_pool5 - 1),
    8.18 for 62 cells and an image of 500. The paper's 8.11 fits 503 / 62: 63 cells, of pooling that rounds up, which span 504 pixels.

    Args:
        features: Maps B C h w, computed from features inflated by `factor`.
        factor: Inflation factor, scalar, unitless.
        source: Size of the features before inflation, H_pool5 W_pool5.
        size: Size of the labels, H' W'.
        record: Scalar tensor, to which the backward pass adds this layer's share of the gradient.
        weight: Weights of target pixels in the gradient of `factor`, B 1 H' W' or H' W'.

    Returns:
        Maps B C H' W'.
    """
    scaled = scale_gradient(factor, 1 / (size[0] * size[1]), record)
    # Target pixel t is at t / F in cells of pool5, and at f * t / F in cells of the inflated map.
    rows, columns = (
        torch.arange(target, device=features.device, dtype=factor.dtype) * (cells - 1) / max(target - 1, 1) * scaled
        for target, cells in zip(size, source, strict=True)
    )
    return resample(features, rows, columns, weight)


def background_mask(labels: Tensor, size: tuple[int, int], weight: float) -> Tensor:
    """Return the weights of target pixels in the gradient of f: `weight` on the background, 1 elsewhere.

    Source: Wei et al. 2017, section 4.2, trick (b).
    Not in paper: a target pixel has the label of the nearest image pixel; the corners of image and map coincide.

    Args:
        labels: Labels B H W; class 0 is the background.
        size: Size of the target map, H' W'.
        weight: Weight of background pixels, unitless, below 1.

    Returns:
        Weights B 1 H' W'.
    """
    rows, columns = (
        (torch.arange(target, device=labels.device) * ((length - 1) / max(target - 1, 1))).round().long()
        for target, length in zip(size, labels.shape[-2:], strict=True)
    )
    background = labels[:, rows[:, None], columns] == 0
    return torch.where(background, weight, 1.0)[:, None]


GRADIENTS = ("equation 11", "true")


class InflationLayer(nn.Module):
    """Resample features on a grid that is f times as fine, with a learned f, so that later layers see 1 / f of the extent.

    `forward` is the inflation layer. `interpolate` is the interpolation layer with the same f: it resamples maps that were computed from
    the inflated features. Without our tasks, call `after_step` after each optimiser step; it clamps f to its range.

        inflation = InflationLayer()
        optimizer.register_step_post_hook(lambda *_: inflation.after_step())
        scores = inflation.interpolate(head(inflation(features)), source=features.shape[-2:], size=labels.shape[-2:])

    f starts at 1, where both layers together are only a bilinear interpolation. The gradient of f is much smaller than that of the
    weights, so f needs its own learning rate. `shares` has what each layer added to this gradient since the last `before_gradients`.

    Source: Wei et al. 2017, section 3.2: equations 1 to 4 and 7 to 9, the gradient by equations 5 and 11; section 4.2: f starts at 1 and
    stays in [0.25, 4].

    Args:
        minimum: Minimum of f.
        maximum: Maximum of f.
        gradient: Gradient of f. "equation 11" divides each layer's share by the number of pixels of its own target map. "true" divides
            both shares by that of the image, which keeps the direction of the loss's derivative.
        background_weight: Weight of background pixels in the gradient of f; see `background_mask`.

    Shape:
        B C H W to B C H' W', with H' = floor(f (H - 1)) + 1.

    Raises:
        ValueError: An argument is out of its range.
    """

    shares: Tensor

    def __init__(self, minimum: float = 0.25, maximum: float = 4.0, gradient: str = GRADIENTS[0], background_weight: float = 1.0) -> None:
        super().__init__()
        if not 0 < minimum <= 1 <= maximum:
            raise ValueError(f"Expected `minimum` and `maximum` to be positive and to enclose 1, but got {minimum} and {maximum}.")
        if gradient not in GRADIENTS:
            raise ValueError(f"Expected `gradient` to be {' or '.join(map(repr, GRADIENTS))}, but got {gradient!r}.")
        if not 0 <= background_weight <= 1:
            raise ValueError(f"Expected `background_weight` to be from 0 to 1, but got {background_weight}.")
        self.minimum, self.maximum, self.gradient, self.background_weight = minimum, maximum, gradient, background_weight
        self.value = nn.Parameter(torch.ones(()))
        self.register_buffer("shares", torch.zeros(2), persistent=False)

        self.frozen: float | None = None

    def freeze(self) -> None:
        """Make f a constant, for evaluation or export: map sizes are then known before the computation. Training is then impossible."""
        self.frozen = float(self.value.detach())
        self.value.requires_grad_(False)

    @property
    def uses_labels(self) -> bool:
        """Whether the gradient of f depends on labels."""
        return self.background_weight < 1

    def forward(self, features: Tensor, image: tuple[int, int] | None = None, labels: Tensor | None = None) -> Tensor:
        """Inflate B C H W to B C H' W'; see `inflate`.

        Args:
            features: Feature maps, B C H W.
            image: Size H W of the pictures in pixels; needed if the gradient is "true".
            labels: Labels B H W in training, if the gradient depends on them.

        Raises:
            ValueError: f is negative, `image` is missing for the gradient "true", or a frozen layer is in training mode.
        """
        if self.gradient == "true" and image is None:
            raise ValueError("Expected `image`, the height and width of the pictures, for gradient='true', but got none.")
        f = self._factor()
        size = inflated_map(features, f if self.frozen is None else self.frozen)
        if min(size) < 1:
            raise ValueError(f"Expected f to be positive, but got {self.value.item():g}; call `after_step` after each step.")
        pixels = image[0] * image[1] if image is not None and self.gradient == "true" else None
        return inflate(features, f, size, self.shares[0], pixels, self._weight(labels, size))

    def interpolate(self, features: Tensor, source: Sequence[int], size: Sequence[int], labels: Tensor | None = None) -> Tensor:
        """Resample maps that were computed from inflated features on the grid of the labels; see `interpolate`.

        Args:
            features: Maps B C h w.
            source: Size H W of the features before inflation.
            size: Size H' W' of the result.
            labels: Labels B H' W' in training, if the gradient depends on them.

        Returns:
            Maps B C H' W'.
        """
        target = (size[0], size[1])
        return interpolate(features, self._factor(), (source[0], source[1]), target, self.shares[1], self._weight(labels, target))

    def _factor(self) -> Tensor:
        if self.frozen is None:
            return self.value
        if self.training:
            raise ValueError("Expected a frozen InflationLayer to be in evaluation mode, but it is in training mode; train the original.")
        return self.value.new_full((), self.frozen)

    def _weight(self, labels: Tensor | None, size: tuple[int, int]) -> Tensor | None:
        return background_mask(labels, size, self.background_weight) if self.uses_labels and labels is not None else None

    def before_step(self, loss_scale: float) -> None:
        """Average the shares over ranks and undo the loss scaling of half precision, so that they match the gradient of f."""
        self.shares.copy_(mean_over_ranks(self.shares) / loss_scale)

    @torch.no_grad()
    def after_step(self) -> None:
        """Clamp f to its range after an optimiser step."""
        self.value.clamp_(self.minimum, self.maximum)

    def before_gradients(self) -> None:
        """Reset the shares to 0."""
        self.shares.zero_()
