"""Gaussian derivatives, the basis of N-Jet filters, in one and in two dimensions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

HALF_SIZES = ("paper", "code")


def jet_orders(order: int) -> list[tuple[int, int]]:
    """Return the orders (along rows H, along columns W) of the basis filters up to `order`, in the order of the weights alpha.

    Source: Pintea et al. 2021, section III-B: {G^(i,j) | 0 <= i + j <= n}, in total (n + 1)(n + 2) / 2.

    Raises:
        ValueError: `order` is negative.
    """
    if order < 0:
        raise ValueError(f"Expected `order` to be 0 or more, but got {order}.")
    return [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]


def half_size(sigma: float, k: float, rule: str = HALF_SIZES[0]) -> int:
    """Return the number of pixels from the centre of a filter to its border; the filter has 2 half_size + 1 pixels.

    Source: Pintea et al. 2021, section III-C: ceil(k sigma). The authors' code takes ceil(k sigma + 0.5): at k = 2 and sigma = 1,
    7 x 7 pixels instead of 5 x 5.
    Not in paper: a product that exceeds a whole number only by rounding errors is not rounded up.

    Args:
        sigma: Sigma in pixels, positive.
        k: Half size in sigmas.
        rule: Rule: "paper", or "code" for that of the authors' code.

    Raises:
        ValueError: `sigma` is not positive and finite, or the rule is unknown.
    """
    if not 0 < sigma < math.inf:
        raise ValueError(f"Expected `sigma` to be positive and finite, but got {sigma}; if it was learned, lower its learning rate.")
    if rule not in HALF_SIZES:
        raise ValueError(f"Expected the rule of the half size to be {' or '.join(map(repr, HALF_SIZES))}, but got {rule!r}.")
    return max(1, math.ceil((k * sigma + (0.5 if rule == "code" else 0.0)) * (1 - 1e-6)))


def gaussian_derivatives(positions: Tensor, sigma: Tensor, order: int) -> Tensor:
    """Return the scale-normalised derivatives sigma^i d^i G / dx^i of the Gaussian, i = 0 to `order`, at `positions`.

    With H_i(x) = 2x H_{i-1}(x) - 2(i - 1) H_{i-2}(x) and G^i(x) = (-1 / (sigma sqrt 2))^i H_i(x / (sigma sqrt 2)) G(x), the recursion of
    the Hermite polynomials becomes a recursion of the derivatives: g_i = -u g_{i-1} - (i - 1) g_{i-2}, with u = x / sigma, at any order.
    Source: Pintea et al. 2021, section III, the Gaussian and equations 2 and 3; section III-C for the factor sigma^i.

    Args:
        positions: Positions of any shape, in pixels from the centre.
        sigma: Sigma in pixels; its shape broadcasts with `positions`.
        order: Highest order of derivative.

    Returns:
        Derivatives; the shape is order + 1, then the shape of positions / sigma.
    """
    u = positions / sigma
    derivatives = [torch.exp(-u.square() / 2) / (sigma * math.sqrt(2 * math.pi))]
    for i in range(1, order + 1):
        following = -u * derivatives[-1]
        derivatives.append(following - (i - 1) * derivatives[-2] if i > 1 else following)
    return torch.stack(derivatives)


def filter_taps(sigma: Tensor, size: int, order: int, normalized: bool = False) -> Tensor:
    """Sample the derivatives of orders 0 to `order` at the pixels of a filter of `size`.

    Source: Pintea et al. 2021, section III-C: the filters are sampled and clipped. So order 0 does not sum to 1: in two
    dimensions, at k = 2 and sigma = 1, it sums to 0.982.

    Args:
        sigma: Sigma in pixels, scalar, or O for a sigma per filter.
        size: Filter size, K, odd.
        order: Highest order, N.
        normalized: Whether to divide all orders by the sum of the sampled order 0, as the authors' code does.

    Returns:
        Taps (N + 1) K, or (N + 1) O K.
    """
    taps = gaussian_derivatives(_centred(size, sigma), sigma[..., None], order)
    return taps / taps[0].sum(-1, keepdim=True) if normalized else taps


def filter_bands(
    sigma: Tensor, size: int, order: int, cells: tuple[int, int], stride: int, padding: int, normalized: bool = False
) -> Tensor:
    """Return matrices that apply `filter_taps` along an axis with zero padding; each row has the taps of one output cell.

    Args:
        sigma: Sigma in pixels, scalar.
        size: Filter size, K, odd.
        order: Highest order, N.
        cells: Number of cells of the input, L, and of the output, L'.
        stride: Stride in cells.
        padding: Number of zeros before the first cell.
        normalized: Whether to normalise the taps; see `filter_taps`.

    Returns:
        Matrices (N + 1) L' L.
    """
    inputs, outputs = (torch.arange(count, device=sigma.device, dtype=sigma.dtype) for count in cells)
    distances = inputs - (outputs * stride - padding + size // 2)[:, None]
    bands = gaussian_derivatives(distances, sigma, order) * (distances.abs() <= size // 2)
    return bands / filter_taps(sigma, size, 0).sum() if normalized else bands


def jet_basis(taps: Tensor) -> Tensor:
    """Return the two-dimensional basis filters G^(i,j)(x, y) = G^i(x) G^j(y), in the order of `jet_orders`.

    Source: Pintea et al. 2021, equation 3.

    Args:
        taps: Taps (N + 1) K, or (N + 1) O K; see `filter_taps`.

    Returns:
        Basis filters M K K, or O M K K, with M = (N + 1)(N + 2) / 2.
    """
    orders = jet_orders(len(taps) - 1)
    rows, columns = (torch.stack([taps[pair[axis]] for pair in orders], dim=-2) for axis in (0, 1))
    return rows[..., :, None] * columns[..., None, :]


def _centred(size: int, like: Tensor) -> Tensor:
    return torch.arange(-(size // 2), size // 2 + 1, device=like.device, dtype=like.dtype)
