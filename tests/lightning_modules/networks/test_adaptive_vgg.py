"""The paper's network: printed receptive fields, measured ones, and the modified net as the baseline at f = 1."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_modules.networks.adaptive_vgg import AdaptiveVGG
from reproduce.verdicts.published import load

PRINTED = {
    int(cell.row_key.removeprefix("baseline-")): cell.value
    for cell in load("adaptive_rf.table1").cells
    if cell.row_key.startswith("baseline-") and cell.column == "rf_fc6"
}


@pytest.mark.parametrize(("dilation", "printed"), PRINTED.items())
def test_baselines_have_the_printed_receptive_fields(dilation: int, printed: int) -> None:
    with torch.device("meta"):
        network = AdaptiveVGG(11, dilation, inflated=False)
    assert network.receptive_field() == printed
    assert (network.pool5_receptive_field, network.stride) == (212, 8)


def test_pool5_would_see_204_pixels_with_an_undilated_window() -> None:
    with torch.device("meta"):
        assert AdaptiveVGG(11, 2, pool_dilations=(1, 1, 1, 1, 1)).pool5_receptive_field == 204


def test_500_pixels_are_62_cells_and_500_labels() -> None:
    with torch.device("meta"):
        network = AdaptiveVGG(11, 14)
        image = torch.zeros(1, 3, 500, 500)
        assert network.features(image).shape == (1, 512, 62, 62)
        baseline = AdaptiveVGG(11, 14, inflated=False)
        assert baseline(image).shape == (1, 11, 500, 500)


def test_a_score_depends_on_just_the_pixels_of_its_receptive_field() -> None:
    """Positive weights let every path through, so the gradient of one score is nonzero exactly on its receptive field."""
    network = AdaptiveVGG(2, dilation=2, inflated=False, norm=False, width=1 / 64, head_channels=1).double().eval()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.0 if parameter.ndim == 1 else 0.1)
    # Max pooling passes a gradient to one winner only: mean pooling over the same window reaches the same pixels, all of them.
    channels = 0
    for name, module in list(network.features.named_children()):
        channels = module.out_channels if isinstance(module, nn.Conv2d) else channels
        if isinstance(module, nn.MaxPool2d):
            mean = nn.Conv2d(channels, channels, 2, module.stride, dilation=module.dilation, groups=channels, bias=False)
            nn.init.constant_(mean.weight, 0.25)
            setattr(network.features, name, nn.Sequential(nn.ZeroPad2d(getattr(module, "margins", 0)), mean.double()))
    image = torch.ones(1, 3, 400, 400, dtype=torch.float64, requires_grad=True)
    scores = network.head(network.features(image))
    scores[0, 0, 25, 25].backward()
    assert image.grad is not None
    touched = image.grad[0].abs().sum(0) > 0
    assert (touched.any(0).sum().item(), touched.any(1).sum().item()) == (260, 260)


def test_at_f_1_the_modified_network_is_the_baseline() -> None:
    options = {"dilation": 4, "width": 1 / 16, "head_channels": 16}
    modified, baseline = AdaptiveVGG(11, **options).eval(), AdaptiveVGG(11, inflated=False, **options).eval()
    baseline.load_state_dict({name: value for name, value in modified.state_dict().items() if not name.startswith("factor.")})
    image = torch.randn(1, 3, 120, 136)
    torch.testing.assert_close(modified(image), baseline(image))


def test_both_shares_of_f_are_the_finite_differences_of_the_whole_network() -> None:
    """Each share, times its number of target cells, is the derivative of the summed loss by its own f alone."""
    torch.manual_seed(0)
    network = AdaptiveVGG(5, dilation=2, width=1 / 32, head_channels=8, dropout=0.0).double().eval()
    assert network.factor is not None
    image, labels = torch.randn(2, 3, 96, 96, dtype=torch.float64), torch.randint(5, (2, 96, 96))
    with torch.no_grad():
        network.factor.value.fill_(1.37)
    loss = nn.CrossEntropyLoss(reduction="sum")
    loss(network(image), labels).backward()
    with torch.no_grad():
        normed = network.norm(network.features(image))
        sizes, step = [], 1e-6
        for which in range(2):
            values = []
            for sign in (1, -1):
                factors = [torch.tensor(1.37, dtype=torch.float64) for _ in range(2)]
                factors[which] = factors[which] + sign * step
                values.append(loss(forward(network, normed, factors, (96, 96)), labels))
            sizes.append((values[0] - values[1]) / (2 * step))
    cells = int(1.37 * 11) + 1
    torch.testing.assert_close(network.factor.shares[0], sizes[0] / cells**2, rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(network.factor.shares[1], sizes[1] / 96**2, rtol=1e-5, atol=1e-8)
    assert network.factor.value.grad is not None
    torch.testing.assert_close(network.factor.value.grad, network.factor.shares.sum())


def forward(network: AdaptiveVGG, normed: torch.Tensor, factors: list[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    from lightning_modules.layers.inflation import inflate, interpolate

    cells = int(1.37 * 11) + 1
    return interpolate(network.head(inflate(normed, factors[0], (cells, cells))), factors[1], (12, 12), size)


def test_the_trajectory_names_f_both_shares_and_the_receptive_field() -> None:
    network = AdaptiveVGG(11, dilation=8, width=1 / 64, head_channels=4)
    assert network.trajectory() == {"f": 1.0, "gradient_inflation": 0.0, "gradient_interpolation": 0.0, "receptive_field": 412.0}
    assert AdaptiveVGG(11, 8, inflated=False, width=1 / 64, head_channels=4).trajectory() == {}


@pytest.mark.parametrize("name", ["num_classes", "dilation", "kernel_size"])
def test_zero_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"Expected `{name}` to be a positive integer, but got 0"):
        AdaptiveVGG(**{"num_classes": 11, "dilation": 8, name: 0})


def test_fc8_starts_with_the_given_standard_deviation() -> None:
    torch.manual_seed(0)
    for std in (0.01, 0.5):
        network = AdaptiveVGG(50, 1, width=1 / 64, head_channels=400, fc8_std=std)
        assert network.head.fc8.weight.std().item() == pytest.approx(std, rel=0.05)


def test_a_standard_deviation_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="`fc8_std` to be positive, but got 0"):
        AdaptiveVGG(11, 1, fc8_std=0)
