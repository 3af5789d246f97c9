"""The inflation and interpolation layers, and the factor f that they share."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lightning_modules.layers.windows import inflated_size
from lightning_modules.over_ranks import mean_over_ranks


class _BilinearWeights(torch.autograd.Function):
    """Rows of bilinear weights, differentiable in the positions at which they sample."""

    @staticmethod
    def forward(ctx: Any, positions: Tensor, size: int) -> Tensor:
        ctx.save_for_backward(positions)
        ctx.size = size
        inside = positions.clamp(0, size - 1)
        left = inside.floor().clamp(max=max(size - 2, 0)).long()
        share = inside - left
        weights: Tensor = positions.new_zeros(len(positions), size)
        weights.scatter_(1, left[:, None], (1 - share)[:, None])
        if size > 1:
            weights.scatter_(1, left[:, None] + 1, share[:, None])
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (gradient,) = grad_outputs
        positions: Tensor = ctx.saved_tensors[0]
        slopes = torch.cat([gradient.diff(dim=1), gradient.new_zeros(len(gradient), 1)], dim=1)

        def slope(cell: Tensor) -> Tensor:
            """Slope between `cell` and the next one; nothing changes beyond either end."""
            valid: Tensor = (cell >= 0) & (cell < ctx.size - 1)
            picked: Tensor = slopes.gather(1, cell.clamp(0, ctx.size - 1)[:, None])[:, 0]
            return picked * valid

        after, before = slope(positions.floor().long()), slope(positions.ceil().long() - 1)
        return (after + before) / 2, None


class _ScaledGradient(torch.autograd.Function):
    """The identity forward; backward, the gradient times a constant, which is also added up."""

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


def bilinear_weights(positions: Tensor, size: int) -> Tensor:
    """Return the matrix that samples a line of `size` cells at `positions`.

    Source: Wei et al. 2017, section 3.2, the kernel max(0, 1 - |x / f - m|) of equation 4, and its derivative, equation 5.
    Not in paper: at a kink (a position on a cell, as all are at f = 1) the derivative is the mean of the two one-sided ones; equation 5
    taken literally gives neither. Beyond the last cell the line goes on with its last value, where equation 4 would fade to zero.

    Args:
        positions: T, in cells of the source.
        size: S, cells of the source.

    Returns:
        T S, rows that sum to 1.
    """
    weights: Tensor = _BilinearWeights.apply(positions, size)  # type: ignore[no-untyped-call]
    return weights


def scale_gradient(factor: Tensor, scale: float, record: Tensor | None = None) -> Tensor:
    """Return `factor` unchanged; its gradient is multiplied by `scale` and, where `record` is given, added to it."""
    scaled: Tensor = _ScaledGradient.apply(factor, scale, record)  # type: ignore[no-untyped-call]
    return scaled


def resample(features: Tensor, rows: Tensor, columns: Tensor, weight: Tensor | None = None) -> Tensor:
    """Sample features at the crossings of `rows` and `columns`, bilinearly: two matrix products.

    With a `weight` of target pixels, what they say of the positions is multiplied by it in the backward pass, and nothing else is.
    Computed in single precision at least, also under autocast: positions on a grid of 500 cells need more than bfloat16's 8 bits.

    Args:
        features: B C H W.
        rows: H', in cells of H.
        columns: W', in cells of W.
        weight: B 1 H' W' or H' W', unitless.

    Returns:
        B C H' W', in the type of `features`.
    """
    kind = features.device.type
    with torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext():
        values = features.to(rows.dtype)
        if weight is None:
            return _sampled(values, rows, columns).to(features.dtype)
        moved = _sampled(values.detach(), rows, columns)
        # The second term is zero: it only carries the weighted gradient to the positions, and the first carries the rest.
        sampled = _sampled(values, rows.detach(), columns.detach()) + (moved - moved.detach()) * weight
    return sampled.to(features.dtype)


def _sampled(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return bilinear_weights(rows, values.shape[-2]) @ values @ bilinear_weights(columns, values.shape[-1]).T


def inflate(
    features: Tensor,
    factor: Tensor,
    size: tuple[int, int] | None = None,
    record: Tensor | None = None,
    pixels: int | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Resample features on a grid `factor` times as fine, so that later kernels see 1 / factor of the extent.

    The gradient of `factor` is divided by the number of target cells.
    Source: Wei et al. 2017, section 3.2, equations 1 to 4; the gradient, equation 7 and the first line of equation 11.

    Args:
        features: B C H W.
        factor: scalar, unitless; above 1 shrinks the receptive field of what follows.
        size: H' W', instead of equation 2's.
        record: scalar, to which the backward pass adds this layer's share of the gradient.
        pixels: what the gradient is divided by, instead of H' W'.
        weight: of target cells in the gradient of `factor`, B 1 H' W' or H' W'.

    Returns:
        B C H' W', with H' = floor(factor * (H - 1)) + 1.
    """
    size = inflated_map(features, factor) if size is None else size
    scaled = scale_gradient(factor, 1 / (pixels or size[0] * size[1]), record)
    rows, columns = (torch.arange(cells, device=features.device, dtype=factor.dtype) / scaled for cells in size)
    return resample(features, rows, columns, weight)


