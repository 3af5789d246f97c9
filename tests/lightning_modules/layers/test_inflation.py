"""Inflation and interpolation against identities, an outside sampler and finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.layers.bilinear import bilinear_weights
from lightning_modules.layers.inflation import InflationLayer, background_mask, inflate, interpolate
from lightning_modules.layers.windows import inflated_size

FACTORS = (0.25, 0.7, 1.3, 2.61, 4.0)


def features(height: int = 7, width: int = 9) -> Tensor:
    return torch.randn(2, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def factor(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def sampled(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """torch's own sampler at the crossings of rows and columns, in cells."""
    height, width = values.shape[-2:]
    y, x = torch.meshgrid(2 * rows / (height - 1) - 1, 2 * columns / (width - 1) - 1, indexing="ij")
    grid = torch.stack([x, y], dim=-1).expand(len(values), -1, -1, -1)
    return functional.grid_sample(values, grid, align_corners=True, padding_mode="border")


def test_inflation_by_1_is_the_identity() -> None:
    values = features()
    assert torch.equal(inflate(values, factor(1.0)), values)


@pytest.mark.parametrize("value", FACTORS)
def test_inflation_samples_bilinearly_at_t_over_f(value: float) -> None:
    values = features()
    result = inflate(values, factor(value))
    assert result.shape[-2:] == (int(value * 6) + 1, int(value * 8) + 1)
    rows, columns = (torch.arange(size, dtype=torch.float64) / value for size in result.shape[-2:])
    torch.testing.assert_close(result, sampled(values, rows, columns))


def test_inflating_by_a_whole_number_keeps_every_cell() -> None:
    values = features()
    torch.testing.assert_close(inflate(values, factor(3.0))[:, :, ::3, ::3], values)


def test_interpolation_at_f_1_is_aligned_resizing() -> None:
    scores = features()
    expected = functional.interpolate(scores, size=(50, 61), mode="bilinear", align_corners=True)
    torch.testing.assert_close(interpolate(scores, factor(1.0), (7, 9), (50, 61)), expected)


@pytest.mark.parametrize("value", FACTORS)
def test_interpolation_undoes_the_inflation_of_a_plane(value: float) -> None:
    """A plane is bilinear everywhere, so inflating and interpolating it by any f is resizing it, but for the floor at the far border."""
    y, x = torch.meshgrid(torch.arange(9.0).double(), torch.arange(13.0).double(), indexing="ij")
    plane = (2 * x - 3 * y + 1)[None, None]
    inflated = inflate(plane, factor(value))
    result = interpolate(inflated, factor(value), (9, 13), (33, 49))
    expected = functional.interpolate(plane, size=(33, 49), mode="bilinear", align_corners=True)
    rows = int((inflated.shape[-2] - 1) / value / 8 * 32) + 1
    columns = int((inflated.shape[-1] - 1) / value / 12 * 48) + 1
    assert rows > 24
    torch.testing.assert_close(result[..., :rows, :columns], expected[..., :rows, :columns])


