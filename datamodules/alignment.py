"""Face alignment: a similarity transform brings five points of a face to a mean shape, and with them the picture and its maps.

Source: Wei et al. 2017, section 4.1, "following similar steps in [10]": Liu et al. 2015, whose public code has the mean shape below.
Coordinates are x, y in pixels; whole numbers are pixel centres.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datamodules.errors import DataError
from datamodules.layouts.helen import GROUPS
from datamodules.opencv import cv2

# Left to right in the picture: eye, eye, nose, mouth corner, mouth corner, relative to the centre of a crop of 250 x 250 pixels.
# Source: Liu et al. 2015, public code, for Helen.
MEAN_SHAPE: NDArray[np.float64] = np.array(
    [[-30.1601, -31.4298], [28.9460, -32.9585], [-0.4463, 3.8123], [-24.7828, 30.8101], [26.4432, 29.7659]], dtype=np.float64
)
MEAN_SHAPE_SIZE = 250
# Raise it when a change here moves pixels: older aligned copies are then not used again. Raise the `REVISION` of each method that trains on
# aligned faces with it.
REVISION = 1

# Not in paper: the values outside the photograph. Labels are background. The picture is ImageNet's mean colour (RGB), which normalises
# to about 0.
OUTSIDE_COLOUR = (124, 116, 104)
BACKGROUND = 0

WORST_FIT = 0.84  # correlation of a face's five points with the mean shape

# Groups of landmarks and classes whose centroids should coincide. The two parts of a pair are averaged: which one is left does not matter.
_PARTS: tuple[tuple[tuple[str, ...], tuple[tuple[int, ...], ...]], ...] = (
    (("first brow", "second brow"), ((2,), (3,))),
    (("first eye", "second eye"), ((4,), (5,))),
    (("nose",), ((6,),)),
    (("outer upper lip", "outer lower lip"), ((7, 8, 9),)),
)


def five_points(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reduce Helen's landmarks to the five points of the mean shape, independently of the first point of an outline.

    Not in paper: how 194 points become five; its authors use a detector. Here an eye is the centroid of its points. The mouth corners are
    the outermost points of the outer lips along the line of the eyes. The nose is half way from its centroid to its lowest point: the mean
    shape has it just above its base.

    Args:
        landmarks: 194 2.

    Returns:
        5 2: eye, eye, nose, mouth corner, mouth corner. Pairs are from left to right in the picture.

    Raises:
        ValueError: `landmarks` has another shape.
    """
    if landmarks.shape != (194, 2):
        raise ValueError(f"Expected `landmarks` to have shape (194, 2), but got {landmarks.shape}; read them with `read_landmarks`.")
    eyes = np.stack([landmarks[GROUPS["first eye"]].mean(axis=0), landmarks[GROUPS["second eye"]].mean(axis=0)])
    eyes = eyes[np.argsort(eyes[:, 0])]
    across = eyes[1] - eyes[0]
    down = np.array([-across[1], across[0]])  # y grows downwards, so this turns the line of the eyes towards the mouth
    lips = np.concatenate([landmarks[GROUPS["outer upper lip"]], landmarks[GROUPS["outer lower lip"]]])
    along = lips @ across
    nose = landmarks[GROUPS["nose"]]
    tip = (nose.mean(axis=0) + nose[np.argmax(nose @ down)]) / 2
    return np.stack([eyes[0], eyes[1], tip, lips[np.argmin(along)], lips[np.argmax(along)]])


def landmark_scale(landmarks: NDArray[np.float64], probabilities: NDArray[np.uint8]) -> float:
    """Estimate the scale between landmarks, in pixels of the original photograph, and maps, in pixels of the resized picture.

    Not in paper: Smith et al. did not publish the scales of their resized set. Here least squares between centroids of parts give them.

    Args:
        landmarks: 194 2, in pixels of the original photograph.
        probabilities: 11 H W, in pixels of the resized picture.

    Returns:
        Resized pixels per original pixel.

    Raises:
        DataError: The maps have none of the parts, or the landmarks do not fit the maps at any scale.
    """
    sources, targets = [], []
    for groups, classes in _PARTS:
        centroids = [_centroid(probabilities[list(members)]) for members in classes]
        found = [centroid for centroid in centroids if centroid is not None]
        if len(found) == len(classes):
            sources.append(np.mean([landmarks[GROUPS[group]].mean(axis=0) for group in groups], axis=0))
            targets.append(np.mean(found, axis=0))
    if not sources:
        raise DataError(
            "The maps have neither brows, eyes, nose nor lips, but the landmarks need one of them; check the face's label files."
        )
    source, target = np.stack(sources), np.stack(targets)
    scale = float((source * target).sum() / max(float((source * source).sum()), 1e-12))
    error = float(np.linalg.norm(scale * source - target, axis=1).max())
    eyes = landmarks[GROUPS["first eye"]].mean(axis=0) - landmarks[GROUPS["second eye"]].mean(axis=0)
    # Outlines and areas differ slightly in their centroids. A difference as large as that between the eyes means another face.
    if not (scale > 0 and error <= scale * float(np.linalg.norm(eyes))):  # so that NaN is refused
        raise DataError(f"Landmarks and maps are {error:.0f} pixels apart at the best scale; check that both belong to the same face.")
    return scale


