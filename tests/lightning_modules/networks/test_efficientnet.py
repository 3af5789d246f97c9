"""EfficientNet-B0: its count, its stages, drop connect."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lightning_modules.networks.efficientnet import STAGES, EfficientNetB0, MBConv


def count(num_classes: int = 10, **options: object) -> int:
    with torch.device("meta"):
        network = EfficientNetB0(num_classes, **options)  # type: ignore[arg-type]
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameters_are_those_of_the_well_known_network() -> None:
    """Of torchvision's efficientnet_b0 with 1000 classes, "5.3M" in Tan and Le 2019, table 2; a stride has no parameters."""
    assert count(1000) == 5_288_548
    assert count(10) == 5_288_548 - 990 * 1281


@pytest.mark.parametrize(("order", "functions"), [(2, 6), (3, 10)])
def test_njet_layers_replace_the_first_and_all_depthwise_convolutions(order: int, functions: int) -> None:
    channels, depthwise = 32, []
    for stage in STAGES:
        for _ in range(stage.repeats):
            depthwise.append((channels * stage.expansion, stage.size**2))
            channels = stage.channels
    assert len(depthwise) == 16
    replaced = 3 * 32 * (9 - functions) + sum(width * (taps - functions) for width, taps in depthwise)
    assert count() - count(jet={"order": order}) == replaced - 17


def test_sizes_of_maps_at_cifars_size() -> None:
    with torch.device("meta"):
        for jet in (None, {}):
            assert EfficientNetB0(10, jet=jet).map_sizes(32, 32) == [32, 32, *[16] * 2, *[8] * 2, *[4] * 6, *[2] * 5]
        assert len(EfficientNetB0(10, depth=0.25).map_sizes(32, 32)) == 8


def test_a_block_is_what_the_paper_says() -> None:
    """In evaluation batch normalisation as made is the identity, but for its epsilon."""
    torch.manual_seed(0)
    block, features = MBConv(8, STAGES[2], 2, 12, None, drop_connect=0.2).double().eval(), torch.randn(2, 8, 9, 9, dtype=torch.float64)
    names = ("branch.0.0", "branch.1.0", "branch.2.gate.0", "branch.2.gate.2", "branch.3.0")
    expand, depthwise, squeeze, excite, project = (block.get_parameter(f"{name}.weight") for name in names)
    for name in names[2:4]:
        torch.nn.init.uniform_(block.get_parameter(f"{name}.bias"))
    inner = functional.silu(functional.conv2d(features, expand))
    inner = functional.silu(functional.conv2d(inner, depthwise, stride=2, padding=2, groups=48))
    means = inner.mean((2, 3), keepdim=True)
    squeezed = functional.silu(functional.conv2d(means, squeeze, block.get_parameter("branch.2.gate.0.bias")))
    assert squeezed.shape[1] == 2
    inner = inner * torch.sigmoid(functional.conv2d(squeezed, excite, block.get_parameter("branch.2.gate.2.bias")))
    torch.testing.assert_close(block(features), functional.conv2d(inner, project), rtol=1e-4, atol=1e-4)


def test_drop_connect_leaves_out_whole_branches_of_some_pictures() -> None:
    torch.manual_seed(0)
    block, features = MBConv(8, STAGES[1], 1, 8, None, drop_connect=0.25), torch.randn(400, 8, 4, 4)
    block.branch.eval()
    with torch.no_grad():
        trained, branch = block(features), block.branch(features)
        block.eval()
        torch.testing.assert_close(block(features), features + branch)
    left_out = (trained == features).all(-1).all(-1).all(-1)
    assert left_out.float().mean().item() == pytest.approx(0.25, abs=0.06)
    torch.testing.assert_close(trained[~left_out], (features + branch / 0.75)[~left_out])


def test_drop_connect_grows_from_block_to_block() -> None:
    with torch.device("meta"):
        rates = [block.drop_connect for block in EfficientNetB0(10).blocks if isinstance(block, MBConv)]
    assert rates == pytest.approx([0.2 * position / 16 for position in range(16)])


def test_bad_input() -> None:
    for options, message in [
        ({"jet": {"subsampling": 4.0}}, "Expected `jet` without `subsampling`, because EfficientNet has none, but got 4.0"),
        ({"depth": 0.0}, "Expected `depth` to be positive, but got 0.0"),
        ({"drop_connect": 1.0}, "Expected `drop_connect` to be 0 or more and below 1, but got 1.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            count(**options)  # type: ignore[arg-type]


def test_no_shortcut_passes_a_stride() -> None:
    """Also where a small width leaves both ends of it equally many channels."""
    assert EfficientNetB0(10, width=0.01, depth=0.25).eval()(torch.randn(2, 3, 32, 32)).shape == (2, 10)
