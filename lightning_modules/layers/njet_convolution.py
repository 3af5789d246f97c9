"""Convolution with N-Jet filters, by the cheapest of three ways that give the same."""

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
# What filtering one cell by a matrix costs, in multiply-adds of a dense convolution: so many, and so many for each cell that the matrix
# sees. Measured forward and backward on a CPU; moving the cell is most of it.
CELL, CELL_SEEN = 150, 8


def njet_kernel(alpha: Tensor, taps: Tensor) -> Tensor:
    """Return the filters that the weights alpha mix from the basis.

    Source: Pintea et al. 2021, section III-B, equation 5.

    Args:
        alpha: O C M.
        taps: (N + 1) K, or (N + 1) O K for a sigma per filter; see `filter_taps`.

    Returns:
        O C K K.
    """
    basis = jet_basis(taps)
    return (alpha @ basis.flatten(-2)).view(*alpha.shape[:2], *basis.shape[-2:])


def cheapest_evaluation(channels: int, filters: int, groups: int, order: int, height: Axis, width: Axis) -> str:
    """Name the evaluation that should take the least time, from shapes alone.

    Per picture: a dense convolution costs O C K^2 H' W' multiply-adds; half separable, O C (N + 1) K H' W' after filtering the rows; fully
    separable, O C M H' W' after filtering the columns and then the rows.
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
    # The estimate is rough, and the dense convolution the one to beat.
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
    """Correlate features with N-Jet filters, differentiably in features, alpha, sigma and bias; the size of the filters is held fixed.

    Source: Pintea et al. 2021, section III. Not in paper: separable evaluations, which give what a dense convolution does.

    Args:
        features: B C H W.
        alpha: O (C / groups) M, with M = (N + 1)(N + 2) / 2.
        sigma: scalar, or O for a sigma per filter; pixels.
        size: K, odd.
        bias: O, or none.
        stride: along H and W.
        padding: zeros, along H and W.
        groups: of channels, as in `torch.nn.Conv2d`.
        normalized: see `filter_taps`.
        evaluation: one of `EVALUATIONS`; None takes the cheapest. A sigma per filter allows "dense" alone.

    Returns:
        B O H' W'.

    Raises:
        ValueError: if the filters exceed the padded features, or the evaluation does not go with a sigma per filter.
    """
    channels, filters, order = features.shape[1], len(alpha), _order(alpha.shape[-1])
    height, width = (Axis(int(features.shape[2 + axis]), size, stride[axis], padding[axis]) for axis in (0, 1))
    for axis in (height, width):
        if axis.cells + 2 * axis.padding < size:
            raise ValueError(
                f"Expected padded features to be at least as large as filters of {size} pixels, but got {axis}; raise `padding`."
            )
    if sigma.dim() and evaluation not in (None, "dense"):
        raise ValueError(f"Expected `evaluation` to be 'dense' where each filter has its own sigma, but got {evaluation!r}.")
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
    """Invert M = (N + 1)(N + 2) / 2."""
    order = (math.isqrt(8 * functions + 1) - 3) // 2
    if functions < 1 or len(jet_orders(order)) != functions:
        raise ValueError(f"Expected `alpha` to have (N + 1)(N + 2) / 2 weights of basis functions, as 1, 3, 6 or 10, but got {functions}.")
    return order


def _row_weights(alpha: Tensor, taps: Tensor) -> list[Tensor]:
    """Mix, for each order along rows, the derivatives along columns: O C 1 K each, from alpha O C M and taps (N + 1) K."""
    blocks = torch.split(alpha, list(range(len(taps), 0, -1)), dim=-1)
    return [(block @ taps[: block.shape[-1]]).unsqueeze(2) for block in blocks]


def _mixing_weights(alpha: Tensor, order: int) -> list[Tensor]:
    """Pick, for each order j along columns, the weights of orders 0 to N - j along rows: O (C (N + 1 - j)) 1 1 each, from alpha O C M."""
    blocks = torch.split(alpha, list(range(order + 1, 0, -1)), dim=-1)
    return [torch.stack([blocks[i][..., j] for i in range(order + 1 - j)], dim=2).flatten(1)[..., None, None] for j in range(order + 1)]


def _in_working_type(features: Tensor, alpha: Tensor, taps: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Bring all to the type in which a convolution would work under autocast; the derivatives were computed in sigma's own."""
    kind = features.device.type
    autocast = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    dtype = torch.get_autocast_dtype(kind) if autocast else features.dtype
    return features.to(dtype), alpha.to(dtype), taps.to(dtype), None if bias is None else bias.to(dtype)


def _without_autocast(features: Tensor) -> Any:
    kind = features.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()
