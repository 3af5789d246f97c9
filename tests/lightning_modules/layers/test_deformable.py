"""Deformable convolution against plain ones, a slow reference and finite differences."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.layers.deformable import DeformableConv2d, Sampling, chosen_sampling, deformable_conv2d, sample_grid, sample_rows

both_samplings = pytest.mark.parametrize("sample", [sample_grid, sample_rows])


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def reference(features: Tensor, offsets: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Equations 2 to 4 of Dai et al. 2017, one cell, tap and neighbour at a time."""
    batch, _, height, width = features.shape
    filters, _, size, _ = weight.shape
    response = bias[:, None, None].repeat(batch, 1, height, width).view(batch, filters, height, width)
    for picture, row, column, i, j in itertools.product(range(batch), range(height), range(width), range(size), range(size)):
        tap = 2 * (i * size + j)
        y = row + i - size // 2 + float(offsets[picture, tap, row, column])
        x = column + j - size // 2 + float(offsets[picture, tap + 1, row, column])
        for cell_y, cell_x in itertools.product((math.floor(y), math.floor(y) + 1), (math.floor(x), math.floor(x) + 1)):
            if 0 <= cell_y < height and 0 <= cell_x < width:
                share = (1 - abs(y - cell_y)) * (1 - abs(x - cell_x))
                response[picture, :, row, column] += share * weight[:, :, i, j] @ features[picture, :, cell_y, cell_x]
    return response


@both_samplings
@pytest.mark.parametrize("size", [1, 3, 5])
def test_without_offsets_it_is_a_plain_convolution(size: int, sample: Sampling) -> None:
    features, weight, bias = random(2, 3, 6, 7), random(4, 3, size, size, seed=1), random(4, seed=2)
    found = deformable_conv2d(features, torch.zeros(2, 2 * size**2, 6, 7, dtype=torch.float64), weight, bias, sample)
    torch.testing.assert_close(found, functional.conv2d(features, weight, bias, padding=size // 2))


@both_samplings
@pytest.mark.parametrize(("down", "right"), [(2, 0), (0, 1), (-1, 3), (-9, 0)])
def test_whole_offsets_shift_the_features(down: int, right: int, sample: Sampling) -> None:
    features, weight = random(2, 3, 6, 7), random(4, 3, 3, 3, seed=1)
    offsets = torch.tensor([down, right], dtype=torch.float64).repeat(9)[None, :, None, None].expand(2, 18, 6, 7)
    margin = 12
    wide = functional.conv2d(functional.pad(features, (margin,) * 4), weight, padding=1)
    expected = wide[:, :, margin + down : margin + down + 6, margin + right : margin + right + 7]
    torch.testing.assert_close(deformable_conv2d(features, offsets.contiguous(), weight, None, sample), expected)


@both_samplings
@pytest.mark.parametrize("shape", [(4, 5), (1, 3), (2, 1)])
@pytest.mark.parametrize("spread", [0.7, 3.0])
def test_it_is_the_slow_reference_also_beyond_borders(shape: tuple[int, int], spread: float, sample: Sampling) -> None:
    features, offsets = random(2, 3, *shape), spread * random(2, 18, *shape, seed=1)
    weight, bias = random(4, 3, 3, 3, seed=2), random(4, seed=3)
    found = deformable_conv2d(features, offsets, weight, bias, sample)
    torch.testing.assert_close(found, reference(features, offsets, weight, bias))


@both_samplings
def test_gradients_are_those_of_finite_differences(sample: Sampling) -> None:
    """Away from whole positions, where bilinear interpolation has a kink."""
    whole = (2 * random(1, 18, 3, 4, seed=1)).round()
    offsets = whole + 0.1 + 0.8 * torch.rand(1, 18, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    inputs = (random(1, 2, 3, 4), offsets, random(2, 2, 3, 3, seed=3), random(2, seed=4))
    assert torch.autograd.gradcheck(deformable_conv2d, (*(tensor.requires_grad_() for tensor in inputs), sample))


@pytest.mark.parametrize("spread", [0.7, 3.0, 30.0])
def test_both_samplings_give_the_same_and_the_same_gradients(spread: float) -> None:
    inputs = (random(2, 3, 6, 7), spread * random(2, 18, 6, 7, seed=1), random(4, 3, 3, 3, seed=2), random(4, seed=3))
    leaves = [tensor.requires_grad_() for tensor in inputs]
    grid, rows = (deformable_conv2d(*inputs, sample) for sample in (sample_grid, sample_rows))
    torch.testing.assert_close(rows, grid)
    direction = random(2, 4, 6, 7, seed=4)
    torch.testing.assert_close(torch.autograd.grad(rows, leaves, direction), torch.autograd.grad(grid, leaves, direction))


@pytest.mark.parametrize(("device", "deterministic", "expected"), [
    ("cpu", True, sample_grid), ("cuda", False, sample_grid), ("cuda", True, sample_rows),
])  # fmt: skip
def test_deterministic_training_on_a_gpu_samples_rows(device: str, deterministic: bool, expected: Sampling) -> None:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(deterministic)
    try:
        assert chosen_sampling(device) is expected
    finally:
        torch.use_deterministic_algorithms(before)


@both_samplings
def test_offsets_that_are_no_numbers_fail_nowhere(sample: Sampling) -> None:
    offsets = torch.tensor([math.nan, math.inf])[None, :, None, None].expand(1, 2, 4, 5)
    assert deformable_conv2d(torch.ones(1, 1, 4, 5), offsets.contiguous(), torch.ones(1, 1, 1, 1), None, sample).shape == (1, 1, 4, 5)


def test_the_layer_starts_as_a_plain_convolution_and_learns_offsets() -> None:
    torch.manual_seed(0)
    layer, features = DeformableConv2d(3, 4, 3).double(), random(2, 3, 6, 7)
    plain = functional.conv2d(features, layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(features), plain)
    layer(features).square().sum().backward()
    with torch.no_grad():
        for parameter in layer.parameters():
            assert parameter.grad is not None
            assert parameter.grad.abs().sum() > 0
            parameter -= 1e-3 * parameter.grad
    assert layer.offset_weight.abs().sum() > 0
    assert layer.bias is not None
    with torch.no_grad():
        offsets = functional.conv2d(features, layer.offset_weight, layer.offset_bias, padding=1)
        torch.testing.assert_close(layer(features), reference(features, offsets, layer.weight, layer.bias))


@both_samplings
def test_half_precision_keeps_positions(sample: Sampling) -> None:
    """At 200 cells bfloat16 counts by ones: taps half a cell further would not move."""
    features = random(1, 1, 1, 300, dtype=torch.float32).to(torch.bfloat16)
    offsets = torch.zeros(1, 2, 1, 300, dtype=torch.bfloat16)
    offsets[:, 1] = 0.5
    found = deformable_conv2d(features, offsets, torch.ones(1, 1, 1, 1, dtype=torch.bfloat16), None, sample)
    expected = (features[..., :-1].float() + features[..., 1:].float()) / 2
    torch.testing.assert_close(found[..., :-1].float(), expected, rtol=0.01, atol=0.01)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="Expected `kernel_size` to be odd and positive, but got 4"):
        DeformableConv2d(3, 4, 4)
