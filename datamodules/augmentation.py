"""Training's random scale, crop and flip: only the part of a picture that becomes the crop is resized.

Not in paper (Wei et al. 2017): the augmentation on VOC. Scale, crop and flip are those of Chen et al. 2017 (DeepLabv3), section 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datamodules.alignment import OUTSIDE_COLOUR
from datamodules.layouts.voc import IGNORED
from datamodules.opencv import cv2

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Window:
    """Which pixels of a picture become which of its crop, along one edge.

    Args:
        start: first pixel of the picture.
        length: pixels of the picture.
        offset: first pixel of the crop; those before are padding, as are those after `size` more.
        size: pixels of the crop that `length` are resized to.
    """

    start: int
    length: int
    offset: int
    size: int


@dataclass(frozen=True)
class Augmentation:
    """What is done to one sample.

    Args:
        scale: of the picture, unitless.
        down: where the crop lies between its highest (0) and its lowest (1) place.
        across: likewise from left to right.
        flip: whether left and right are exchanged.
    """

    scale: float
    down: float
    across: float
    flip: bool


def draw(seed: int, step: int, index: int, scale: tuple[float, float], flip: bool) -> Augmentation:
    """Draw the augmentation of one sample, which follows from the arguments alone, so that a resumed training draws the same.

    Args:
        seed: of the training.
        step: of the training.
        index: of the sample in the batch of all ranks together.
        scale: lowest and highest, uniform between them.
        flip: whether half of all samples are flipped.
    """
    # The last number parts this stream from that of the order: numpy takes (seed, epoch) and (seed, epoch, 0) for the same.
    rng = np.random.default_rng((seed, step, index, 1))
    factor, down, across, coin = rng.uniform(*scale), rng.random(), rng.random(), rng.random()
    return Augmentation(factor, down, across, flip and coin < 0.5)


def window(extent: int, crop: int, scale: float, place: float) -> Window:
    """Find what becomes the crop along one edge.

    An edge that is longer than the crop when scaled gives crop / scale pixels, rounded; a shorter one is taken whole and padded.

    Args:
        extent: pixels of the picture.
        crop: pixels of the crop.
        scale: of the picture.
        place: from 0 to below 1, of all possible places.
    """
    size = max(1, round(extent * scale))
    if size <= crop:
        return Window(0, extent, int(place * (crop - size + 1)), size)
    length = min(extent, max(1, round(crop / scale)))
    return Window(int(place * (extent - length + 1)), length, 0, crop)


def augment(image: Bytes, mask: Bytes, crop: int, how: Augmentation) -> tuple[Bytes, Bytes]:
    """Scale, crop, pad and flip a picture and its labels.

    Padding is ImageNet's mean colour, which normalises to about 0, and 255 in the labels. The picture is interpolated linearly, without
    a filter: down to a scale of 0.5 no pixel is left out. Labels are those of the nearest pixel centre, in the same coordinates.

    Args:
        image: H W 3, RGB.
        mask: H W.
        crop: edge of the result in pixels.
        how: scale, place and flip.

    Returns:
        crop crop 3, and crop crop.
    """
    rows = window(image.shape[0], crop, how.scale, how.down)
    columns = window(image.shape[1], crop, how.scale, how.across)
    part = np.s_[rows.start : rows.start + rows.length, columns.start : columns.start + columns.length]
    size = (columns.size, rows.size)
    # OpenCV's INTER_NEAREST takes the pixel left of and above the point instead; only INTER_NEAREST_EXACT keeps to pixel centres.
    pixels = cv2.resize(image[part], dsize=size, interpolation=cv2.INTER_LINEAR)
    labels = cv2.resize(mask[part], dsize=size, interpolation=cv2.INTER_NEAREST_EXACT)
    if how.flip:
        pixels, labels = cv2.flip(pixels, flipCode=1), cv2.flip(labels, flipCode=1)
    if size == (crop, crop):
        return pixels, labels
    # Numpy fills an array with a colour fifty times as slowly.
    border = {"top": rows.offset, "bottom": crop - rows.offset - rows.size, "borderType": cv2.BORDER_CONSTANT}
    border |= {"left": columns.offset, "right": crop - columns.offset - columns.size}
    return cv2.copyMakeBorder(pixels, **border, value=OUTSIDE_COLOUR), cv2.copyMakeBorder(labels, **border, value=IGNORED)
