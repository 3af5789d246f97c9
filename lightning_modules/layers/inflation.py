"""The inflation and interpolation layers, and the factor f that they share."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lightning_modules.layers.receptive_field import inflated_size


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
    """The identity forward; backward, the gradient times a constant, which is also written down."""

    @staticmethod
    def forward(ctx: Any, factor: Tensor, scale: float, record: Tensor | None) -> Tensor:
        ctx.scale, ctx.record = scale, record
        return factor.view_as(factor)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        share = grad_outputs[0] * ctx.scale
        if ctx.record is not None:
            ctx.record.copy_(share)
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
    """Return `factor` unchanged; its gradient is multiplied by `scale` and, where `record` is given, copied there."""
    scaled: Tensor = _ScaledGradient.apply(factor, scale, record)  # type: ignore[no-untyped-call]
    return scaled


def resample(features: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Sample features at the crossings of `rows` and `columns`, bilinearly: two matrix products.

    Computed in single precision at least, also under autocast: positions on a grid of 500 cells need more than bfloat16's 8 bits.

    Args:
        features: B C H W.
        rows: H', in cells of H.
        columns: W', in cells of W.

    Returns:
        B C H' W', in the type of `features`.
    """
    height, width = features.shape[-2:]
    kind = features.device.type
    with torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext():
        values = features.to(rows.dtype)
        sampled = bilinear_weights(rows, height) @ values @ bilinear_weights(columns, width).T
    return sampled.to(features.dtype)


def inflate(features: Tensor, factor: Tensor, size: tuple[int, int] | None = None, record: Tensor | None = None) -> Tensor:
    """Resample features on a grid `factor` times as fine, so that later kernels see 1 / factor of the extent.

    The gradient of `factor` is divided by the number of target cells.
    Source: Wei et al. 2017, section 3.2, equations 1 to 4; the gradient, equation 7 and the first line of equation 11.

    Args:
        features: B C H W.
        factor: scalar, unitless; above 1 shrinks the receptive field of what follows.
        size: H' W', instead of equation 2's.
        record: scalar, overwritten in the backward pass with this layer's share of equation 11.

    Returns:
        B C H' W', with H' = floor(factor * (H - 1)) + 1.
    """
    if size is None:
        value = float(factor.detach())
        size = inflated_size(features.shape[-2], value), inflated_size(features.shape[-1], value)
    scaled = scale_gradient(factor, 1 / (size[0] * size[1]), record)
    rows, columns = (torch.arange(cells, device=features.device, dtype=factor.dtype) / scaled for cells in size)
    return resample(features, rows, columns)


def interpolate(features: Tensor, factor: Tensor, source: tuple[int, int], size: tuple[int, int], record: Tensor | None = None) -> Tensor:
    """Bring maps computed on inflated features to the grid of the labels.

    The gradient of `factor` is divided by the number of target pixels.
    Source: Wei et al. 2017, section 3.2, equations 8 and 9; the gradient, the second line of equation 11, where C is the number of classes.
    Not in paper: F = (H' - 1) / (H_pool5 - 1), not 8.11, which would end 4 pixels before or after an image of 500.

    Args:
        features: B C h w, inflated by `factor`.
        factor: scalar, unitless.
        source: H_pool5 W_pool5, the size of the features before they were inflated.
        size: H' W' of the labels.
        record: scalar, overwritten in the backward pass with this layer's share of equation 11.

    Returns:
        B C H' W'.
    """
    scaled = scale_gradient(factor, 1 / (size[0] * size[1]), record)
    # Target pixel t lies at t / F in cells of pool5, and at f * t / F in cells of the inflated map.
    rows, columns = (
        torch.arange(target, device=features.device, dtype=factor.dtype) * (cells - 1) / max(target - 1, 1) * scaled
        for target, cells in zip(size, source, strict=True)
    )
    return resample(features, rows, columns)


class InflationFactor(nn.Module):
    """The learned inflation factor f, kept within its range, with the two shares of its last gradient.

    Source: Wei et al. 2017, section 4.2: it starts at 1 and stays in [0.25, 4].
    """

    shares: Tensor

    def __init__(self, minimum: float = 0.25, maximum: float = 4.0) -> None:
        super().__init__()
        if not 0 < minimum <= 1 <= maximum:
            raise ValueError(f"Expected `minimum` and `maximum` to be positive and to enclose 1, but got {minimum} and {maximum}.")
        self.minimum, self.maximum = minimum, maximum
        self.value = nn.Parameter(torch.ones(()))
        self.register_buffer("shares", torch.zeros(2), persistent=False)

    def inflate(self, features: Tensor) -> Tensor:
        """Inflate B C H W; see `inflate`."""
        return inflate(features, self.value, record=self.shares[0])

    def interpolate(self, features: Tensor, source: tuple[int, int], size: tuple[int, int]) -> Tensor:
        """Bring B C h w to B C H' W'; see `interpolate`."""
        return interpolate(features, self.value, source, size, record=self.shares[1])

    @torch.no_grad()
    def clamp_(self) -> None:
        """Bring f back into its range, after the optimiser's step."""
        self.value.clamp_(self.minimum, self.maximum)
