"""Bilinear resampling at learned positions."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _BilinearWeights(torch.autograd.Function):
    """Rows of bilinear weights, differentiable with respect to the sampling positions."""

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
            """Return the slope between `cell` and the next cell; 0 beyond either end."""
            valid: Tensor = (cell >= 0) & (cell < ctx.size - 1)
            picked: Tensor = slopes.gather(1, cell.clamp(0, ctx.size - 1)[:, None])[:, 0]
            return picked * valid

        after, before = slope(positions.floor().long()), slope(positions.ceil().long() - 1)
        return (after + before) / 2, None


def bilinear_weights(positions: Tensor, size: int) -> Tensor:
    """Return the matrix that samples a line of `size` cells at `positions`.

    Source: Wei et al. 2017, section 3.2, the kernel max(0, 1 - |x / f - m|) of equation 4, and its derivative, equation 5.
    Not in paper: at a kink (a position exactly on a cell, as all positions at f = 1) the derivative is the mean of the two one-sided
    derivatives; equation 5, taken literally, gives neither of them. Beyond the last cell the line keeps its last value; equation 4 would
    fade to zero.

    Args:
        positions: Sampling positions, T, in cells of the source.
        size: Number of cells of the source, S.

    Returns:
        Weights T S; each row sums to 1.
    """
    weights: Tensor = _BilinearWeights.apply(positions, size)  # type: ignore[no-untyped-call]
    return weights


def resample(features: Tensor, rows: Tensor, columns: Tensor, weight: Tensor | None = None) -> Tensor:
    """Sample features bilinearly at the crossings of `rows` and `columns`, by two matrix products.

    In the backward pass, `weight` multiplies the contribution of each target pixel to the gradient of the positions, and nothing else.
    Computed at least in single precision, also under autocast: positions on a grid of 500 cells need more than bfloat16's 8 bits.

    Args:
        features: Feature maps, B C H W.
        rows: Positions along H, H', in cells of H.
        columns: Positions along W, W', in cells of W.
        weight: Weights of the target pixels, B 1 H' W' or H' W', unitless.

    Returns:
        Samples B C H' W', in the type of `features`.
    """
    kind = features.device.type
    with torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext():
        values = features.to(rows.dtype)
        if weight is None:
            return _sampled(values, rows, columns).to(features.dtype)
        moved = _sampled(values.detach(), rows, columns)
        # The second term is zero: it only gives the positions their weighted gradient. The first term gives all other gradients.
        sampled = _sampled(values, rows.detach(), columns.detach()) + (moved - moved.detach()) * weight
    return sampled.to(features.dtype)


def _sampled(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return bilinear_weights(rows, values.shape[-2]) @ values @ bilinear_weights(columns, values.shape[-1]).T
