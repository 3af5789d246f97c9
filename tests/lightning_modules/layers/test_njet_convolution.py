"""Every way to evaluate N-Jet filters against a dense kernel and finite differences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_modules.layers import separable
from lightning_modules.layers.derivatives import filter_taps, jet_orders
from lightning_modules.layers.njet import NJetConv2d
from lightning_modules.layers.njet_convolution import EVALUATIONS, cheapest_evaluation, njet_conv2d, njet_kernel
from lightning_modules.layers.separable import Axis, Plan

SEPARABLE = EVALUATIONS[1:]


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def layer(**options: Any) -> NJetConv2d:
    torch.manual_seed(0)
    return NJetConv2d(4, 6, **options)


def gradients(evaluation: str, features: Tensor, options: dict[str, Any]) -> list[Tensor]:
    """The response of a layer, and its loss's gradients in features, alpha, sigma and bias."""
    made = layer(evaluation=evaluation, **options).to(features.dtype)
    inputs = features.clone().requires_grad_()
    response = made(inputs)
    (response * random(*response.shape, seed=1, dtype=features.dtype)).sum().backward()
    return [
        response.detach(),
        *(value.grad for value in (inputs, made.alpha, made.scale, made.bias) if value is not None and value.grad is not None),
    ]


OPTIONS: dict[str, dict[str, Any]] = {
    "one": {},
    "wide": {"sigma": 3.4},
    "normalized": {"normalized": True, "half_size_rule": "code"},
    "order 0": {"order": 0},
    "order 5": {"order": 5, "sigma": 2.0},
    "strides": {"stride": (2, 3)},
    "groups": {"groups": 2, "stride": 2},
    "valid": {"padding": "valid"},
    "odd padding": {"padding": (1, 7), "stride": (3, 1), "sigma": 1.4},
    "no bias": {"bias": False},
    "fixed sigma": {"learn_sigma": False},
}


