"""Small made-up pictures in the official layouts of MNIST, Fashion-MNIST, CIFAR-10, CIFAR-100 and SVHN, for the demo and the tests."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from datamodules.drawing import Bytes, Points, paint, texture
from datamodules.layouts.images import SETS
from datamodules.opencv import cv2
from datamodules.synthetic_voc import matlab_file

# The seven segments of a digital clock: their ends (x right, y down), and the segments of each digit and letter. A mirrored 2 looks
# like a 5. None of the letters ABCEFHLOPU mirrors into another. So sets that training flips have letters.
_ENDS = np.array([[-1, -2], [1, -2], [-1, 0], [1, 0], [-1, 2], [1, 2]]) / 2
_SEGMENTS = {"a": (0, 1), "b": (1, 3), "c": (3, 5), "d": (4, 5), "e": (2, 4), "f": (0, 2), "g": (2, 3)}
_DIGITS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")
_LETTERS = ("abcefg", "abcdefg", "adef", "adefg", "aefg", "bcefg", "def", "abcdef", "abefg", "bcdef")
_FINE = 8  # characters are drawn this many times larger, then shrunk


def write_images(root: Path, name: str, *, train: int, test: int, seed: int) -> None:
    """Write made-up characters in the official layout of a set, with a file `SYNTHETIC.txt` that says so.

    Sets of digits get digits, the others ten letters. Characters have seven segments and differ in position, size, rotation, slant and
    thickness. They are light on dark in grey sets, and have random colours in the others. In CIFAR-100 the last digit of a class is the
    letter, the first one its hue.

    Args:
        root: The data root, in which the set's folder is written; CIFAR's in the binary version.
        name: The set, one of `layouts.images.SETS`.
        train: Number of training pictures.
        test: Number of test pictures.
        seed: The same seed gives the same files.

    Raises:
        ValueError: A number is out of range, or there is no such set.
    """
    if name not in SETS:
        raise ValueError(f"Expected `name` to be one of {', '.join(SETS)}, but got {name!r}.")
    for argument, value, least in (("train", train, 1), ("test", test, 1), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"Expected `{argument}` to be at least {least}, but got {value}.")
    published = SETS[name]
    version = published.versions[0]
    folder = root / version.places[0]
    folder.mkdir(parents=True, exist_ok=True)
    for split, (count, first) in {"train": (train, 0), "test": (test, train)}.items():
        labels = np.random.default_rng((seed, 0, first)).permutation(count) % len(published.classes)
        pictures = [_picture(np.random.default_rng((seed, 1, first + index)), int(label), name) for index, label in enumerate(labels)]
        images, parts = np.stack(pictures), version.parts[split]
        chunks = zip(parts, np.array_split(images, len(parts)), np.array_split(labels.astype(np.uint8), len(parts)), strict=True)
        for part, some, theirs in chunks:
            _write(folder, part, some, theirs, name)
    note = f"Made-up characters in the layout of {published.title} (seed {seed}): not {published.title}.\n"
    (root / version.places[0].partition("/")[0] / "SYNTHETIC.txt").write_text(note)


def _picture(rng: np.random.Generator, label: int, name: str) -> Bytes:
    """Draw one picture at random: C H W."""
    channels, height, width = SETS[name].shape
    characters = _DIGITS if name in ("mnist", "svhn") else _LETTERS
    ink = _draw(rng, characters[label % 10], height, width)[..., None]
    if channels == 1:
        noisy = 255 * ink + rng.normal(0, 8, ink.shape)
    else:
        hue = (label // 10 + rng.uniform(0.1, 0.9)) * 18 if name == "cifar100" else rng.uniform(0, 180)  # OpenCV's hues go to 180
        ground = _colour(hue + rng.uniform(50, 130), rng) + texture(rng, height, width, 4, 12)
        noisy = ink * _colour(hue, rng) + (1 - ink) * ground + rng.normal(0, 6, (height, width, channels))
    return np.clip(noisy, 0, 255).astype(np.uint8).transpose(2, 0, 1)


def _draw(rng: np.random.Generator, segments: str, height: int, width: int) -> Points:
    """Draw one character at random: the share of ink in each pixel, H W."""
    angle, slant, size = rng.normal(0, 0.12), rng.normal(0, 0.12), rng.uniform(0.3, 0.4) * height
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = np.array([width, height]) * rng.uniform(0.44, 0.56, 2)
    ends = (_ENDS * [0.9, 1.0] + _ENDS[:, 1:] * [-slant, 0]) * size @ turn + middle
    canvas, thickness = np.zeros((height * _FINE, width * _FINE), np.uint8), round(rng.uniform(0.06, 0.12) * height * _FINE)
    for segment in segments:
        start, end = (tuple(int(value) for value in np.round(ends[index] * _FINE)) for index in _SEGMENTS[segment])
        cv2.line(canvas, pt1=start, pt2=end, color=(255,), thickness=thickness)
    ink: Points = cv2.resize(canvas, dsize=(width, height), interpolation=cv2.INTER_AREA).astype(np.float64) / 255
    return ink


def _colour(hue: float, rng: np.random.Generator) -> Points:
    """Draw a colour of a given hue at random."""
    pixel = np.array([[paint(np.array([hue % 180, rng.uniform(110, 230), rng.uniform(130, 240)]))]], np.uint8)
    rgb: Points = cv2.cvtColor(pixel, code=cv2.COLOR_HSV2RGB)[0, 0].astype(np.float64)
    return rgb


def _write(folder: Path, part: tuple[str, ...], images: Bytes, labels: Bytes, name: str) -> None:
    """Write the files of one part of a split in the published format."""
    if len(part) == 2:
        for file, values in zip(part, (images[:, 0], labels), strict=True):
            head = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
            # Compressed without a date: the same seed gives the same file.
            (folder / f"{file}.gz").write_bytes(gzip.compress(head + values.tobytes(), mtime=0))
    elif name == "svhn":
        digits = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
        (folder / part[0]).write_bytes(matlab_file({"X": images.transpose(2, 3, 1, 0), "y": digits}))
    else:
        coarse = [labels[:, None] // 5] if name == "cifar100" else []  # never read
        rows = np.concatenate([*coarse, labels[:, None], images.reshape(len(images), -1)], axis=1)
        (folder / part[0]).write_bytes(rows.tobytes())
