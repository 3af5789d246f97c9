"""One VGG-16 for all papers: its arguments determine the convolutions and the head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.layers.windows import Window

CHANNELS = (64, 128, 256, 512, 512)
DEPTHS = (2, 2, 3, 3, 3)


class SameMaxPool2d(nn.MaxPool2d):
    """Max pooling with stride 1 that keeps the size; if the padding is odd, the extra cell is at the bottom and at the right.

    The padding is zero, which is never above the maximum, because features follow a ReLU.
    """

    def __init__(self, kernel_size: int, dilation: int) -> None:
        super().__init__(kernel_size, stride=1, dilation=dilation)
        span = dilation * (kernel_size - 1)
        self.margins = (span // 2, span - span // 2) * 2

    def forward(self, input: Tensor) -> Tensor:
        """Map B C H W to B C H W."""
        padded = functional.pad(input, self.margins)
        return functional.max_pool2d(padded, self.kernel_size, stride=1, dilation=self.dilation)


def vgg16_features(
    strides: Sequence[int],
    dilations: Sequence[int],
    pool_dilations: Sequence[int],
    width: float = 1.0,
    narrowest: int = 1,
    batch_norm: bool = False,
) -> nn.Sequential:
    """Build VGG-16's conv1_1 to pool5, with Caffe's module names.

    Source: Simonyan and Zisserman 2015, table 1, column D.

    Args:
        strides: Strides of pool1 to pool5, 2 or 1; a pooling with stride 1 keeps the size.
        dilations: Dilations of the convolutions of conv1 to conv5.
        pool_dilations: Dilations of the 2x2 windows of pool1 to pool5.
        width: Number of channels as a share of VGG-16's.
        narrowest: Least number of channels of a convolution.
        batch_norm: Whether a batch norm follows every convolution.
    """
    layers: dict[str, nn.Module] = {}
    channels = 3
    blocks = zip(DEPTHS, CHANNELS, strides, dilations, pool_dilations, strict=True)
    for block, (depth, full_width, stride, dilation, pool_dilation) in enumerate(blocks, 1):
        for index in range(1, depth + 1):
            name, out_channels = f"{block}_{index}", max(narrowest, round(full_width * width))
            layers[f"conv{name}"] = nn.Conv2d(channels, out_channels, 3, padding=dilation, dilation=dilation, bias=not batch_norm)
            if batch_norm:
                layers[f"bn{name}"] = nn.BatchNorm2d(out_channels)
            layers[f"relu{name}"] = nn.ReLU(inplace=True)
            channels = out_channels
        layers[f"pool{block}"] = nn.MaxPool2d(2, 2, dilation=pool_dilation) if stride == 2 else SameMaxPool2d(2, pool_dilation)
    features = nn.Sequential()
    for name, layer in layers.items():
        features.add_module(name, layer)
    return features


def vgg16_head(
    in_channels: int, channels: int, num_classes: int, kernel_size: int, dilation: int, dropout: float = 0.5, batch_norm: bool = False
) -> nn.Sequential:
    """Build fc6, fc7 and fc8 as convolutions that keep the size, with Caffe's module names."""
    head = nn.Sequential()
    for name, layer in (
        ("fc6", nn.Conv2d(in_channels, channels, kernel_size, padding="same", dilation=dilation, bias=not batch_norm)),
        ("bn6", nn.BatchNorm2d(channels) if batch_norm else None),
        ("relu6", nn.ReLU(inplace=True)),
        ("drop6", nn.Dropout(dropout)),
        ("fc7", nn.Conv2d(channels, channels, 1, bias=not batch_norm)),
        ("bn7", nn.BatchNorm2d(channels) if batch_norm else None),
        ("relu7", nn.ReLU(inplace=True)),
        ("drop7", nn.Dropout(dropout)),
        ("fc8", nn.Conv2d(channels, num_classes, 1)),
    ):
        if layer is not None:
            head.add_module(name, layer)
    return head


def initialise(module: nn.Module, fc8_std: float = 0.01) -> None:
    """Initialise weights: as He et al. 2015 before a ReLU, normal with standard deviation `fc8_std` for fc8, zero for biases."""
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d):
            if name.endswith("fc8"):
                nn.init.normal_(layer.weight, std=fc8_std)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def windows(layers: nn.Module) -> Iterator[Window]:
    """Yield the sliding windows of a chain of layers, in order, for `receptive_field`."""
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            (kernel_size, *_), (stride, *_), (dilation, *_) = (
                value if isinstance(value, tuple) else (value,) for value in (layer.kernel_size, layer.stride, layer.dilation)
            )
            yield Window(kernel_size, stride, dilation)


TORCHVISION = "torchvision VGG-16"  # layout of torchvision's weight files


def start_weights(state: Mapping[str, Tensor], layout: str, kernel_size: int) -> dict[str, Tensor]:
    """Convert the weights of a VGG-16 in a public layout to `features.*` and `head.*` of our networks; see `imagenet_weights`.

    Raises:
        ValueError: The layout is unknown.
    """
    if layout != TORCHVISION:
        raise ValueError(f"Expected weights in the layout of {TORCHVISION}, but got {layout}.")
    return imagenet_weights(state, kernel_size)


def imagenet_weights(state: Mapping[str, Tensor], kernel_size: int) -> dict[str, Tensor]:
    """Convert the weights of an ImageNet VGG-16 in torchvision's layout to `features.*` and `head.*` of our networks.

    The 7x7 kernel of fc6 is reduced to `kernel_size` taps per axis: every n-th tap is kept, from the first to the last. fc8 is not in the
    result, because the file has scores for ImageNet's classes.
    Source: Chen et al. 2015 (DeepLab), section 3.1, subsample fc6 in this way.

    Args:
        state: Weights `features.<n>.{weight,bias}` and `classifier.{0,3}.{weight,bias}`.
        kernel_size: Number of taps of fc6 per axis: 7, 4, 3 or 2.

    Raises:
        ValueError: `state` is not a VGG-16, or its fc6 cannot be subsampled to `kernel_size`.
    """
    if kernel_size < 2 or 6 % (kernel_size - 1):
        raise ValueError(f"Expected `kernel_size` to be 7, 4, 3 or 2, which sample 7 taps evenly, but got {kernel_size}.")
    names = [f"conv{block}_{index}" for block, depth in enumerate(DEPTHS, 1) for index in range(1, depth + 1)]
    sources = sorted({int(key.split(".")[1]) for key in state if key.startswith("features.") and key.endswith(".weight")})
    missing = [key for key in ("classifier.0.weight", "classifier.3.weight") if key not in state]
    if len(sources) != len(names) or missing:
        raise ValueError(
            f"Expected start weights in torchvision's layout of VGG-16 (13 `features`, `classifier.0`, `classifier.3`), "
            f"but got {len(sources)} `features`; missing in the classifier: {' and '.join(missing) or 'nothing'}."
        )
    result = {
        f"features.{name}.{part}": state[f"features.{source}.{part}"]
        for name, source in zip(names, sources, strict=True)
        for part in ("weight", "bias")
    }
    fc6, fc7 = state["classifier.0.weight"], state["classifier.3.weight"]
    step = 6 // (kernel_size - 1)
    result["head.fc6.weight"] = fc6.reshape(len(fc6), -1, 7, 7)[:, :, ::step, ::step].contiguous()
    result["head.fc7.weight"] = fc7[:, :, None, None]
    result["head.fc6.bias"], result["head.fc7.bias"] = state["classifier.0.bias"], state["classifier.3.bias"]
    return result
