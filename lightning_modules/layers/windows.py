"""Receptive fields in pixels and sizes in cells, by arithmetic only. This module needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """One sliding window: a convolution or a pooling, along one axis.

    Args:
        kernel_size: Number of taps.
        stride: Stride in cells.
        dilation: Distance between two taps in cells.
    """

    kernel_size: int
    stride: int = 1
    dilation: int = 1

    @property
    def extent(self) -> int:
        """Number of cells from the first tap to the last, both included."""
        return self.dilation * (self.kernel_size - 1) + 1


def receptive_field(windows: Iterable[Window]) -> tuple[int, int]:
    """Return the receptive field and the stride, both in input pixels, of windows applied one after the other.

    Source: Wei et al. 2017, section 3.3, states 212 pixels at a stride of 8 for pool5; section 3.1 states 212 pixels for fc6, but the
    window of fc6 would increase them.
    """
    extent, stride = 1, 1
    for window in windows:
        extent += (window.extent - 1) * stride
        stride *= window.stride
    return extent, stride


def inflated_size(size: int, factor: float) -> int:
    """Return the number of cells of an inflated axis.

    Source: Wei et al. 2017, section 3.2, equation 2. Not in paper: the floor; the equation gives a real number.

    Raises:
        ValueError: `factor` is not finite, as after a step of the optimiser that was too large.
    """
    if not math.isfinite(factor):
        raise ValueError(f"Expected `factor` to be finite, but got {factor}; lower the learning rates, or clip the gradient of f.")
    return math.floor(factor * (size - 1)) + 1


def inflated_receptive_field(factor: float, kernel_extent: int, pool5_extent: int = 212, stride: int = 8) -> int:
    """Return the receptive field in pixels of fc6 after an inflation by `factor`.

    Source: Wei et al. 2017, section 3.3: k' = ceil((k + 1) / f), and pool5_extent + stride * (k' - 1).
    This is the literal formula: at f = 1 it gives one stride more than the same kernel has without the inflation layer.

    Args:
        factor: Inflation factor, unitless, positive.
        kernel_extent: Number of cells that fc6 spans with its dilation, (kernel_size - 1) * dilation + 1.
        pool5_extent: Receptive field in pixels of the features that are inflated.
        stride: Number of pixels between two of their cells.

    Raises:
        ValueError: `factor` is not positive.
    """
    if not factor > 0:
        raise ValueError(f"Expected `factor` to be a positive number, but got {factor}.")
    # A quotient that exceeds a whole number only by rounding errors (8 / 0.8) must not be rounded up.
    equivalent_kernel = math.ceil((kernel_extent + 1) / factor - 1e-9)
    return pool5_extent + stride * (equivalent_kernel - 1)
