"""Safe subsampling: feature maps become smaller as the filters become wider."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

SUBSAMPLINGS = ("paper", "code")


def subsampled_size(size: int, sigma: float, r: float, rule: str = SUBSAMPLINGS[0]) -> int:
    """Return the number of cells of an axis after safe subsampling, at least 1.

    Source: Pintea et al. 2021, section IV: s (1/2)^(sigma / r). The authors' code divides by max(1, 2^sigma / r) instead.
    Not in paper: the floor, as in the authors' code; the formula gives a real number.

    Args:
        size: Number of cells before, s.
        sigma: Sigma of the layer's filters, pixels.
        r: By the paper's rule, the increase of sigma in pixels that halves a map; by the code's rule, the value of 2^sigma above which maps
            shrink.
        rule: Rule: "paper", or "code" for that of the authors' code.

    Raises:
        ValueError: `r` is not positive, or the rule is unknown.
    """
    if not r > 0:
        raise ValueError(f"Expected `r` of safe subsampling to be positive, but got {r}.")
    if rule not in SUBSAMPLINGS:
        raise ValueError(f"Expected the rule of safe subsampling to be {' or '.join(map(repr, SUBSAMPLINGS))}, but got {rule!r}.")
    # A power of 1/2, so that a large sigma gives a size of 1 and no overflow.
    halvings = sigma / r if rule == "paper" else max(0.0, sigma - math.log2(r))
    # A product that is below a whole number only by rounding errors must not be rounded down.
    return max(1, math.floor(size * math.pow(0.5, halvings) * (1 + 1e-6)))


def safe_subsample(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample features on a coarser grid: each cell of the new grid takes the nearest cell of the old one.

    Not in paper: the nearest cell, as in the authors' code.

    Args:
        features: Feature maps, B C H W.
        size: New size H' W'; see `subsampled_size`.

    Returns:
        Feature maps B C H' W'.
    """
    return features if features.shape[-2:] == size else functional.interpolate(features, size)
