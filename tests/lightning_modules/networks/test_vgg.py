"""The VGG builder against a plain VGG-16 written out layer by layer, with copied weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.networks.vgg import SameMaxPool2d, imagenet_weights, vgg16_features, vgg16_head

POOL_AFTER = (1, 3, 6, 9, 12)


def plain_vgg16() -> tuple[nn.Sequential, nn.Sequential]:
    """torchvision's layout, its width divided: `features` by number, `classifier` 0, 3, 6."""
    features: list[nn.Module] = []
    channels = 3
    for index, width in enumerate((4, 4, 8, 8, 16, 16, 16, 32, 32, 32, 32, 32, 32)):
        features += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        channels = width
        if index in POOL_AFTER:
            features.append(nn.MaxPool2d(2, 2))
    classifier = [nn.Linear(32 * 49, 24), nn.ReLU(), nn.Dropout(), nn.Linear(24, 24), nn.ReLU(), nn.Dropout(), nn.Linear(24, 10)]
    return nn.Sequential(*features).eval(), nn.Sequential(*classifier).eval()


def plain_state() -> tuple[nn.Sequential, nn.Sequential, dict[str, Tensor]]:
    torch.manual_seed(0)
    features, classifier = plain_vgg16()
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    return features, classifier, state | {f"classifier.{name}": value for name, value in classifier.state_dict().items()}


def test_the_converted_vgg_is_the_plain_one() -> None:
    """With fc6 kept 7x7 and all strides kept, the middle cell of fc7 is the fully connected layer's output."""
    plain, classifier, state = plain_state()
    ones = (1, 1, 1, 1, 1)
    network = nn.ModuleDict(
        {"features": vgg16_features((2, 2, 2, 2, 2), ones, ones, width=1 / 16), "head": vgg16_head(32, 24, 11, kernel_size=7, dilation=1)}
    ).eval()
    left = network.load_state_dict(imagenet_weights(state, 7), strict=False)
    assert (left.missing_keys, left.unexpected_keys) == (["head.fc8.weight", "head.fc8.bias"], [])
    image = torch.randn(2, 3, 224, 224)
    torch.testing.assert_close(network["features"](image), plain(image))
    head = network["head"]
    ours = head.relu7(head.fc7(head.relu6(head.fc6(network["features"](image)))))
    torch.testing.assert_close(ours[:, :, 3, 3], classifier[:5](plain(image).flatten(1)))


def test_a_4x4_fc6_keeps_every_second_tap() -> None:
    _, _, state = plain_state()
    taps = state["classifier.0.weight"].reshape(24, 32, 7, 7)
    assert torch.equal(imagenet_weights(state, 4)["head.fc6.weight"], taps[:, :, [0, 2, 4, 6]][..., [0, 2, 4, 6]])
    assert torch.equal(imagenet_weights(state, 3)["head.fc6.weight"], taps[:, :, [0, 3, 6]][..., [0, 3, 6]])


def test_a_kernel_that_cannot_be_thinned_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected `kernel_size` to be 7, 4, 3 or 2"):
        imagenet_weights(plain_state()[2], 5)


def test_weights_of_another_network_are_refused() -> None:
    state = {name: value for name, value in plain_state()[2].items() if not name.startswith("classifier.3")}
    with pytest.raises(
        ValueError, match=r"Expected start weights in torchvision's layout of VGG-16 .* missing in the classifier: classifier.3.weight"
    ):
        imagenet_weights(state, 4)


def test_removing_strides_and_dilating_computes_the_plain_net_densely() -> None:
    """Every second cell of the dilated net is a cell of the plain net, away from padding."""
    torch.manual_seed(0)
    ones = (1, 1, 1, 1, 1)
    plain = vgg16_features((2, 2, 2, 2, 1), ones, ones, width=1 / 32).double().eval()
    dense = vgg16_features((2, 2, 2, 1, 1), (1, 1, 1, 1, 2), (1, 1, 1, 1, 2), width=1 / 32).double().eval()
    dense.load_state_dict(plain.state_dict())
    image = torch.randn(1, 3, 400, 400, dtype=torch.float64)
    full, thin = dense[:-1](image), plain[:-1](image)  # pool5 pads its two versions differently
    torch.testing.assert_close(full[:, :, ::2, ::2][:, :, 6:-6, 6:-6], thin[:, :, 6:-6, 6:-6])


@pytest.mark.parametrize("dilation", [1, 2])
def test_pooling_with_stride_1_keeps_the_size(dilation: int) -> None:
    values = torch.rand(1, 2, 9, 11)
    result = SameMaxPool2d(2, dilation)(values)
    assert result.shape == values.shape
    inner = nn.functional.max_pool2d(values, 2, 1, dilation=dilation)
    offset = dilation // 2
    assert torch.equal(result[:, :, offset : offset + inner.shape[2], offset : offset + inner.shape[3]], inner)


def test_no_convolution_is_narrower_than_the_least_width() -> None:
    ones = (1, 1, 1, 1, 1)
    features = vgg16_features((2, 2, 2, 1, 1), ones, ones, width=1 / 16, narrowest=8)
    widths = [layer.out_channels for layer in features if isinstance(layer, nn.Conv2d)]
    assert widths == [8, 8, 8, 8, 16, 16, 16, 32, 32, 32, 32, 32, 32]
