"""Receptive fields in pixels and sizes in cells, by arithmetic alone: this module needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """One sliding window: a convolution or a pooling, along one axis.

    Args:
        kernel_size: cells.
        stride: cells.
        dilation: cells between two taps.
    """

    kernel_size: int
    stride: int = 1
    dilation: int = 1

    @property
    def extent(self) -> int:
        """Cells from the first tap to the last, both counted."""
        return self.dilation * (self.kernel_size - 1) + 1


def receptive_field(windows: Iterable[Window]) -> tuple[int, int]:
    """Return the receptive field and the stride, both in input pixels, of windows applied one after the other.

    Source: Wei et al. 2017, section 3.3, states 212 pixels at a stride of 8 for its pool5; section 3.1 says 212 of fc6, whose own window
    would add to them.
    """
    extent, stride = 1, 1
    for window in windows:
        extent += (window.extent - 1) * stride
        stride *= window.stride
    return extent, stride


def inflated_size(size: int, factor: float) -> int:
    """Return the cells of an inflated axis.

    Source: Wei et al. 2017, section 3.2, equation 2. Not in paper: the floor; the equation gives a real number.
    """
    return math.floor(factor * (size - 1)) + 1


def inflated_receptive_field(factor: float, kernel_extent: int, pool5_extent: int = 212, stride: int = 8) -> int:
    """Return the receptive field in pixels of fc6 behind an inflation by `factor`.

    Source: Wei et al. 2017, section 3.3: k' = ceil((k + 1) / f), and pool5_extent + stride * (k' - 1).
    Literally so: at f = 1 it is one stride more than the same kernel has without the inflation layer.

    Args:
        factor: the inflation factor, unitless, positive.
        kernel_extent: cells that fc6 spans with its dilation, (kernel_size - 1) * dilation + 1.
        pool5_extent: receptive field in pixels of the features that are inflated.
        stride: pixels between two of their cells.

    Raises:
        ValueError: if `factor` is not positive.
    """
    if not factor > 0:
        raise ValueError(f"Expected `factor` to be a positive number, but got {factor}.")
    # A quotient that is a whole number but for rounding (8 / 0.8) must not be lifted to the next one.
    equivalent_kernel = math.ceil((kernel_extent + 1) / factor - 1e-9)
    return pool5_extent + stride * (equivalent_kernel - 1)
