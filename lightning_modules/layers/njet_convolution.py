"""Convolution with N-Jet filters, by the cheapest of three evaluations that give the same result."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.layers.derivatives import filter_bands, filter_taps, jet_basis, jet_orders
from lightning_modules.layers.separable import Axis, separable_convolution

EVALUATIONS = ("dense", "half separable", "fully separable")
# Cost of filtering one cell by a matrix, in multiply-adds of a dense convolution: a constant, and a cost per cell that the matrix reads.
# Measured forward and backward on a CPU; most of the cost is moving the cell in memory.
CELL, CELL_SEEN = 150, 8


def njet_kernel(alpha: Tensor, taps: Tensor) -> Tensor:
    """Return the filters: sums of basis filters with the weights alpha.

    Source: Pintea et al. 2021, section III-B, equation 5.

    Args:
        alpha: Weights O C M.
        taps: Taps (N + 1) K, or (N + 1) O K for a sigma per filter; see `filter_taps`.

    Returns:
        Filters O C K K.
    """
    basis = jet_basis(taps)
    return (alpha @ basis.flatten(-2)).view(*alpha.shape[:2], *basis.shape[-2:])


def cheapest_evaluation(channels: int, filters: int, groups: int, order: int, height: Axis, width: Axis) -> str:
    """Return the name of the evaluation with the least estimated time, from shapes only.

    Multiply-adds per picture: a dense convolution costs O C K^2 H' W'. Half separable costs O C (N + 1) K H' W' after filtering the rows.
    Fully separable costs O C M H' W' after filtering the columns and then the rows.
    """
    derivatives, cells = order + 1, height.outputs * width.outputs
    rows, columns = (CELL + CELL_SEEN * axis.width() for axis in (height, width))
    mix = filters * channels // groups * cells
    filtered_rows = channels * height.outputs * rows
    costs = {
        EVALUATIONS[0]: mix * height.size * width.size,
        EVALUATIONS[1]: mix * derivatives * width.size + filtered_rows * derivatives * width.cells,
        EVALUATIONS[2]: len(jet_orders(order)) * (mix + filtered_rows * width.outputs)
        + channels * derivatives * height.cells * width.outputs * columns,
    }
    best = min(costs, key=lambda name: costs[name])
    # The estimate is rough, so another evaluation must be clearly cheaper than the dense convolution.
    return best if costs[best] < 0.9 * costs[EVALUATIONS[0]] else EVALUATIONS[0]


def njet_conv2d(
    features: Tensor,
    alpha: Tensor,
    sigma: Tensor,
    size: int,
    bias: Tensor | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    groups: int = 1,
    normalized: bool = False,
    evaluation: str | None = None,
) -> Tensor:
    """Correlate features with N-Jet filters; differentiable in features, alpha, sigma and bias, for a fixed filter size.

    Source: Pintea et al. 2021, section III. Not in paper: separable evaluations, which give the same result as a dense convolution.

    Args:
        features: Feature maps, B C H W.
        alpha: Weights O (C / groups) M, with M = (N + 1)(N + 2) / 2.
        sigma: Sigma in pixels, scalar, or O for a sigma per filter.
        size: Filter size, K, odd.
        bias: Bias O, or None.
        stride: Strides along H and W.
        padding: Numbers of zeros along H and W.
        groups: Number of channel groups, as in `torch.nn.Conv2d`.
        normalized: Whether to normalise the taps; see `filter_taps`.
        evaluation: Evaluation, one of `EVALUATIONS`; None for the cheapest. A sigma per filter allows only "dense".

    Returns:
        Response B O H' W'.

    Raises:
        ValueError: The filters are larger than the padded features, or the evaluation does not support a sigma per filter.
    """
    channels, filters, order = features.shape[1], len(alpha), _order(alpha.shape[-1])
    height, width = (Axis(int(features.shape[2 + axis]), size, stride[axis], padding[axis]) for axis in (0, 1))
    for axis in (height, width):
        if axis.cells + 2 * axis.padding < size:
            raise ValueError(
                f"Expected padded features to be at least as large as filters of {size} pixels, but got {axis}; raise `padding`."
            )
    if sigma.dim() and evaluation not in (None, "dense"):
        raise ValueError(f"Expected `evaluation` to be 'dense' if each filter has its own sigma, but got {evaluation!r}.")
    chosen = evaluation or ("dense" if sigma.dim() else cheapest_evaluation(channels, filters, groups, order, height, width))
    taps = filter_taps(sigma, size, order, normalized)
    features, alpha, taps, bias = _in_working_type(features, alpha, taps, bias)
    with _without_autocast(features):
        if chosen == "dense":
            return functional.conv2d(features, njet_kernel(alpha, taps), bias, stride, padding, groups=groups)
        rows, columns = (
            filter_bands(sigma, size, order, (axis.cells, axis.outputs), axis.stride, axis.padding, normalized).to(features.dtype)
            for axis in (height, width)
        )
        if chosen == "half separable":
            return separable_convolution(features, rows, None, _row_weights(alpha, taps), bias, height, width, groups)
        return separable_convolution(features, rows, columns, _mixing_weights(alpha, order), bias, height, width, groups)


def _order(functions: int) -> int:
    """Return N from M = (N + 1)(N + 2) / 2."""
    order = (math.isqrt(8 * functions + 1) - 3) // 2
    if functions < 1 or len(jet_orders(order)) != functions:
        raise ValueError(f"Expected `alpha` to have (N + 1)(N + 2) / 2 basis weights, such as 1, 3, 6 or 10, but got {functions}.")
    return order


def _row_weights(alpha: Tensor, taps: Tensor) -> list[Tensor]:
    """Sum the derivatives along columns with weights alpha, per order along rows: O C 1 K each, from alpha O C M and taps (N + 1) K."""
    blocks = torch.split(alpha, list(range(len(taps), 0, -1)), dim=-1)
    return [(block @ taps[: block.shape[-1]]).unsqueeze(2) for block in blocks]


def _mixing_weights(alpha: Tensor, order: int) -> list[Tensor]:
    """Pick the weights of orders 0 to N - j along rows, per order j along columns: O (C (N + 1 - j)) 1 1 each, from alpha O C M."""
    blocks = torch.split(alpha, list(range(order + 1, 0, -1)), dim=-1)
    return [torch.stack([blocks[i][..., j] for i in range(order + 1 - j)], dim=2).flatten(1)[..., None, None] for j in range(order + 1)]


def _in_working_type(features: Tensor, alpha: Tensor, taps: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Convert all to the dtype of a convolution under autocast; the derivatives were computed in the dtype of sigma."""
    kind = features.device.type
    autocast = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    dtype = torch.get_autocast_dtype(kind) if autocast else features.dtype
    return features.to(dtype), alpha.to(dtype), taps.to(dtype), None if bias is None else bias.to(dtype)


def _without_autocast(features: Tensor) -> Any:
    kind = features.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()
