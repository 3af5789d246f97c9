"""Pictures of segmentations: colours of classes, the picture beside its overlay and legend, masks as palette PNGs."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.layouts import helen
from datamodules.opencv import cv2

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

# Colours of Helen's classes differ from skin and from neighbouring classes; left and right have two shades. VOC's colours are too dark.
HELEN_COLOURS: tuple[Colour, ...] = (
    *((0, 0, 0), (255, 209, 102), (0, 140, 95), (125, 215, 95), (0, 90, 181), (86, 190, 245)),
    *((240, 125, 20), (214, 30, 40), (110, 10, 60), (255, 110, 180), (130, 80, 200)),
)
OVERLAY = 0.6  # weight of a class's colour
PANEL = (420, 1000)  # smallest and largest height of a shown picture, in pixels
INK, FAINT, PAPER = (28, 32, 36), (110, 114, 120), (252, 252, 253)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def voc_colours(number: int) -> tuple[Colour, ...]:
    """Return the PASCAL VOC colours of the first `number` classes.

    The bits of a class index, lowest first, go to red, green and blue in turn, into the highest free bit of each.

    Source: the development kit of Everingham et al. 2010, `VOClabelcolormap.m`.
    """
    colours = []
    for index in range(number):
        channels = [sum((index >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3)) for channel in range(3)]
        colours.append((channels[0], channels[1], channels[2]))
    return tuple(colours)


def colours_of(names: Sequence[str]) -> tuple[Colour, ...]:
    """Return the colours of classes: Helen's colours for Helen's classes, else VOC's colours."""
    return HELEN_COLOURS if tuple(names) == helen.CLASSES else voc_colours(len(names))


def read_picture(path: Path) -> Pixels:
    """Read a picture of any format that OpenCV reads, as RGB, H W 3, rotated as its file says.

    Raises:
        ValueError: The picture cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"Expected IMAGE to be a picture, but {path} cannot be read ({error.strerror}).") from error
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags=cv2.IMREAD_COLOR) if data else None
    if pixels is None:
        raise ValueError(f"Expected IMAGE to be a picture such as a JPEG or PNG, but {path} is not one, or is truncated.")
    rgb: Pixels = cv2.cvtColor(pixels, code=cv2.COLOR_BGR2RGB)
    return rgb


def overlay(picture: Pixels, mask: Pixels, colours: Sequence[Colour]) -> Pixels:
    """Blend the classes' colours into a picture; the background, class 0, stays unchanged."""
    table = np.array(colours, np.uint8)
    mixed = cv2.addWeighted(picture, 1 - OVERLAY, table[mask], OVERLAY, 0)
    shown: Pixels = np.where((mask > 0)[..., None], mixed, picture)
    return shown


def side_by_side(picture: Pixels, mask: Pixels, names: Sequence[str], captions: Sequence[str]) -> Pixels:
    """Return a picture, its overlay and a legend, side by side; the legend has each class's share of the pixels.

    Args:
        picture: Picture, H W 3.
        mask: Class of each pixel, H W.
        names: Names of all classes.
        captions: Lines under the legend.
    """
    colours = colours_of(names)
    height, width = mask.shape
    scale = min(max(height, PANEL[0]), PANEL[1]) / height
    size = (max(1, round(width * scale)), round(height * scale))
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    shown = cv2.resize(picture, dsize=size, interpolation=smooth)
    # The mask is resized separately, so that its borders stay sharp.
    coloured = overlay(shown, cv2.resize(mask, dsize=size, interpolation=cv2.INTER_NEAREST), colours)
    shares = np.bincount(mask.ravel(), minlength=len(names)) / mask.size
    entries = [(name, colour, float(share)) for name, colour, share in zip(names, colours, shares, strict=True) if share > 0]
    panels = [shown, coloured, legend(entries, captions)]
    tallest, gap = max(len(panel) for panel in panels), 16
    framed = [cv2.copyMakeBorder(panel, gap, gap + tallest - len(panel), gap, 0, cv2.BORDER_CONSTANT, value=PAPER) for panel in panels]
    board: Pixels = cv2.copyMakeBorder(np.concatenate(framed, axis=1), 0, 0, 0, gap, cv2.BORDER_CONSTANT, value=PAPER)
    return board


def legend(entries: Sequence[tuple[str, Colour, float]], captions: Sequence[str]) -> Pixels:
    """Draw a colour box, a name and a share for each class, and captions under them."""
    step, swatch, size = 32, 22, 0.62
    texts = [(name, f"{100 * share:.1f} %" if share >= 0.0005 else "< 0.1 %") for name, _, share in entries]
    names, shares = (max(_width(text, size) for text in column) for column in zip(*texts, strict=True))
    right = swatch + 12 + names + 28 + shares
    width = max(right, *(_width(caption, 0.45) for caption in captions), 1) + 4
    canvas: Pixels = np.full((step * len(entries) + 20 * len(captions) + 16, width, 3), PAPER, np.uint8)
    for row, ((name, share), (_, colour, _)) in enumerate(zip(texts, entries, strict=True)):
        top = row * step
        cv2.rectangle(canvas, (0, top), (swatch, top + swatch), colour, cv2.FILLED)
        cv2.rectangle(canvas, (0, top), (swatch, top + swatch), FAINT, 1)
        _write(canvas, name, swatch + 12, top + 17, size, INK)
        _write(canvas, share, right - _width(share, size), top + 17, size, INK)
    for row, caption in enumerate(captions):
        _write(canvas, caption, 0, step * len(entries) + 20 * (row + 1), 0.45, FAINT)
    return canvas


def _width(text: str, size: float) -> int:
    return int(cv2.getTextSize(text, FONT, size, 1)[0][0])


def _write(canvas: Pixels, text: str, left: int, base: int, size: float, colour: Colour) -> None:
    cv2.putText(canvas, text, (left, base), FONT, size, colour, 1, cv2.LINE_AA)


def picture_png(picture: Pixels) -> bytes:
    """Return an RGB picture as a PNG file."""
    encoded = cv2.imencode(".png", cv2.cvtColor(picture, code=cv2.COLOR_RGB2BGR))[1]
    return bytes(encoded)


def mask_png(mask: Pixels, colours: Sequence[Colour]) -> bytes:
    """Return a mask as a PNG file: pixels are class indices, a palette gives their colours. OpenCV cannot write palettes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = mask.shape
    unfiltered = np.insert(mask, 0, 0, axis=1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + chunk(b"PLTE", bytes(value for colour in colours for value in colour))
        + chunk(b"IDAT", zlib.compress(unfiltered.tobytes()))
        + chunk(b"IEND", b"")
    )