@pytest.mark.parametrize("evaluation", SEPARABLE)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_evaluation_agrees_with_the_dense_kernel(options: dict[str, Any], evaluation: str) -> None:
    features = random(5, 4, 11, 14)
    for found, expected in zip(gradients(evaluation, features, options), gradients("dense", features, options), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("evaluation", SEPARABLE)
def test_evaluations_agree_in_single_precision(evaluation: str) -> None:
    features = random(5, 4, 16, 16, dtype=torch.float32)
    for found, expected in zip(gradients(evaluation, features, {"sigma": 2.3}), gradients("dense", features, {"sigma": 2.3}), strict=True):
        assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize("evaluation", SEPARABLE)
@pytest.mark.parametrize(("stride", "padding"), [(1, "same"), (2, "same"), (1, (0, 9)), (3, (40, 0))])
def test_long_axes_are_filtered_block_by_block(monkeypatch: pytest.MonkeyPatch, evaluation: str, stride: int, padding: Any) -> None:
    monkeypatch.setattr(separable, "BLOCK", 5)
    assert len(Axis(23, 5, 1, 2).spans()) > 3
    features, options = random(3, 4, 23, 31), {"stride": stride, "padding": padding, "sigma": 1.2}
    for found, expected in zip(gradients(evaluation, features, options), gradients("dense", features, options), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("evaluation", SEPARABLE)
def test_no_filtered_maps_are_kept_for_the_backward_pass(evaluation: str) -> None:
    kept: list[int] = []
    features = random(8, 4, 16, 16, dtype=torch.float32).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda value: kept.append(value.numel()) or value, lambda value: value):
        layer(evaluation=evaluation)(features)
    # The features themselves, and else only what does not grow with the batch.
    assert sorted(kept)[-1] == features.numel()
    assert sorted(kept)[-2] < features.numel() / 2


@pytest.mark.parametrize(("columns_first", "maps", "pictures"), [(False, 96, 4), (True, 96 * 4, 2)])
def test_filtered_maps_are_made_for_a_few_pictures_at_a_time(columns_first: bool, maps: int, pictures: int) -> None:
    axis, features, weight = Axis(32, 7, 1, 3), torch.empty(16, 96, 32, 32, device="meta"), torch.empty(192, maps, 1, 1, device="meta")
    chunks = list(Plan(axis, axis, 1, columns_first).chunks(features, [weight]))
    assert [chunk.start for chunk in chunks] == list(range(0, 16, pictures))
    assert chunks[-1].stop == 16


def test_blocks_cover_every_output_and_all_that_it_sees() -> None:
    for axis in (Axis(500, 9, 1, 4), Axis(500, 9, 3, 0), Axis(300, 25, 2, 12)):
        covered = []
        for begin, end, low, high in axis.spans():
            covered += range(begin, end)
            for output in range(begin, end):
                seen = range(output * axis.stride - axis.padding, output * axis.stride - axis.padding + axis.size)
                assert all(low <= cell < high for cell in seen if 0 <= cell < axis.cells)
        assert covered == list(range(axis.outputs))
        assert axis.width() < 200


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_gradients_are_finite_differences_where_the_size_is_held(evaluation: str) -> None:
    def loss(alpha: Tensor, sigma: Tensor) -> Tensor:
        response = njet_conv2d(features, alpha, sigma, size=7, padding=(3, 3), evaluation=evaluation)
        return (response * direction).sum()

    features, direction = random(3, 2, 9, 8), random(3, 4, 9, 8, seed=1)
    alpha, sigma = random(4, 2, 10, seed=2).requires_grad_(), torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    loss(alpha, sigma).backward()
    assert alpha.grad is not None
    step = 1e-5
    with torch.no_grad():
        slope = (loss(alpha, sigma + step) - loss(alpha, sigma - step)) / (2 * step)
        torch.testing.assert_close(sigma.grad, slope, rtol=1e-7, atol=1e-7)
        for place in ((0, 0, 0), (1, 1, 4), (3, 0, 9)):
            shift = torch.zeros_like(alpha)
            shift[place] = step
            slope = (loss(alpha + shift, sigma) - loss(alpha - shift, sigma)) / (2 * step)
            torch.testing.assert_close(alpha.grad[place], slope, rtol=1e-7, atol=1e-7)


def test_gradient_of_a_sigma_per_filter_is_the_finite_difference() -> None:
    features, alpha = random(2, 3, 8, 8), random(4, 3, 6, seed=2)
    sigma = torch.tensor([0.7, 1.0, 1.3, 1.6], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda value: njet_conv2d(features, alpha, value, size=7), (sigma,))


def test_filters_with_equal_sigmas_are_those_of_one_sigma() -> None:
    alpha, sigma = random(4, 3, 6), torch.tensor(1.3, dtype=torch.float64)
    torch.testing.assert_close(njet_kernel(alpha, filter_taps(sigma.expand(4), 7, 2)), njet_kernel(alpha, filter_taps(sigma, 7, 2)))


def test_filters_mix_derivatives_along_rows_and_columns() -> None:
    """One weight at a time: the filter is the outer product of two derivatives, the first of them along rows."""
    taps = filter_taps(torch.tensor(1.3, dtype=torch.float64), 7, 3)
    for number, (i, j) in enumerate(jet_orders(3)):
        alpha = torch.zeros(1, 1, 10, dtype=torch.float64)
        alpha[..., number] = 2.0
        assert torch.equal(njet_kernel(alpha, taps)[0, 0], 2 * torch.outer(taps[i], taps[j]))


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_the_slope_of_a_ramp_is_found_by_the_derivative_along_columns(evaluation: str) -> None:
    """It is 1, times sigma for the normalisation, and negative as the filter is correlated, not mirrored, as every network's."""
    ramp = torch.arange(41.0, dtype=torch.float64).expand(1, 1, 41, 41)
    alpha = torch.zeros(1, 1, 3, dtype=torch.float64)
    alpha[..., jet_orders(1).index((0, 1))] = 1.0
    sigma = torch.tensor(1.5, dtype=torch.float64)
    response = njet_conv2d(ramp, alpha, sigma, size=25, evaluation=evaluation)
    torch.testing.assert_close(response, torch.full_like(response, -1.5), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((192, 192, 3, 32, 3), "dense"),
        ((96, 192, 3, 32, 7), "half separable"),
        ((192, 192, 3, 16, 15), "fully separable"),
        ((192, 192, 2, 16, 25), "fully separable"),
    ],
)
def test_small_filters_are_dense_and_wide_ones_separable(shape: tuple[int, int, int, int, int], expected: str) -> None:
    channels, filters, order, cells, size = shape
    axis = Axis(cells, size, 1, size // 2)
    assert cheapest_evaluation(channels, filters, 1, order, axis, axis) == expected


def test_depthwise_filters_of_usual_sizes_stay_dense() -> None:
    axis = Axis(32, 5, 1, 2)
    assert cheapest_evaluation(96, 96, 96, 2, axis, axis) == "dense"
