"""Bilinear resampling at positions that are learned."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


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
