"""Safe subsampling: maps become smaller as the filters that made them become wider."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

SUBSAMPLINGS = ("paper", "code")


def subsampled_size(size: int, sigma: float, r: float, rule: str = SUBSAMPLINGS[0]) -> int:
    """Return the cells of an axis after safe subsampling, 1 at least.

    Source: Pintea et al. 2021, section IV: s (1/2)^(sigma / r). The authors' code divides by max(1, 2^sigma / r) instead.
    Not in paper: the floor, as in the authors' code; the formula gives a real number.

    Args:
        size: s, cells.
        sigma: of the layer's filters, pixels.
        r: by the paper's rule the pixels of sigma that halve a map; by the code's, 2^sigma where maps begin to shrink.
        rule: "paper" or "code".

    Raises:
        ValueError: if `r` is not positive or the rule is unknown.
    """
    if not r > 0:
        raise ValueError(f"Expected `r` of safe subsampling to be positive, but got {r}.")
    if rule not in SUBSAMPLINGS:
        raise ValueError(f"Expected the rule of safe subsampling to be {' or '.join(map(repr, SUBSAMPLINGS))}, but got {rule!r}.")
    # As a power of 1/2, so that a large sigma is a size of 1 and no overflow.
    halvings = sigma / r if rule == "paper" else max(0.0, sigma - math.log2(r))
    # A product that is a whole number but for rounding must not fall to the one before.
    return max(1, math.floor(size * math.pow(0.5, halvings) * (1 + 1e-6)))


def safe_subsample(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Take the nearest cell to each of a coarser grid's.

    Not in paper: the nearest cell, as in the authors' code.

    Args:
        features: B C H W.
        size: H' W', see `subsampled_size`.

    Returns:
        B C H' W'.
    """
    return features if features.shape[-2:] == size else functional.interpolate(features, size)