def inflated_map(features: Tensor, factor: Tensor) -> tuple[int, int]:
    """Return H' W' of inflated features; see `inflated_size`."""
    value = float(factor.detach())
    return inflated_size(features.shape[-2], value), inflated_size(features.shape[-1], value)


def interpolate(
    features: Tensor,
    factor: Tensor,
    source: tuple[int, int],
    size: tuple[int, int],
    record: Tensor | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Bring maps computed on inflated features to the grid of the labels.

    The gradient of `factor` is divided by the number of target pixels.
    Source: Wei et al. 2017, section 3.2, equations 8 and 9; the gradient, the second line of equation 11.
    Not in paper: C is the number of classes there, where equation 11 says "channel amount in BN layer"; F = (H' - 1) / (H_pool5 - 1), not
    8.11, which would end 4 pixels before or after an image of 500.

    Args:
        features: B C h w, inflated by `factor`.
        factor: scalar, unitless.
        source: H_pool5 W_pool5, the size of the features before they were inflated.
        size: H' W' of the labels.
        record: scalar, to which the backward pass adds this layer's share of the gradient.
        weight: of target pixels in the gradient of `factor`, B 1 H' W' or H' W'.

    Returns:
        B C H' W'.
    """
    scaled = scale_gradient(factor, 1 / (size[0] * size[1]), record)
    # Target pixel t lies at t / F in cells of pool5, and at f * t / F in cells of the inflated map.
    rows, columns = (
        torch.arange(target, device=features.device, dtype=factor.dtype) * (cells - 1) / max(target - 1, 1) * scaled
        for target, cells in zip(size, source, strict=True)
    )
    return resample(features, rows, columns, weight)


def background_mask(labels: Tensor, size: tuple[int, int], weight: float) -> Tensor:
    """Return what target pixels count in the gradient of f: `weight` on the background, 1 elsewhere.

    Source: Wei et al. 2017, section 4.2, trick (b).
    Not in paper: a target pixel has the label of the nearest pixel of the image, whose corners are the map's corners.

    Args:
        labels: B H W; class 0 is the background.
        size: H' W' of the target map.
        weight: unitless, below 1.

    Returns:
        B 1 H' W'.
    """
    rows, columns = (
        (torch.arange(target, device=labels.device) * ((length - 1) / max(target - 1, 1))).round().long()
        for target, length in zip(size, labels.shape[-2:], strict=True)
    )
    background = labels[:, rows[:, None], columns] == 0
    return torch.where(background, weight, 1.0)[:, None]


GRADIENTS = ("equation 11", "true")


class InflationLayer(nn.Module):
    """The learned inflation factor f, kept within its range, with the two shares of its gradient.

    Shares add up as gradients do, and begin anew with those of the next step (`before_gradients`).

    Source: Wei et al. 2017, section 4.2: it starts at 1 and stays in [0.25, 4].

    Args:
        minimum: of f.
        maximum: of f.
        gradient: "equation 11" divides each layer's share by the pixels of its own target map; "true" divides both by those of the image,
            which keeps the direction of the loss's derivative.
        background_weight: of background pixels in the gradient of f; see `background_mask`.
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

    @property
    def uses_labels(self) -> bool:
        """Whether the gradient of f depends on labels."""
        return self.background_weight < 1

    def inflate(self, features: Tensor, image: tuple[int, int], labels: Tensor | None = None) -> Tensor:
        """Inflate B C H W of an image of `image` pixels with `labels` B H W; see `inflate`."""
        size = inflated_map(features, self.value)
        pixels = image[0] * image[1] if self.gradient == "true" else None
        return inflate(features, self.value, size, self.shares[0], pixels, self._weight(labels, size))

    def interpolate(self, features: Tensor, source: tuple[int, int], size: tuple[int, int], labels: Tensor | None = None) -> Tensor:
        """Bring B C h w to B C H' W'; see `interpolate`."""
        return interpolate(features, self.value, source, size, self.shares[1], self._weight(labels, size))

    def _weight(self, labels: Tensor | None, size: tuple[int, int]) -> Tensor | None:
        return background_mask(labels, size, self.background_weight) if self.uses_labels and labels is not None else None

    def before_step(self, loss_scale: float) -> None:
        """Bring the shares to what f's gradient is: each rank recorded its own, of the scaled loss where the precision is half."""
        self.shares.copy_(mean_over_ranks(self.shares) / loss_scale)

    @torch.no_grad()
    def after_step(self) -> None:
        """Bring f back into its range, after the optimiser's step."""
        self.value.clamp_(self.minimum, self.maximum)

    def before_gradients(self) -> None:
        """Begin to add up shares anew."""
        self.shares.zero_()
