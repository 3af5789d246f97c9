"""How an evaluation computes a network's scores: scales, mirror images, tiles. This module imports torch only when it predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Inference:
    """How the scores of a network are computed.

    With several scales or `flip`, probabilities are averaged; else the scores are the network's, without softmax.

    Source: Chen et al. 2017 (DeepLabv3), section 4.1, for the average over scales and mirror images.
    Not in paper: pictures and score maps are resized bilinearly with aligned corners; the average is taken at the picture's own size.

    Args:
        scales: Scales of the picture; the average is over all scales.
        flip: Whether the average includes the mirror image.
        tile: Edge in pixels of the square tiles that a picture is cut into, at each scale; 0 for no tiles. Only for networks that label
            pixels.
        overlap: Least overlap of neighbouring tiles in pixels; the scores in the overlap are averaged.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    tile: int = 0
    overlap: int = 0

    def __post_init__(self) -> None:
        if not self.scales or not all(0 < scale < float("inf") for scale in self.scales):
            raise ValueError(f"Expected `scales` to be positive numbers, at least one, but got {self.scales}.")
        object.__setattr__(self, "scales", tuple(map(float, self.scales)))  # 1 and 1.0 are the same evaluation
        if self.tile < 0 or not 0 <= self.overlap < max(self.tile, 1):
            raise ValueError(
                f"Expected `tile` and `overlap` to be 0 or more and `overlap` to be below `tile`, but got {self.tile} and {self.overlap}."
            )

    @property
    def plain(self) -> bool:
        """Whether scores come from one forward pass of the whole picture at its own size."""
        return self == Inference()

    def __call__(self, network: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
        """Return the scores of pictures B C H W: B classes, or maps B classes h w; unless `plain`, maps have size H W."""
        if self.plain:
            return network(image)
        views = [(scale, mirrored) for scale in self.scales for mirrored in ((False, True) if self.flip else (False,))]
        if len(views) == 1:
            return self._view(network, image, *views[0])
        # Views are added one by one, so that memory does not grow with their number.
        total = self._view(network, image, *views[0]).softmax(1)
        for view in views[1:]:
            total += self._view(network, image, *view).softmax(1)
        return total / len(views)

    def _view(self, network: Callable[[Tensor], Tensor], image: Tensor, scale: float, mirrored: bool) -> Tensor:
        """Return the scores of one view; score maps are flipped back and resized to the picture's own size."""
        size = (max(1, round(image.shape[-2] * scale)), max(1, round(image.shape[-1] * scale)))
        seen = resized(image, size)
        seen = seen.flip(-1) if mirrored else seen
        scores = self._tiled(network, seen) if self.tile else network(seen)
        if scores.dim() == 2:
            return scores
        scores = scores.flip(-1) if mirrored else scores
        return resized(scores, (image.shape[-2], image.shape[-1]))

    def _tiled(self, network: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
        """Return the scores of a picture that is cut into tiles: B classes H W."""
        height, width = image.shape[-2:]
        tiles = [
            (slice(top, top + self.tile), slice(left, left + self.tile))
            for top in starts(height, self.tile, self.overlap)
            for left in starts(width, self.tile, self.overlap)
        ]
        total, counted = None, image.new_zeros(height, width)
        for rows, columns in tiles:
            part = image[..., rows, columns]
            scores = network(part)
            if scores.dim() != 4:
                raise ValueError(f"Expected a network that labels pixels, as `tile` needs, but got scores of shape {tuple(scores.shape)}.")
            if total is None:
                total = image.new_zeros(len(image), scores.shape[1], height, width)
            total[..., rows, columns] += resized(scores, (part.shape[-2], part.shape[-1]))
            counted[rows, columns] += 1
        assert total is not None
        return total / counted


def starts(extent: int, tile: int, overlap: int) -> list[int]:
    """Return the positions at which tiles begin along an edge: evenly spread; the last tile ends at the end of the edge."""
    if extent <= tile:
        return [0]
    count = -(-(extent - overlap) // (tile - overlap))
    return [round(index * (extent - tile) / (count - 1)) for index in range(count)]


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize maps B C h w to B C H W bilinearly with aligned corners; return maps of that size unchanged."""
    if tuple(maps.shape[-2:]) == size:
        return maps
    from torch.nn import functional

    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=True)
