"""Deformable convolution: each tap of the filter looks where a second convolution tells it to, for every cell anew."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def deformable_conv2d(features: Tensor, offsets: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Correlate features with a filter whose taps are moved by offsets; between cells, features are interpolated bilinearly.

    Source: Dai et al. 2017, section 2.1, equations 2-4, at stride 1.
    Not in paper: zeros outside the map.

    Args:
        features: B C H W.
        offsets: B 2K² H W, for each tap, row by row, along H and along W; cells.
        weight: O C K K, K odd.
        bias: O, or none.

    Returns:
        B O H W.
    """
    batch, channels, height, width = features.shape
    size = weight.shape[-1]
    kind = torch.promote_types(features.dtype, torch.float32)  # half has too few bits for positions
    taps = torch.arange(size, device=features.device, dtype=kind)[:, None] - size // 2
    rows, columns = (taps + torch.arange(cells, device=features.device, dtype=kind) for cells in (height, width))
    moves = offsets.view(batch, size, size, 2, height, width)
    y, x = moves[:, :, :, 0] + rows[:, None, :, None], moves[:, :, :, 1] + columns[:, None, :]
    # In units where a map's outer borders, half a cell beyond its first and last one, are at -1 and 1.
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1).flatten(1, 3)
    sampled = functional.grid_sample(features.to(kind), grid, padding_mode="zeros", align_corners=False).to(features.dtype)
    response = weight.flatten(1) @ sampled.reshape(batch, channels * size**2, height * width)
    return response.view(batch, -1, height, width) + (0 if bias is None else bias[:, None, None])


class DeformableConv2d(nn.Conv2d):
    """A deformable convolution that keeps the size; its offsets come from a plain convolution of the same size, zero at the start.

    Source: Dai et al. 2017, section 2.1 and figure 2.

    Args:
        in_channels: C.
        out_channels: O.
        kernel_size: K, odd.
        bias: whether there is one.

    Shape:
        B C H W to B O H W.

    Raises:
        ValueError: if `kernel_size` is not odd and positive.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, bias: bool = True) -> None:
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"Expected `kernel_size` to be odd and positive, but got {kernel_size}.")
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias)
        self.offset_weight = nn.Parameter(torch.zeros(2 * kernel_size**2, in_channels, kernel_size, kernel_size))
        self.offset_bias = nn.Parameter(torch.zeros(2 * kernel_size**2))

    def forward(self, input: Tensor) -> Tensor:
        """B C H W to B O H W."""
        offsets = functional.conv2d(input, self.offset_weight, self.offset_bias, padding=self.padding)
        return deformable_conv2d(input, offsets, self.weight, self.bias)
