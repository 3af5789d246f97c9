"""Made-up scenes in the official layouts of VOC and SBD, for the demo and the tests."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.drawing import Bytes, Points, ellipse, fill, paint, texture
from datamodules.layouts.voc import IGNORED
from datamodules.opencv import cv2

SHAPES = ("disc", "triangle", "square", "star", "cross")
HUES = 4


@dataclass(frozen=True)
class _Scene:
    """One picture (RGB, H W 3), its labels without borders, as in SBD, and with borders of 255, as in VOC."""

    image: Bytes
    labels: Bytes
    bordered: Bytes


def write_voc(root: Path, *, train: int, val: int, size: int, seed: int, sbd: int = 0, shapes: int = len(SHAPES), hues: int = HUES) -> None:
    """Write made-up scenes in VOC 2012's official layout, with a file `SYNTHETIC.txt` that says so.

    A class is one of five shapes in one of four ranges of hues: neither alone determines it. Objects extend over an eighth to four fifths
    of a picture and overlap. The background has texture and clutter in the objects' colours. As in SBD, some pictures also have labels of
    VOC.

    Args:
        root: The data root, in which `voc/` and, with `sbd`, `sbd/` are written.
        train: Number of training pictures.
        val: Number of validation pictures.
        size: Longer edge of the pictures in pixels, at least 32.
        seed: The same seed gives the same files.
        sbd: Number of pictures that only SBD has. If there are any, SBD also has VOC's first training and first validation picture.
        shapes: Number of shapes; fewer make an easier set.
        hues: Number of ranges of hues; fewer make an easier set.

    Raises:
        ValueError: A number is out of range.
    """
    for argument, value, least in (("train", train, 1), ("val", val, 1), ("size", size, 32), ("seed", seed, 0), ("sbd", sbd, 0)):
        if value < least:
            raise ValueError(f"Expected `{argument}` to be at least {least}, but got {value}.")
    for argument, value, most in (("shapes", shapes, len(SHAPES)), ("hues", hues, HUES)):
        if not 1 <= value <= most:
            raise ValueError(f"Expected `{argument}` to be from 1 to {most}, but got {value}.")
    names = [f"synthetic_{index:04d}" for index in range(train + val + sbd)]
    scenes = {name: _scene(np.random.default_rng((seed, index)), size, shapes, hues) for index, name in enumerate(names)}
    note = f"Made-up scenes in the layout of VOC and SBD (size {size}, seed {seed}): neither VOC nor SBD.\n"
    folder = root / "voc" / "VOCdevkit" / "VOC2012"
    lists = folder / "ImageSets" / "Segmentation"
    for each in (folder / "JPEGImages", folder / "SegmentationClass", lists):
        each.mkdir(parents=True, exist_ok=True)
    for name in names[: train + val]:
        _write_jpeg(folder / "JPEGImages" / f"{name}.jpg", scenes[name].image)
        _write_palette(folder / "SegmentationClass" / f"{name}.png", scenes[name].bordered)
    (lists / "train.txt").write_text("".join(f"{name}\n" for name in names[:train]))
    (lists / "val.txt").write_text("".join(f"{name}\n" for name in names[train : train + val]))
    (root / "voc" / "SYNTHETIC.txt").write_text(note)
    if sbd:
        _write_sbd(root / "sbd", [names[0], *names[train + val :]], [names[train]], scenes)
        (root / "sbd" / "SYNTHETIC.txt").write_text(note)


def palette() -> list[int]:
    """Return VOC's 256 colours: R, G, B, R, ...

    Bits 0, 1 and 2 of an index are the highest bits of R, G and B, bits 3, 4 and 5 the next ones, and so on.
    """
    colours = []
    for index in range(256):
        colours += [sum(((index >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(8)) for channel in range(3)]
    return colours


def _scene(rng: np.random.Generator, size: int, shapes: int, hues: int) -> _Scene:
    """Draw one scene at random: objects of several sizes, smaller ones in front."""
    edges = (size, round(size * rng.uniform(0.66, 1)))
    height, width = edges if rng.random() < 0.3 else edges[::-1]
    ground = rng.uniform(40, 210, 3) + texture(rng, height, width, 4, 20) + texture(rng, height, width, 20, 12)
    image = np.clip(ground, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(3, 8)):  # background strips in the objects' colours
        middle, angle = rng.uniform(0, 1, 2) * [width, height], rng.uniform(0, np.pi)
        strip = ellipse(0, 0, size * rng.uniform(0.05, 0.2), size * 0.012, 24)
        fill(image, _turned(strip, angle) + middle, paint(_hue(rng, int(rng.integers(hues)))))
    labels, bordered = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    radii = size * np.exp(rng.uniform(np.log(1 / 16), np.log(1 / 2.5), rng.integers(2, 6)))
    for radius in sorted(radii, reverse=True):
        shape, hue = int(rng.integers(shapes)), int(rng.integers(hues))
        middle = rng.uniform(0, 1, 2) * [width, height]
        outline = _turned(_shape(shape), rng.uniform(0, 2 * np.pi)) * radius + middle
        fill(image, outline, paint(_hue(rng, hue)))
        for target in (labels, bordered):
            fill(target, outline, 1 + shape + len(SHAPES) * hue)
        points = [np.round(outline).astype(np.int32)]
        cv2.polylines(bordered, pts=points, isClosed=True, color=IGNORED, thickness=max(1, round(size / 100)))
    light = 1 + np.linspace(-1, 1, width)[None, :, None] * rng.normal(0, 0.12)
    noisy = image * light + texture(rng, height, width, 30, 4) + rng.normal(0, 6, (height, width, 3))
    return _Scene(np.clip(noisy, 0, 255).astype(np.uint8), labels, bordered)


def _shape(kind: int) -> Points:
    """Outline a disc, triangle, square, star or cross of radius 1."""
    if kind == 0:
        return ellipse(0, 0, 1, 1, 40)
    if kind in (1, 2):
        return ellipse(0, 0, 1, 1, kind + 2)
    if kind == 3:
        return ellipse(0, 0, 1, 1, 10) * np.where(np.arange(10) % 2, 0.4, 1)[:, None]
    arm = np.array([[1, -0.3], [1, 0.3], [0.3, 0.3]])
    return np.concatenate([_turned(arm, quarter * np.pi / 2) for quarter in range(4)])


def _turned(points: Points, angle: float) -> Points:
    turned: Points = points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return turned


def _hue(rng: np.random.Generator, hue: int) -> Points:
    """Draw a colour at random from a range of hues."""
    angle = (hue + rng.uniform(0.1, 0.9)) * 180 / HUES  # OpenCV's hues go to 180
    pixel = np.array([[[angle, rng.uniform(110, 230), rng.uniform(110, 240)]]]).astype(np.uint8)
    rgb: Points = cv2.cvtColor(pixel, code=cv2.COLOR_HSV2RGB)[0, 0].astype(np.float64)
    return rgb


def matlab_file(content: dict[str, Any]) -> bytes:
    """Return the bytes of a MATLAB file without a date: the same seed gives the same file."""
    from scipy.io import savemat

    with io.BytesIO() as file:
        savemat(file, content, do_compression=True)
        return b"MATLAB 5.0 MAT-file".ljust(116) + file.getvalue()[116:]


def _write_sbd(root: Path, train: list[str], val: list[str], scenes: dict[str, _Scene]) -> None:
    folder = root / "benchmark_RELEASE" / "dataset"
    for each in (folder / "img", folder / "cls"):
        each.mkdir(parents=True, exist_ok=True)
    for split, names in (("train", train), ("val", val)):
        (folder / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
        for name in names:
            _write_jpeg(folder / "img" / f"{name}.jpg", scenes[name].image)
            (folder / "cls" / f"{name}.mat").write_bytes(matlab_file({"GTcls": {"Segmentation": scenes[name].labels}}))


def _write_jpeg(path: Path, image: Bytes) -> None:
    # OpenCV's own writing reports no error on a full disk.
    path.write_bytes(cv2.imencode(".jpg", img=cv2.cvtColor(image, code=cv2.COLOR_RGB2BGR))[1].tobytes())


def _write_palette(path: Path, labels: Bytes) -> None:
    from PIL import Image

    with io.BytesIO() as file:
        image = Image.fromarray(labels)
        image.putpalette(palette())
        image.save(file, format="PNG")
        path.write_bytes(file.getvalue())