def similarity(points: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Find the similarity transform (rotation, uniform scale, shift; no reflection) that brings five points closest to the mean shape.

    Source: Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns", for two dimensions.

    Args:
        points: 5 2, in pixels of the picture.
        size: Edge of the square crop in pixels. The mean shape scales with it about the centre of the crop.

    Returns:
        2 3: the matrix from picture to crop.

    Raises:
        ValueError: `size` is not positive, or all points are equal.
    """
    if size < 1:
        raise ValueError(f"Expected `size` to be a positive number of pixels, but got {size}.")
    target = mean_shape(size)
    source_mean, target_mean = points.mean(axis=0), target.mean(axis=0)
    # On complex numbers a similarity is one complex factor, and its least-squares estimate is a quotient.
    source = (points - source_mean) @ np.array([1, 1j])
    spread = float(np.vdot(source, source).real) if np.isfinite(points).all() else 0.0
    factor = np.vdot(source, (target - target_mean) @ np.array([1, 1j])) / spread if spread > 1e-12 else 0j
    if abs(factor) < 1e-9:
        raise ValueError(f"Expected `points` to be five different points, but got {points.tolist()}; check the face's landmarks.")
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([linear, target_mean - linear @ source_mean])


def check_fit(points: NDArray[np.float64]) -> None:
    """Refuse five points that are not those of a face: one landmark far off turns and shrinks the whole face.

    Of 838 real faces the worst has a correlation of 0.87. With one point of the lips four distances of the eyes off it is 0.80 at most.

    Args:
        points: 5 2, pixels of the picture.

    Raises:
        ValueError: The correlation of the points with the mean shape, after the best similarity, is below `WORST_FIT`.
    """
    ours, theirs = ((each - each.mean(axis=0)) @ np.array([1, 1j]) for each in (points, MEAN_SHAPE))
    fit = abs(np.vdot(ours, theirs)) / max(float(np.linalg.norm(ours) * np.linalg.norm(theirs)), 1e-12)
    if not fit >= WORST_FIT:
        raise ValueError(
            f"Expected eyes, nose and mouth to lie as in a face, but their correlation with the mean shape is {fit:.2f}, below "
            f"{WORST_FIT}; correct the landmarks."
        )


def mean_shape(size: int) -> NDArray[np.float64]:
    """Return the mean shape in a crop of `size` x `size` pixels: 5 2."""
    return MEAN_SHAPE * (size / MEAN_SHAPE_SIZE) + (size - 1) / 2


def align(
    image: NDArray[np.uint8], probabilities: NDArray[np.uint8], points: NDArray[np.float64], size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Align a face to the mean shape and turn its probability maps into labels.

    Source: Wei et al. 2017, section 4.1.
    Not in paper: the interpolation. Labels are the argmax of the maps, then warped by nearest neighbour. The picture is warped bilinearly,
    after averaging over areas if the face shrinks.

    Args:
        image: Picture, H W 3.
        probabilities: Probability maps, 11 H W.
        points: 5 2, in pixels of `image`.
        size: Edge of the crop in pixels.

    Returns:
        The picture, size size 3, and the labels, size size.
    """
    check_fit(points)
    matrix = similarity(points, size)
    labels = probabilities.argmax(axis=0).astype(np.uint8)
    mask: NDArray[np.uint8] = cv2.warpAffine(
        labels, M=matrix, dsize=(size, size), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=(BACKGROUND,)
    )
    height, width = image.shape[:2]
    scale = min(1.0, float(np.hypot(matrix[0, 0], matrix[1, 0])))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    if small != (width, height):
        image = cv2.resize(image, dsize=small, interpolation=cv2.INTER_AREA)
        shrink = np.array([width / small[0], height / small[1]])
        # A pixel covers half a pixel to either side of its centre: centre x of the small picture is (x + 0.5) * shrink - 0.5 of the large.
        matrix = np.column_stack([matrix[:, :2] * shrink, matrix[:, 2] + matrix[:, :2] @ (shrink / 2 - 0.5)])
    aligned: NDArray[np.uint8] = cv2.warpAffine(
        image, M=matrix, dsize=(size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=OUTSIDE_COLOUR
    )
    return aligned, mask


def _centroid(maps: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """Return the centre of mass, x and y, of the sum of maps, or None if they are empty."""
    columns, rows = maps.sum(axis=(0, 1), dtype=np.float64), maps.sum(axis=(0, 2), dtype=np.float64)
    mass = columns.sum()
    if mass == 0:
        return None
    return np.array([columns @ np.arange(len(columns)) / mass, rows @ np.arange(len(rows)) / mass])
