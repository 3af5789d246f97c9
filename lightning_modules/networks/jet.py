"""What networks with plain or N-Jet convolutions have in common."""

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
    """A network whose large convolutions, those of more than 1 x 1 pixels, may be N-Jet layers; the first of them sees the picture.

    Its scores are the global averages of its `features`, unless it has a `forward` of its own.
    """

    features: nn.Module

    def forward(self, image: Tensor) -> Tensor:
        """B C H W to scores B num_classes."""
        return global_average(self.features(image))

    def trajectory(self) -> dict[str, float]:
        """Return each N-Jet layer's sigma in pixels as `sigma_<layer from 1>`, the mean of a layer with a sigma per filter."""
        layers = self._layers()
        if not layers:
            return {}
        with torch.no_grad():
            sigmas = torch.stack([layer.sigma.mean() for layer in layers]).tolist()  # together: one wait for the device
        return {f"sigma_{index}": sigma for index, sigma in enumerate(sigmas, 1)}

    def learned(self) -> dict[str, Any]:
        """Return the sigmas by layer, and all of them as `sigmas`."""
        found = self.trajectory()
        return found | {"sigmas": list(found.values())} if found else {}

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What is learned."""
        return (SIGMA,) if self._layers() else ()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Name the scales, of which sigma is a power of two."""
        return {"sigma": [layer.scale for layer in self._layers()]}

    def after_step(self) -> None:
        """Let filters follow their sigmas, which come from the device together."""
        update_sizes(self)

    def sizes(self, shape: tuple[int, ...] | None = None) -> dict[str, Any]:
        """Return `map_sizes` for pictures C H W."""
        return {} if shape is None else {"map_sizes": self.map_sizes(*shape[1:])}

    def _layers(self) -> list[NJetConv2d]:
        return [module for module in self.modules() if isinstance(module, NJetConv2d)]

    def map_sizes(self, height: int, width: int) -> list[int]:
        """Return the heights of the maps behind each large convolution for a picture of H W, in cells.

        What makes a map smaller before the next large convolution counts: a stride, safe subsampling, a pooling.
        Source: Pintea et al. 2021, figures 7 and 8, which compare them with those of plain networks.
        """
        heights: list[int] = []

        def following(_layer: nn.Module, _inputs: Any, response: Tensor) -> None:
            heights.append(response.shape[2])

        def pooled(_layer: nn.Module, _inputs: Any, response: Tensor) -> None:
            heights[-1] = response.shape[2]

        large = [module for module in self.modules() if _is_large(module)]
        pools = [module for module in self.modules() if isinstance(module, nn.MaxPool2d | nn.AvgPool2d)]
        handles = [layer.register_forward_hook(following) for layer in large] + [layer.register_forward_hook(pooled) for layer in pools]
        # On meta tensors, which have sizes but no values: nothing is computed, and no statistic of batch normalisation changes. It wants
        # two pictures where maps have one cell.
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
    """Build a convolution that keeps the size but for its stride, as an N-Jet layer if `jet` is given and it is larger than 1 x 1.

    Not in paper: plain ones start as in He et al. 2015.

    Args:
        in_channels: C.
        out_channels: O.
        size: of a plain filter, pixels, odd.
        jet: arguments of `NJetConv2d`.
        stride: cells.
        groups: of channels.
        bias: whether there is one.
        dilation: of a plain filter.

    Raises:
        ValueError: if `size` is not odd and positive.
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
    """Build a `convolution` without bias, batch normalisation and, unless it is None, an activation."""
    layers = [convolution(in_channels, out_channels, size, jet, stride, groups), nn.BatchNorm2d(out_channels)]
    return nn.Sequential(*layers, *([] if activation is None else [activation()]))


def scaled(channels: int, width: float) -> int:
    """Return `width` times as many channels, rounded, 1 at least.

    Raises:
        ValueError: if `width` is not positive.
    """
    if not width > 0:
        raise ValueError(f"Expected `width` to be positive, but got {width}.")
    return max(1, round(channels * width))


def global_average(features: Tensor) -> Tensor:
    """B C H W to B C."""
    return features.mean((2, 3))


def grid_average(features: Tensor, cells: int) -> Tensor:
    """Average over a grid of equal areas, whatever the size of the maps: B C H W to B C cells²."""
    rows, columns = (_shares(size, cells, features.device).to(features.dtype) for size in features.shape[2:])
    return (rows @ features @ columns.T).flatten(2)


def _shares(size: int, cells: int, device: torch.device) -> Tensor:
    """Return the share of each of `size` pixels in the mean over each of `cells` equal parts of an axis: cells size."""
    part = torch.arange(cells, dtype=torch.float64, device=device)[:, None]
    pixel = torch.arange(size, dtype=torch.float64, device=device) * cells / size
    overlap = torch.minimum(part + 1, pixel + cells / size) - torch.maximum(part, pixel)
    return overlap.clamp(min=0)


def _is_large(module: nn.Module) -> TypeGuard[NJetConv2d | nn.Conv2d]:
    return isinstance(module, NJetConv2d) or (isinstance(module, nn.Conv2d) and module.kernel_size[0] > 1)
