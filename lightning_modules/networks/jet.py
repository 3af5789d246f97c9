"""The base class and the building functions of networks with plain or N-Jet convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lightning_modules.layers.njet import NJetConv2d, update_sizes
from lightning_modules.layers.quantities import SIGMA
from lightning_modules.networks.network import Network
from lightning_modules.quantity import Quantity


class JetNetwork(Network):
    """A network whose large convolutions (larger than 1 x 1) may be N-Jet layers; the input of the first of them is the picture.

    Its scores are the global averages of its `features`, unless a subclass overrides `forward`.
    """

    features: nn.Module
    channels_last = True

    def forward(self, image: Tensor) -> Tensor:
        """Map B C H W to scores B num_classes."""
        return global_average(self.features(image))

    def trajectory(self) -> dict[str, float]:
        """Return each N-Jet layer's sigma in pixels as `sigma_<layer from 1>`; the mean, if the layer has a sigma per filter."""
        layers = self._layers()
        if not layers:
            return {}
        with torch.no_grad():
            sigmas = torch.stack([layer.sigma.mean() for layer in layers]).tolist()  # stacked: only one wait for the device
        return {f"sigma_{index}": sigma for index, sigma in enumerate(sigmas, 1)}

    def learned(self) -> dict[str, Any]:
        """Return the sigma of each layer, and the list of all as `sigmas`."""
        found = self.trajectory()
        return found | {"sigmas": list(found.values())} if found else {}

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Learned quantities."""
        return (SIGMA,) if self._layers() else ()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the group `sigma`: the parameters `scale`, where sigma = 2^scale."""
        return {"sigma": [layer.scale for layer in self._layers()]}

    def after_step(self) -> None:
        """Update the filter sizes to the current sigmas, with one read from the device for all layers."""
        update_sizes(self)

    def sizes(self, shape: tuple[int, ...] | None = None) -> dict[str, Any]:
        """Return `map_sizes` for pictures C H W."""
        return {} if shape is None else {"map_sizes": self.map_sizes(*shape[1:])}

    def _layers(self) -> list[NJetConv2d]:
        return [module for module in self.modules() if isinstance(module, NJetConv2d)]

    def map_sizes(self, height: int, width: int) -> list[int]:
        """Return the height of the feature map after each large convolution for a picture of H W, in cells.

        A height includes all that shrinks the map before the next large convolution: stride, safe subsampling, pooling.
        Source: Pintea et al. 2021, figures 7 and 8, which compare these sizes with those of plain networks.
        """
        heights: list[int] = []

        def following(_layer: nn.Module, _inputs: Any, response: Tensor) -> None:
            heights.append(response.shape[2])

        def pooled(_layer: nn.Module, _inputs: Any, response: Tensor) -> None:
            heights[-1] = response.shape[2]

        large = [module for module in self.modules() if _is_large(module)]
        pools = [module for module in self.modules() if isinstance(module, nn.MaxPool2d | nn.AvgPool2d)]
        handles = [layer.register_forward_hook(following) for layer in large] + [layer.register_forward_hook(pooled) for layer in pools]
        # Meta tensors have sizes but no values: nothing is computed, and the statistics of batch normalisation do not change. Batch
        # normalisation needs two pictures if maps have one cell.
        state = {name: tensor.to("meta") for name, tensor in (*self.named_parameters(), *self.named_buffers())}
        parameter = next(self.parameters())
        picture = parameter.new_empty(2, large[0].in_channels, height, width, device="meta")
        try:
            with torch.no_grad():
                functional_call(self, state, (picture,))
        finally:
            for handle in handles:
                handle.remove()
        return heights


def convolution(
    in_channels: int,
    out_channels: int,
    size: int,
    jet: Mapping[str, Any] | None = None,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
    dilation: int = 1,
) -> nn.Module:
    """Build a convolution that changes the size only by its stride; an N-Jet layer, if `jet` is given and `size` is larger than 1.

    Not in paper: plain convolutions start as in He et al. 2015.

    Args:
        in_channels: Number of input channels, C.
        out_channels: Number of output channels, O.
        size: Size of a plain filter, pixels, odd.
        jet: Arguments of `NJetConv2d`, or None for a plain convolution.
        stride: Stride in cells.
        groups: Number of channel groups.
        bias: Whether the convolution has a bias.
        dilation: Dilation of a plain filter.

    Raises:
        ValueError: `size` is not odd and positive.
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(f"Expected sizes of filters to be odd and positive, but got {size}.")
    if jet is not None and size > 1:
        return NJetConv2d(in_channels, out_channels, stride=stride, groups=groups, bias=bias, **jet)
    padding = size // 2 * dilation
    plain = nn.Conv2d(in_channels, out_channels, size, stride, padding, dilation, groups, bias)
    nn.init.kaiming_normal_(plain.weight, nonlinearity="relu")
    return plain


def block(
    in_channels: int,
    out_channels: int,
    size: int,
    jet: Mapping[str, Any] | None = None,
    stride: int = 1,
    groups: int = 1,
    activation: Callable[[], nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Build a `convolution` without bias, followed by batch normalisation and an activation, unless `activation` is None."""
    layers = [convolution(in_channels, out_channels, size, jet, stride, groups), nn.BatchNorm2d(out_channels)]
    return nn.Sequential(*layers, *([] if activation is None else [activation()]))


def scaled(channels: int, width: float) -> int:
    """Return `channels` times `width`, rounded, at least 1.

    Raises:
        ValueError: `width` is not positive.
    """
    if not width > 0:
        raise ValueError(f"Expected `width` to be positive, but got {width}.")
    return max(1, round(channels * width))


def global_average(features: Tensor) -> Tensor:
    """Average over all cells: B C H W to B C."""
    return features.mean((2, 3))


def grid_average(features: Tensor, cells: int) -> Tensor:
    """Average over the areas of a grid, for maps of any size: B C H W to B C cells²; all areas are equal."""
    rows, columns = (_shares(size, cells, features.device).to(features.dtype) for size in features.shape[2:])
    return (rows @ features @ columns.T).flatten(2)


def _shares(size: int, cells: int, device: torch.device) -> Tensor:
    """Return the weight of each of `size` pixels in the mean over each of `cells` equal parts of an axis: cells size."""
    part = torch.arange(cells, dtype=torch.float64, device=device)[:, None]
    pixel = torch.arange(size, dtype=torch.float64, device=device) * cells / size
    overlap = torch.minimum(part + 1, pixel + cells / size) - torch.maximum(part, pixel)
    return overlap.clamp(min=0)


def _is_large(module: nn.Module) -> TypeGuard[NJetConv2d | nn.Conv2d]:
    return isinstance(module, NJetConv2d) or (isinstance(module, nn.Conv2d) and module.kernel_size[0] > 1)