def weight(size: tuple[int, int]) -> Tensor:
    """A fixed direction in which the loss looks at the output."""
    return torch.randn(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


# At 1 every sample lies on a kink. There the second derivatives of the two sides differ, so the finite difference is off by O(step).
@pytest.mark.parametrize("value", [*FACTORS, 1.0])
def test_inflation_share_is_the_finite_difference_over_the_target_cells(value: float) -> None:
    values, size, step = features(), (inflated_size(7, value), inflated_size(9, value)), 1e-6
    direction = weight(size)
    f = factor(value)
    (inflate(values, f, size) * direction).sum().backward()
    up, down = ((inflate(values, factor(value + sign * step), size) * direction).sum() for sign in (1, -1))
    assert f.grad is not None
    torch.testing.assert_close(f.grad, (up - down) / (2 * step) / (size[0] * size[1]), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("value", FACTORS)
def test_interpolation_share_is_the_finite_difference_over_the_target_pixels(value: float) -> None:
    scores, size, step = features(inflated_size(7, value), inflated_size(9, value)), (51, 61), 1e-6
    direction = weight(size)
    f = factor(value)
    (interpolate(scores, f, (7, 9), size) * direction).sum().backward()
    up, down = ((interpolate(scores, factor(value + sign * step), (7, 9), size) * direction).sum() for sign in (1, -1))
    assert f.grad is not None
    torch.testing.assert_close(f.grad, (up - down) / (2 * step) / (51 * 61), rtol=1e-5, atol=1e-8)


def test_equation_9_is_the_chain_rule_through_f_prime() -> None:
    """dLoss/df' (-F / f^2) with f' = F / f, over the target pixels, is the share that `interpolate` gives."""
    value, step, target = 1.3, 1e-6, 50
    scores, full, direction = features(inflated_size(7, value), inflated_size(7, value)), 49 / 6, weight((target, target))

    def loss(resize: float) -> Tensor:
        weights = bilinear_weights(torch.arange(target, dtype=torch.float64) / resize, scores.shape[-1])
        return (weights @ scores @ weights.T * direction).sum()

    by_paper = (loss(full / value + step) - loss(full / value - step)) / (2 * step) * (-full / value**2) / target**2
    f = factor(value)
    (interpolate(scores, f, (7, 7), (target, target)) * direction).sum().backward()
    assert f.grad is not None
    torch.testing.assert_close(f.grad, by_paper, rtol=1e-6, atol=1e-9)


def test_features_have_the_outside_samplers_gradient() -> None:
    values, reference = features().requires_grad_(), features().requires_grad_()
    result = inflate(values, factor(1.3))
    rows, columns = (torch.arange(size, dtype=torch.float64) / 1.3 for size in result.shape[-2:])
    direction = weight((result.shape[-2], result.shape[-1]))
    (result * direction).sum().backward()
    (sampled(reference, rows, columns) * direction).sum().backward()
    torch.testing.assert_close(values.grad, reference.grad)


def test_the_derivative_at_a_kink_is_the_mean_of_both_sides() -> None:
    positions = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    line = torch.tensor([0.0, 1.0, 5.0, 7.0], dtype=torch.float64)
    (bilinear_weights(positions, 4) @ line).backward(torch.ones(1, dtype=torch.float64))
    assert positions.grad is not None
    assert positions.grad.item() == (5 - 1 + 7 - 5) / 2  # equation 5, literally, would give -5


def test_beyond_the_last_cell_nothing_changes() -> None:
    positions = torch.tensor([3.5], dtype=torch.float64, requires_grad=True)
    line = torch.tensor([0.0, 1.0, 5.0, 7.0], dtype=torch.float64)
    value = bilinear_weights(positions, 4) @ line
    value.backward(torch.ones(1, dtype=torch.float64))
    assert positions.grad is not None
    assert (value.item(), positions.grad.item()) == (7.0, 0.0)


def test_a_single_cell_is_spread_everywhere() -> None:
    values = torch.full((1, 1, 1, 1), 3.0)
    assert torch.equal(interpolate(values, torch.tensor(1.0), (1, 1), (4, 5)), torch.full((1, 1, 4, 5), 3.0))


def test_bfloat16_features_are_sampled_at_exact_positions() -> None:
    values = features(62, 62).to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = interpolate(values, torch.tensor(1.0), (62, 62), (500, 500))
    assert result.dtype == torch.bfloat16
    exact = interpolate(values.float(), torch.tensor(1.0), (62, 62), (500, 500))
    torch.testing.assert_close(result.float(), exact, rtol=2**-8, atol=0)


def test_the_factor_starts_at_1_stays_in_range_and_keeps_both_shares() -> None:
    module = InflationLayer().double()
    inflated = module(features(), (50, 60))
    (module.interpolate(inflated, (7, 9), (50, 60)) * weight((50, 60))).sum().backward()
    assert module.value.item() == 1.0
    assert module.value.grad is not None
    torch.testing.assert_close(module.shares.sum(), module.value.grad)
    assert module.shares.abs().min() > 0
    for pushed, kept in ((9.0, 4.0), (0.1, 0.25), (2.5, 2.5)):
        with torch.no_grad():
            module.value.fill_(pushed)
        module.after_step()
        module.before_gradients()
        assert module.value.item() == kept
    assert not module.shares.any()


def test_shares_add_up_over_backward_passes_as_the_gradient_does_and_begin_anew_with_the_next_step() -> None:
    module = InflationLayer().double()

    def backward(share: float) -> None:
        inflated = module(features(), (50, 60))
        ((module.interpolate(inflated, (7, 9), (50, 60)) * weight((50, 60))).sum() * share).backward()

    backward(1.0)
    once = module.shares.clone()
    backward(0.5)
    torch.testing.assert_close(module.shares, 1.5 * once)
    assert module.value.grad is not None
    torch.testing.assert_close(module.shares.sum(), module.value.grad)
    module.before_step(2.0)  # of a loss that was scaled by 2
    torch.testing.assert_close(module.shares, 0.75 * once)
    module.before_gradients()
    backward(1.0)
    torch.testing.assert_close(module.shares, once)


def test_a_range_that_leaves_out_1_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected `minimum` and `maximum` .* but got 2 and 4"):
        InflationLayer(2, 4)


def test_the_true_gradient_is_the_derivative_over_the_pixels_of_the_image() -> None:
    """Both shares are divided by the image's pixels: finite differences of the whole, inflation and interpolation."""
    value, image, direction = 1.3, (50, 60), weight((50, 60))
    base = features()

    def loss(f: float) -> Tensor:
        # The size of the inflated map is held: it changes in steps, which no derivative sees.
        inflated = inflate(base, factor(f), (8, 11))
        return (interpolate(inflated.tanh(), factor(f), (7, 9), image) * direction).sum()

    step = 1e-6
    expected = (loss(value + step) - loss(value - step)) / (2 * step) / (50 * 60)
    gradients = {}
    for kind in ("true", "equation 11"):
        module = InflationLayer(gradient=kind).double()
        with torch.no_grad():
            module.value.fill_(value)
        inflated = module(base, image)
        assert inflated.shape[-2:] == (8, 11)
        assert module.value.grad is None
        (module.interpolate(inflated.tanh(), (7, 9), image) * direction).sum().backward()
        gradients[kind] = module
    true, paper = gradients["true"], gradients["equation 11"]
    # Equation 11 divides the inflation layer's share by its own 8 x 11 cells instead.
    torch.testing.assert_close(true.shares[0] * image[0] * image[1], paper.shares[0] * 8 * 11)
    torch.testing.assert_close(true.shares[1], paper.shares[1])
    assert true.value.grad is not None
    torch.testing.assert_close(true.value.grad, expected, rtol=1e-5, atol=1e-9)


def test_the_background_mask_weighs_the_gradient_of_f_alone() -> None:
    """With a mask the result and the features' gradient are those without; f's is the sum over target pixels, each with its weight."""
    labels = torch.zeros(2, 20, 30, dtype=torch.long)
    labels[:, 5:15, 8:20], labels[:, 0] = 3, 255
    direction = weight((20, 30))
    found = {}
    for share in (1.0, 0.5, 0.0):
        module = InflationLayer(background_weight=share).double()
        with torch.no_grad():
            module.value.fill_(1.7)
        values = features().requires_grad_()
        result = module.interpolate(module(values, (20, 30), labels) ** 2, (7, 9), (20, 30), labels)
        (result * direction).sum().backward()
        found[share] = (result.detach(), values.grad, module.value.grad, module.shares.clone())
    for share in (0.5, 0.0):
        torch.testing.assert_close(found[share][0], found[1.0][0])
        torch.testing.assert_close(found[share][1], found[1.0][1])
        assert found[share][2] != found[1.0][2]
    torch.testing.assert_close(found[0.5][3], (found[0.0][3] + found[1.0][3]) / 2)  # linear in the weight


def test_a_background_of_no_weight_leaves_what_the_other_pixels_say() -> None:
    """The interpolation share of a masked f is that of a loss in which background pixels have no gradient."""
    labels = torch.zeros(2, 20, 30, dtype=torch.long)
    labels[:, 5:15, 8:20] = 3
    direction, scores = weight((20, 30)), features(12, 15)
    masked = InflationLayer(background_weight=0.0).double()
    (masked.interpolate(scores, (7, 9), (20, 30), labels) * direction).sum().backward()
    plain = InflationLayer().double()
    (plain.interpolate(scores, (7, 9), (20, 30)) * direction * (labels != 0)[:, None]).sum().backward()
    torch.testing.assert_close(masked.value.grad, plain.value.grad)


def test_a_masked_inflation_share_is_that_of_moved_samples_times_their_weight() -> None:
    """Finite differences of the target pixels one by one, each with its weight, where the features stay as they are."""
    labels = torch.zeros(2, 20, 30, dtype=torch.long)
    labels[:, 5:15, 8:20] = 3
    value, step, base = 1.7, 1e-6, features()
    module = InflationLayer(background_weight=0.25).double()
    with torch.no_grad():
        module.value.fill_(value)
    inflated = module(base, (20, 30), labels)
    size = (inflated.shape[-2], inflated.shape[-1])
    direction = weight(size)
    (inflated * direction).sum().backward()
    moved = (inflate(base, factor(value + step), size) - inflate(base, factor(value - step), size)) / (2 * step)
    expected = (moved * direction * background_mask(labels, size, 0.25)).sum() / (size[0] * size[1])
    assert module.value.grad is not None
    torch.testing.assert_close(module.value.grad, expected.detach(), rtol=1e-5, atol=1e-9)


def test_without_labels_nothing_is_masked() -> None:
    plain, masked = InflationLayer().double(), InflationLayer(background_weight=0.5).double()
    for module in (plain, masked):
        (module(features(), (20, 30)) * weight((7, 9))).sum().backward()
    assert masked.uses_labels
    assert not plain.uses_labels
    assert torch.equal(plain.value.grad, masked.value.grad)  # type: ignore[arg-type]


def test_background_pixels_are_those_nearest_to_a_target_pixel() -> None:
    labels = torch.tensor([[[0, 0, 0, 7, 7], [0, 0, 0, 7, 7], [255, 255, 255, 255, 255]]])
    mask = background_mask(labels, (2, 3), 0.25)
    assert mask.tolist() == [[[[0.25, 0.25, 1.0], [1.0, 1.0, 1.0]]]]


@pytest.mark.parametrize(("options", "named"), [({"gradient": "exact"}, "gradient"), ({"background_weight": 1.5}, "background_weight")])
def test_wrong_treatments_of_f_are_refused(options: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=f"Expected `{named}` to be"):
        InflationLayer(**options)  # type: ignore[arg-type]


def alone(rate: float, steps: int) -> tuple[InflationLayer, list[float]]:
    """Train a convolution between the layer's two halves in a plain loop of torch, with a rate of its own for f; return the losses."""
    torch.manual_seed(0)
    maps = torch.nn.functional.avg_pool2d(torch.randn(4, 3, 38, 38), 9, 1)  # smooth, as features are
    head, inflation, target = torch.nn.Conv2d(3, 2, 3, padding=1), InflationLayer(), torch.zeros(4, 2, 60, 60)
    target[:, :, :30] = 1.0
    optimizer = torch.optim.SGD([{"params": head.parameters()}, {"params": inflation.parameters(), "lr": rate}], lr=0.1)
    optimizer.register_step_post_hook(lambda *_: inflation.after_step())
    losses = []
    for _ in range(steps):
        scores = inflation.interpolate(head(inflation(maps)), source=maps.shape[-2:], size=target.shape[-2:])
        loss = torch.nn.functional.mse_loss(scores, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return inflation, losses


def test_alone_in_a_plain_loop_it_learns_with_what_it_encloses() -> None:
    inflation, losses = alone(rate=10.0, steps=40)
    assert losses[-1] < 0.5 * losses[0]
    assert inflation.value.item() != 1.0
    assert inflation.minimum < inflation.value.item() < inflation.maximum


def test_alone_it_stays_in_its_range_by_after_step() -> None:
    inflation, _ = alone(rate=1e9, steps=3)
    assert inflation.value.item() in (inflation.minimum, inflation.maximum)


def test_the_true_gradient_needs_the_size_of_the_pictures_and_f_its_range() -> None:
    with pytest.raises(ValueError, match="Expected `image`"):
        InflationLayer(gradient="true")(features())
    stray = InflationLayer()
    with torch.no_grad():
        stray.value.fill_(-0.3)
    with pytest.raises(ValueError, match=r"Expected f to be positive, but got -0\.3; call `after_step`"):
        stray(features())


def test_frozen_it_gives_the_same_with_f_as_a_number() -> None:
    layer = InflationLayer().double().eval()
    with torch.no_grad():
        layer.value.fill_(1.37)

    def scores() -> Tensor:
        return layer.interpolate(layer(features()).tanh(), (7, 9), (50, 60)).detach()

    expected = scores()
    layer.freeze()
    assert layer.frozen == 1.37
    assert torch.equal(scores(), expected)
    layer.train()
    with pytest.raises(ValueError, match="Expected a frozen InflationLayer to be in evaluation mode"):
        scores()


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_a_factor_that_is_not_finite_is_one_sentence(factor: float) -> None:
    with pytest.raises(ValueError, match=r"Expected `factor` to be finite, but got (nan|inf); lower the learning rates"):
        inflated_size(7, factor)
