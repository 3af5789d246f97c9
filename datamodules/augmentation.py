"""Random scale, crop and flip for training. Only the part of a picture that becomes the crop is resized.

Source: Chen et al. 2017 (DeepLabv3), section 4.1.
Not in paper (Wei et al. 2017): the augmentation on VOC.
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
    """The part of a picture that becomes its crop, along one edge.

    Args:
        start: First pixel in the picture.
        length: Number of pixels in the picture.
        offset: First pixel of the picture in the crop. All before `offset`, and from `offset + size` on, is padding.
        size: Number of pixels in the crop, to which the `length` pixels are resized.
    """

    start: int
    length: int
    offset: int
    size: int


@dataclass(frozen=True)
class Augmentation:
    """The augmentation of one sample.

    Args:
        scale: Factor by which the picture is resized.
        down: Vertical place of the crop, from 0 (top) to 1 (bottom).
        across: Horizontal place of the crop, from 0 (left) to 1 (right).
        flip: Whether left and right are exchanged.
    """

    scale: float
    down: float
    across: float
    flip: bool


def draw(seed: int, step: int, index: int, scale: tuple[float, float], flip: bool) -> Augmentation:
    """Draw the augmentation of one sample. It depends only on the arguments: a resumed training draws the same.

    Args:
        seed: Seed of the augmentation.
        step: Training step.
        index: Index of the sample in the batch of all ranks.
        scale: Lowest and highest scale, between which it is uniform.
        flip: Whether half of the samples are flipped.
    """
    # The last number separates this stream from that of the order: NumPy gives (seed, epoch) and (seed, epoch, 0) the same stream.
    rng = np.random.default_rng((seed, step, index, 1))
    factor, down, across, coin = rng.uniform(*scale), rng.random(), rng.random(), rng.random()
    return Augmentation(factor, down, across, flip and coin < 0.5)


def window(extent: int, crop: int, scale: float, place: float) -> Window:
    """Find the part of a picture that becomes the crop, along one edge.

    If the scaled edge is longer than the crop, the part has crop / scale pixels, rounded. Otherwise it is the whole edge, padded.

    Args:
        extent: Pixels of the picture.
        crop: Pixels of the crop.
        scale: Factor by which the picture is resized.
        place: Place of the part among all possible ones, from 0 to below 1.
    """
    size = max(1, round(extent * scale))
    if size <= crop:
        return Window(0, extent, int(place * (crop - size + 1)), size)
    length = min(extent, max(1, round(crop / scale)))
    return Window(int(place * (extent - length + 1)), length, 0, crop)


def augment(image: Bytes, mask: Bytes, crop: int, how: Augmentation) -> tuple[Bytes, Bytes]:
    """Scale, crop, pad and flip a picture and its labels.

    Padding is ImageNet's mean colour in the picture, which normalises to about 0, and 255 in the labels. The picture is resized
    bilinearly without a low-pass filter: down to a scale of 0.5 every pixel counts. A label is that of the nearest pixel centre.

    Args:
        image: Picture, H W 3, RGB.
        mask: Labels, H W.
        crop: Edge of the crop in pixels.
        how: Scale, place and flip.

    Returns:
        The crop of the picture, crop crop 3, and of the labels, crop crop.
    """
    rows = window(image.shape[0], crop, how.scale, how.down)
    columns = window(image.shape[1], crop, how.scale, how.across)
    part = np.s_[rows.start : rows.start + rows.length, columns.start : columns.start + columns.length]
    size = (columns.size, rows.size)
    # INTER_NEAREST of OpenCV takes the pixel above and to the left; only INTER_NEAREST_EXACT uses pixel centres.
    pixels = cv2.resize(image[part], dsize=size, interpolation=cv2.INTER_LINEAR)
    labels = cv2.resize(mask[part], dsize=size, interpolation=cv2.INTER_NEAREST_EXACT)
    if how.flip:
        pixels, labels = cv2.flip(pixels, flipCode=1), cv2.flip(labels, flipCode=1)
    if size == (crop, crop):
        return pixels, labels
    # Filling an array with a colour in NumPy is fifty times slower.
    border = {"top": rows.offset, "bottom": crop - rows.offset - rows.size, "borderType": cv2.BORDER_CONSTANT}
    border |= {"left": columns.offset, "right": crop - columns.offset - columns.size}
    return cv2.copyMakeBorder(pixels, **border, value=OUTSIDE_COLOUR), cv2.copyMakeBorder(labels, **border, value=IGNORED)
