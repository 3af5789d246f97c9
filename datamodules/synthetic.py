"""Made-up faces in Helen's official layout, for the demo and the tests: the code that reads them is the code that reads Helen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.drawing import Bytes, Points, ellipse, fill, paint, texture
from datamodules.layouts.helen import CLASSES
from datamodules.opencv import cv2

# Faces are drawn in the frame of the mean shape: x right, y down, in 1/250 of a picture, from the middle of the face.
_EXTENT = 250


@dataclass(frozen=True)
class _Face:
    """Outlines of a face in pixels: the shapes of its classes in painting order, and Helen's 194 landmarks."""

    shapes: tuple[tuple[int, Points], ...]
    neck: Points
    irises: Points
    radius: float
    landmarks: Points


def write_helen(root: Path, *, exemplars: int, tuning: int, testing: int, size: int, seed: int) -> None:
    """Write made-up faces in Helen's official layout, with a file `SYNTHETIC.txt` that says so.

    Faces differ in position, size, rotation, shape, colour and light; backgrounds have texture. As in Helen, landmarks are in pixels of a
    larger original photograph, whose scale differs from face to face.

    Args:
        root: The data root, in which `helen/` is written.
        exemplars: Number of training faces.
        tuning: Number of validation faces.
        testing: Number of test faces.
        size: Shorter edge of the pictures in pixels, at least 32.
        seed: The same seed gives the same files.

    Raises:
        ValueError: A number is out of range.
    """
    counts = {"exemplars": exemplars, "tuning": tuning, "testing": testing}
    for argument, value, least in (*((split, count, 1) for split, count in counts.items()), ("size", size, 32), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"Expected `{argument}` to be at least {least}, but got {value}.")
    faces = root / "helen" / "SmithCVPR2013_dataset_resized"
    annotation = root / "helen" / "annotation"
    for folder in (faces / "images", faces / "labels", annotation):
        folder.mkdir(parents=True, exist_ok=True)
    total = sum(counts.values())
    names = [f"synthetic_{index:04d}" for index in range(total)]
    # As in Helen, the number of an annotation file does not identify its face: its first line does.
    numbers = np.random.default_rng(seed).permutation(total) + 1
    for index, name in enumerate(names):
        rng = np.random.default_rng((seed, index))
        height, width = (round(size * stretch) for stretch in (rng.uniform(1, 1.25), 1))
        face = _face(rng, height, width)
        probabilities = _probabilities(face, height, width)
        _write_face(faces, name, _paint(rng, face, probabilities), probabilities)
        lines = [f"{x:.2f} , {y:.2f}" for x, y in face.landmarks * rng.uniform(1, 2)]
        (annotation / f"{numbers[index]}.txt").write_text("\n".join([name, *lines]) + "\n")
    first = 0
    for split, count in counts.items():
        lines = [f"{number} , {name}\n" for number, name in enumerate(names[first : first + count], 1)]
        (faces / f"{split}.txt").write_text("".join(lines))
        first += count
    (root / "helen" / "SYNTHETIC.txt").write_text(f"Made-up faces in the layout of Helen (size {size}, seed {seed}): not Helen.\n")


def _face(rng: np.random.Generator, height: int, width: int) -> _Face:
    """Draw the outlines of one face at random and place them in a picture."""
    wide, tall, smile, gap = rng.uniform(0.9, 1.12), rng.uniform(0.92, 1.1), rng.uniform(-3, 6), max(0.0, rng.uniform(-4, 9))
    brow, lid, nostril = rng.uniform(-19, -14), rng.uniform(4, 7), rng.uniform(10, 15)
    head = ellipse(0, 6, 55, 70, 82)
    hair = ellipse(0, -22, rng.uniform(64, 80), rng.uniform(66, 82), 60)
    if rng.random() < 0.5:  # long hair
        hair = np.concatenate([ellipse(0, -25, 74, 70, 60)[30:], [[78, rng.uniform(30, 90)], [-78, rng.uniform(30, 90)]]])
    eyes = [ellipse(side * 29.5, -32 + rng.normal(0, 1), 11, lid, 20) for side in (-1, 1)]
    brows = [ellipse(side * 30, -32 + brow, 16, 4, 20) + np.array([0, 1]) * _arch(side) for side in (-1, 1)]
    nose = np.array([[-4, -22], [4, -22], [6, -5], [nostril, 8], [nostril - 2, 13], [0, 17], [2 - nostril, 13], [-nostril, 8], [-6, -5]])
    lips = [_lip(smile, bulge, count) for bulge, count in ((-9.0, 14), (gap + 10, 14), (-2.0, 15), (gap, 13))]
    above, below, inner_above, inner_below = lips
    groups = [head[:41], _spread(nose, 17), *lips]
    neck = np.array([[-30, 50], [30, 50], [34, 105], [90, 130], [90, 260], [-90, 260], [-90, 130], [-34, 105]])
    fringe = np.concatenate([ellipse(0, 6, 56, 71, 82)[44:79], [[0, rng.uniform(-60, -52)]]])
    shapes = [(10, hair), (1, head), (10, fringe), (2, brows[0]), (3, brows[1]), (4, eyes[0]), (5, eyes[1]), (6, nose)]
    shapes += [(7, _between(above, inner_above)), (8, _between(inner_above, inner_below)), (9, _between(inner_below, below))]
    angle, scale = rng.normal(0, 0.18), min(height, width) / _EXTENT * rng.uniform(0.9, 1.35)
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = np.array([width, height]) * rng.uniform(0.44, 0.56, 2)

    def place(points: Points) -> Points:
        placed: Points = points * np.array([wide, tall]) @ turn + middle
        return placed

    irises = np.stack([eye.mean(axis=0) + np.array([rng.uniform(-2, 2), 0]) for eye in eyes])
    landmarks = np.concatenate([*groups, *eyes, *brows])
    return _Face(tuple((label, place(shape)) for label, shape in shapes), place(neck), place(irises), 5 * scale, place(landmarks))


