"""Deformable convolution: a second convolution computes an offset for each filter tap at each cell."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Sampling = Callable[[Tensor, Tensor, Tensor], Tensor]


def deformable_conv2d(
    features: Tensor, offsets: Tensor, weight: Tensor, bias: Tensor | None = None, sample: Sampling | None = None
) -> Tensor:
    """Correlate features with a filter whose taps are moved by offsets; between cells, features are interpolated bilinearly.

    Source: Dai et al. 2017, section 2.1, equations 2-4, at stride 1.
    Not in paper: zeros outside the map.

    Args:
        features: Feature maps, B C H W.
        offsets: Offsets B 2K² H W, in cells: for each tap, row by row, one along H and one along W.
        weight: Filters O C K K, K odd.
        bias: Bias O, or None.
        sample: Function `sample_grid` or `sample_rows`, which give the same result; None for `chosen_sampling`.

    Returns:
        Response B O H W.
    """
    batch, channels, height, width = features.shape
    size = weight.shape[-1]
    kind = torch.promote_types(features.dtype, torch.float32)  # half precision has too few bits for positions
    taps = torch.arange(size, device=features.device, dtype=kind)[:, None] - size // 2
    rows, columns = (taps + torch.arange(cells, device=features.device, dtype=kind) for cells in (height, width))
    moves = offsets.view(batch, size, size, 2, height, width)
    y, x = moves[:, :, :, 0] + rows[:, None, :, None], moves[:, :, :, 1] + columns[:, None, :]
    sample = sample or chosen_sampling(features.device.type)
    sampled = sample(features.to(kind), y.flatten(1), x.flatten(1)).to(features.dtype)
    response = weight.flatten(1) @ sampled.reshape(batch, channels * size**2, height * width)
    return response.view(batch, -1, height, width) + (0 if bias is None else bias[:, None, None])


def sample_grid(features: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Interpolate features bilinearly, with zeros outside the map.

    Args:
        features: Feature maps, B C H W.
        y: Positions along H, B P, in cells from the centre of the first cell.
        x: Positions along W, B P, in the same unit.

    Returns:
        Samples B C P.
    """
    height, width = features.shape[2:]
    # In `grid_sample`, -1 and 1 are the outer borders of the map, half a cell beyond the centres of its first and last cell.
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)[:, None]
    return functional.grid_sample(features, grid, padding_mode="zeros", align_corners=False)[:, :, 0]


def sample_rows(features: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Compute `sample_grid` by `index_select`, whose backward pass has a deterministic algorithm on every device.

    Rounding differs. The gradient of a position exactly at the centre of a cell may also differ: the interpolation has a kink there.
    """
    batch, channels, height, width = features.shape
    rows = features.permute(0, 2, 3, 1).reshape(-1, channels)  # one index selects all channels of a cell
    first = height * width * torch.arange(batch, device=features.device)[:, None]
    top, left = y.detach().floor(), x.detach().floor()
    sampled = features.new_zeros(batch, y.shape[1], channels)
    for cell_y, share_y in ((top, top + 1 - y), (top + 1, y - top)):
        for cell_x, share_x in ((left, left + 1 - x), (left + 1, x - left)):
            inside = (cell_y >= 0) & (cell_y < height) & (cell_x >= 0) & (cell_x < width)
            cell = cell_y.clamp(0, height - 1) * width + cell_x.clamp(0, width - 1)
            index = first + cell.nan_to_num().long()  # a NaN must reach the loss and not fail here
            neighbours = rows.index_select(0, index.flatten()).view(sampled.shape)
            sampled = sampled + (share_y * share_x * inside)[..., None] * neighbours
    return sampled.mT


def chosen_sampling(device: str) -> Sampling:
    """Return `sample_grid`, which is faster; `sample_rows` if training is deterministic and the device has no deterministic `grid_sample`.

    Args:
        device: Device type, such as "cpu" or "cuda".
    """
    return sample_rows if device == "cuda" and torch.are_deterministic_algorithms_enabled() else sample_grid


class DeformableConv2d(nn.Conv2d):
    """A deformable convolution that keeps the size; a plain convolution of the same kernel size computes the offsets, 0 at the start.

    Source: Dai et al. 2017, section 2.1 and figure 2.

    Args:
        in_channels: Number of input channels, C.
        out_channels: Number of output channels, O.
        kernel_size: Kernel size, K, odd.
        bias: Whether the convolution has a bias.

    Shape:
        B C H W to B O H W.

    Raises:
        ValueError: `kernel_size` is not odd and positive.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, bias: bool = True) -> None:
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"Expected `kernel_size` to be odd and positive, but got {kernel_size}.")
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias)
        self.offset_weight = nn.Parameter(torch.zeros(2 * kernel_size**2, in_channels, kernel_size, kernel_size))
        self.offset_bias = nn.Parameter(torch.zeros(2 * kernel_size**2))

    def forward(self, input: Tensor) -> Tensor:
        """Map B C H W to B O H W."""
        offsets = functional.conv2d(input, self.offset_weight, self.offset_bias, padding=self.padding)
        return deformable_conv2d(input, offsets, self.weight, self.bias)
