"""Gaussian derivatives against closed forms, moments, numpy's polynomials and SciPy's filters."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from lightning_modules.layers.derivatives import (
    filter_bands,
    filter_taps,
    gaussian_derivatives,
    half_size,
    jet_basis,
    jet_orders,
)


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def taps(sigma: float, half: int, order: int, normalized: bool = False) -> Tensor:
    return filter_taps(number(sigma), 2 * half + 1, order, normalized)


def basis(sigma: float, half: int, order: int, normalized: bool = False) -> dict[tuple[int, int], Tensor]:
    return dict(zip(jet_orders(order), jet_basis(taps(sigma, half, order, normalized)), strict=True))


def test_derivatives_are_hermite_polynomials_times_the_gaussian() -> None:
    """Order 10 among them, where the authors' table of polynomials has a wrong sign."""
    x, sigma = np.linspace(-6, 6, 41), 1.7
    gaussian = np.exp(-(x**2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
    found = gaussian_derivatives(torch.from_numpy(x), number(sigma), 12)
    for order in range(13):
        hermite = np.polynomial.hermite.hermval(x / (sigma * math.sqrt(2)), [0] * order + [1])
        derivative = (-1 / (sigma * math.sqrt(2))) ** order * hermite * gaussian
        np.testing.assert_allclose(found[order], sigma**order * derivative, rtol=1e-10, atol=1e-12)


def test_each_order_is_the_derivative_of_the_one_before() -> None:
    x, sigma = torch.linspace(-5, 5, 33, dtype=torch.float64, requires_grad=True), number(1.3)
    found = gaussian_derivatives(x, sigma, 6)
    for order in range(6):
        (slope,) = torch.autograd.grad(found[order].sum(), x, retain_graph=True)
        torch.testing.assert_close(sigma * slope, found[order + 1])


@pytest.mark.parametrize("order", range(7))
def test_derivatives_have_the_moments_of_the_gaussian(order: int) -> None:
    """By parts: the m-th moment of the i-th derivative is (-1)^i m! / (m - i)! times the Gaussian's (m - i)-th, and 0 where m < i."""
    sigma, half = 1.5, 18
    x = torch.arange(-half, half + 1.0, dtype=torch.float64)
    derivative = taps(sigma, half, order)[order] / sigma**order
    for moment in range(9):
        rest = moment - order
        of_gaussian = sigma**rest * math.prod(range(rest - 1, 0, -2)) if rest >= 0 and rest % 2 == 0 else 0.0
        expected = (-1) ** order * math.perm(moment, order) * of_gaussian
        assert (x**moment * derivative).sum().item() == pytest.approx(expected, rel=1e-6, abs=1e-5)


def test_clipped_order_0_sums_to_what_the_formula_says() -> None:
    line = sum(math.exp(-(x**2) / 2) for x in range(-2, 3)) / math.sqrt(2 * math.pi)
    total = basis(1.0, half_size(1.0, 2.0), 3)[0, 0].sum().item()
    assert total == pytest.approx(line**2, rel=1e-12)
    assert total == pytest.approx(0.982, abs=5e-4)
    assert basis(1.0, 2, 3, normalized=True)[0, 0].sum().item() == pytest.approx(1, rel=1e-12)


def test_normalized_filters_are_scipys() -> None:
    """SciPy divides the sampled Gaussian by its sum before it multiplies it by polynomials, as the authors' code does."""
    sigma, half = 1.6, 4
    impulse = np.zeros((2 * half + 1, 2 * half + 1))
    impulse[half, half] = 1
    for (i, j), found in basis(sigma, half, 3, normalized=True).items():
        expected = ndimage.gaussian_filter(impulse, sigma, order=(i, j), radius=half, mode="constant")
        np.testing.assert_allclose(found, sigma ** (i + j) * expected, rtol=1e-9, atol=1e-12)


def test_scale_normalisation_brings_orders_into_one_range() -> None:
    """Figure 4: without sigma^i magnitudes decay with the order, with it they do not."""
    sigma = 4.0
    after = {pair: found.abs().max().item() for pair, found in basis(sigma, 16, 3).items()}
    before = {(i, j): peak / sigma ** (i + j) for (i, j), peak in after.items()}
    largest = [max(peak for pair, peak in before.items() if sum(pair) == order) for order in range(4)]
    assert all(following < 0.5 * peak for peak, following in pairwise(largest))
    assert max(before.values()) / min(before.values()) > 100
    assert max(after.values()) / min(after.values()) < 4


def test_normalised_magnitudes_do_not_depend_on_sigma() -> None:
    for pair, found in basis(3.0, 12, 3).items():
        wider = basis(6.0, 24, 3)[pair]
        torch.testing.assert_close(wider[::2, ::2] * 4, found)


def fit(patch: Tensor, functions: Tensor) -> Tensor:
    columns = functions.flatten(1).T
    return (columns @ torch.linalg.lstsq(columns, patch.flatten(-2).T).solution).T.reshape(patch.shape)


def test_a_patch_of_11_pixels_is_fitted_by_its_blurred_self() -> None:
    """Figure 3: order 3 at sigma = 5 cannot recover a sharp patch, but approximates a blurred one."""
    functions = torch.stack(list(basis(5.0, 5, 3).values()))
    assert functions.shape == (10, 11, 11)
    generator = torch.Generator().manual_seed(0)
    sharp = torch.rand(3, 11, 11, dtype=torch.float64, generator=generator)
    sharp[:, 3:, :6] += 1.0
    blurred = torch.from_numpy(ndimage.gaussian_filter(sharp.numpy(), (0, 2.5, 2.5)))

    def unexplained(patch: Tensor) -> float:
        centred = patch - patch.mean((-2, -1), keepdim=True)
        return ((patch - fit(patch, functions)).square().sum() / centred.square().sum()).item()

    assert unexplained(blurred) < 0.02
    assert unexplained(sharp) > 0.2
    assert fit(sharp, functions).diff(dim=-1).abs().max() < sharp.diff(dim=-1).abs().max() / 2


def test_a_mix_of_the_basis_is_fitted_exactly() -> None:
    functions = torch.stack(list(basis(5.0, 5, 3).values()))
    alpha = torch.randn(3, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    patch = torch.einsum("cm,mhw->chw", alpha, functions)
    torch.testing.assert_close(fit(patch, functions), patch)


@pytest.mark.parametrize(
    ("stride", "padding", "cells", "normalized"), [(1, 3, 9, False), (2, 3, 10, True), (3, 0, 17, False), (1, 5, 4, True)]
)
def test_bands_are_the_taps_at_their_places(stride: int, padding: int, cells: int, normalized: bool) -> None:
    sigma, size = number(1.4), 7
    line = torch.randn(1, 1, cells, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.conv1d(line, filter_taps(sigma, size, 3, normalized)[:, None], stride=stride, padding=padding)[0]
    bands = filter_bands(sigma, size, 3, (cells, expected.shape[-1]), stride, padding, normalized)
    torch.testing.assert_close(bands @ line[0, 0], expected)


@pytest.mark.parametrize(
    ("sigma", "k", "paper", "code"),
    [(1.0, 2.0, 2, 3), (0.5, 2.0, 1, 2), (2.0, 2.0, 4, 5), (1.01, 2.0, 3, 3), (6.0000005, 2.0, 12, 13), (1e-3, 2.0, 1, 1)],
)
def test_half_size(sigma: float, k: float, paper: int, code: int) -> None:
    assert half_size(sigma, k) == paper
    assert half_size(sigma, k, "code") == code


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="Expected `order` to be 0 or more, but got -1"):
        jet_orders(-1)
    for sigma in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="Expected `sigma` to be positive and finite"):
            half_size(sigma, 2.0)
    with pytest.raises(ValueError, match="'paper' or 'code', but got 'other'"):
        half_size(1.0, 2.0, "other")