def _arch(side: int) -> Points:
    """Return how far each of the 20 points of a brow moves down towards its outer end."""
    outwards = np.cos(np.arange(20) / 20 * 2 * np.pi) * side
    push: Points = 4 * np.maximum(outwards, 0) ** 2
    return push[:, None]


def _lip(smile: float, bulge: float, count: int) -> Points:
    """Return one edge of a lip from corner to corner. `bulge` bends it downwards; a smile lowers its middle."""
    along = np.linspace(-1, 1, count)
    return np.stack([25.6 * along, 30 + (bulge + smile) * (1 - along**2)], axis=1)


def _between(above: Points, below: Points) -> Points:
    return np.concatenate([above, below[::-1]])


def _spread(outline: Points, count: int) -> Points:
    """Return `count` points at equal distances along a closed outline."""
    closed = np.concatenate([outline, outline[:1]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.arange(count) / count * length[-1]
    return np.stack([np.interp(at, length, closed[:, axis]) for axis in (0, 1)], axis=1)


def _probabilities(face: _Face, height: int, width: int) -> Bytes:
    """Paint the labels and blur their edges, as Helen does: 11 H W."""
    labels = np.zeros((height, width), np.uint8)
    for label, outline in face.shapes:
        fill(labels, outline, label)
    hard = [np.where(labels == label, 255, 0).astype(np.uint8) for label in range(len(CLASSES))]
    return np.stack([cv2.blur(pixels, ksize=(3, 3)) for pixels in hard])


def _paint(rng: np.random.Generator, face: _Face, probabilities: Bytes) -> Bytes:
    """Paint the picture of a face: RGB, H W 3."""
    height, width = probabilities.shape[1:]
    tone = rng.uniform(0.35, 1)
    skin = np.array([235, 190, 160]) * tone + rng.normal(0, 8, 3)
    hair = np.array([[40, 30, 25], [90, 60, 35], [190, 150, 90], [150, 145, 140]])[rng.integers(4)] + rng.normal(0, 8, 3)
    lip = skin * 0.6 + np.array([80, 10, 20]) * rng.uniform(0.3, 1)
    mouth = np.array([235, 230, 220]) if rng.random() < 0.5 else np.array([70, 20, 25])
    white = np.array([225, 225, 225])
    colours = np.stack([skin, skin, hair * 0.8, hair * 0.8, white, white, skin * 0.86, lip, mouth, lip * 1.08, hair])
    picture = rng.uniform(30, 220, 3) + texture(rng, height, width, 4, 25) + texture(rng, height, width, 24, 14)
    canvas = np.clip(picture, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(2, 6)):  # things behind the face, some of them in its colours
        colour = colours[rng.choice([1, 10])] if rng.random() < 0.6 else rng.uniform(0, 255, 3)
        (x, y), (across, down) = rng.uniform(0, 1, 2) * [width, height], rng.uniform(0.05, 0.2, 2) * min(height, width)
        fill(canvas, ellipse(x, y, across, down, 40), paint(colour))
    fill(canvas, face.neck, paint(skin * 0.9))
    weights = probabilities.astype(np.float32) / 255
    weights[0] = np.clip(1 - weights[1:].sum(axis=0), 0, 1)
    painted = np.tensordot(weights[1:], colours[1:].astype(np.float32), axes=(0, 0)) + weights[0][..., None] * canvas
    canvas = np.clip(painted, 0, 255).astype(np.uint8)
    for x, y in face.irises:
        fill(canvas, ellipse(x, y, face.radius, face.radius, 16), paint(rng.uniform(20, 110, 3)))
    across_light = np.linspace(-1, 1, width)[None, :, None] * rng.normal(0, 0.15)
    light = 1 + across_light + np.linspace(-1, 1, height)[:, None, None] * rng.normal(0, 0.1)
    noisy: NDArray[np.float64] = canvas * light + texture(rng, height, width, 40, 4) + rng.normal(0, 7, (height, width, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _write_face(faces: Path, name: str, image: Bytes, probabilities: Bytes) -> None:
    (faces / "labels" / name).mkdir(exist_ok=True)
    files = {faces / "images" / f"{name}.jpg": cv2.cvtColor(image, code=cv2.COLOR_RGB2BGR)}
    files |= {faces / "labels" / name / f"{name}_lbl{index:02d}.png": pixels for index, pixels in enumerate(probabilities)}
    for path, pixels in files.items():
        # OpenCV's own writing reports no error on a full disk.
        path.write_bytes(cv2.imencode(path.suffix, img=pixels)[1].tobytes())
