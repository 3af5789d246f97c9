"""Drawing functions for made-up pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datamodules.opencv import cv2

Points = NDArray[np.float64]
Bytes = NDArray[np.uint8]


def ellipse(x: float, y: float, across: float, down: float, count: int) -> Points:
    """Return points on an ellipse, from its rightmost point through its lowest one."""
    turn = np.arange(count) / count * 2 * np.pi
    return np.stack([x + across * np.cos(turn), y + down * np.sin(turn)], axis=1)


def fill(canvas: Bytes, outline: Points, value: int | tuple[int, ...]) -> None:
    """Fill an outline, to a sixteenth of a pixel."""
    cv2.fillPoly(canvas, pts=[np.round(outline * 16).astype(np.int32)], color=value, lineType=cv2.LINE_8, shift=4)


def texture(rng: np.random.Generator, height: int, width: int, cells: int, strength: float) -> NDArray[np.float32]:
    """Draw smooth noise with `cells` waves per edge, partly shared by the three channels: H W 3."""
    coarse = rng.normal(0, strength, (cells, cells, 3)) + rng.normal(0, strength, (cells, cells, 1))
    smooth: NDArray[np.float32] = cv2.resize(coarse.astype(np.float32), dsize=(width, height), interpolation=cv2.INTER_CUBIC)
    return smooth


def paint(values: NDArray[np.float64]) -> tuple[int, ...]:
    """Convert three numbers to a colour of OpenCV."""
    return tuple(int(value) for value in np.clip(values, 0, 255))
