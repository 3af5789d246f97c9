"""How a trained network is asked for its scores: at which scales, mirrored, in tiles. This module imports torch when it predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Inference:
    """How scores are had of a network.

    With several scales or `flip`, probabilities are averaged; else scores are as the network gives them.

    Source: Chen et al. 2017 (DeepLabv3), section 4.1, for the average over scales and mirror images.
    Not in paper: pictures are resized bilinearly, corners on corners, and averaged where they have the picture's own size.

    Args:
        scales: of the picture; all are averaged.
        flip: whether the mirror image is averaged too.
        tile: edge in pixels of the squares that a picture is cut into, of each scale; 0 shows it whole. Networks that label pixels only.
        overlap: pixels by which neighbouring tiles overlap at least; where they do, their scores are averaged.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    tile: int = 0
    overlap: int = 0

    def __post_init__(self) -> None:
        if not self.scales or not all(0 < scale < float("inf") for scale in self.scales):
            raise ValueError(f"Expected `scales` to be positive numbers, at least one, but got {self.scales}.")
        object.__setattr__(self, "scales", tuple(map(float, self.scales)))  # 1 and 1.0 are one evaluation
        if self.tile < 0 or not 0 <= self.overlap < max(self.tile, 1):
            raise ValueError(f"Expected `tile` of 0 or more and `overlap` below it, but got {self.tile} and {self.overlap}.")

    @property
    def plain(self) -> bool:
        """Whether the network is asked once, for the whole picture at its own size."""
        return self == Inference()

    def __call__(self, network: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
        """Return the scores of pictures B C H W: B classes, or B classes h w; in the second case H W unless the network is asked once."""
        if self.plain:
            return network(image)
        views = [(scale, mirrored) for scale in self.scales for mirrored in ((False, True) if self.flip else (False,))]
        if len(views) == 1:
            return self._view(network, image, *views[0])
        # Added up one by one: memory does not grow with the number of views.
        total = self._view(network, image, *views[0]).softmax(1)
        for view in views[1:]:
            total += self._view(network, image, *view).softmax(1)
        return total / len(views)

    def _view(self, network: Callable[[Tensor], Tensor], image: Tensor, scale: float, mirrored: bool) -> Tensor:
        """Return the scores of one view, where they are maps at the picture's own size and the right way round."""
        size = (max(1, round(image.shape[-2] * scale)), max(1, round(image.shape[-1] * scale)))
        seen = resized(image, size)
        seen = seen.flip(-1) if mirrored else seen
        scores = self._tiled(network, seen) if self.tile else network(seen)
        if scores.dim() == 2:
            return scores
        scores = scores.flip(-1) if mirrored else scores
        return resized(scores, (image.shape[-2], image.shape[-1]))

    def _tiled(self, network: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
        """Return the scores of a picture that is seen in tiles: B classes H W."""
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
                raise ValueError(f"Expected a network that labels pixels with `tile`, but got scores of shape {tuple(scores.shape)}.")
            if total is None:
                total = image.new_zeros(len(image), scores.shape[1], height, width)
            total[..., rows, columns] += resized(scores, (part.shape[-2], part.shape[-1]))
            counted[rows, columns] += 1
        assert total is not None
        return total / counted


def starts(extent: int, tile: int, overlap: int) -> list[int]:
    """Return where tiles begin along an edge: evenly spread, the last one ends at the edge's end."""
    if extent <= tile:
        return [0]
    count = -(-(extent - overlap) // (tile - overlap))
    return [round(index * (extent - tile) / (count - 1)) for index in range(count)]


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring maps B C h w to B C H W bilinearly, corners on corners; maps of that size stay as they are."""
    if tuple(maps.shape[-2:]) == size:
        return maps
    from torch.nn import functional

    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=True)
