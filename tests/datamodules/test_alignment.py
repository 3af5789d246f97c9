from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules import alignment
from datamodules.errors import DataError
from datamodules.layouts import helen

SIZE = 200


def transform(angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def picture() -> tuple[np.ndarray, np.ndarray]:
    """A smooth picture, so that resampling hardly changes it, and two classes with a slanted edge."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    image = np.stack([x, y, 0.5 + 0.5 * np.sin(6 * x + 4 * y)], axis=-1) * 200 + 20
    maps = np.zeros((11, SIZE, SIZE), np.uint8)
    maps[6] = np.where((x - 0.5) ** 2 + 2 * (y - 0.45) ** 2 < 0.08, 255, 0)
    maps[0] = 255 - maps[6]
    return image.astype(np.uint8), maps


@pytest.mark.parametrize(("angle", "scale", "shift"), [(0, 1, (0, 0)), (0.4, 2.5, (30, -12)), (-0.7, 0.3, (5, 80))])
def test_similarity_undoes_a_similarity(angle: float, scale: float, shift: tuple[float, float]) -> None:
    moved = apply(transform(angle, scale, shift), alignment.mean_shape(SIZE))
    np.testing.assert_allclose(apply(alignment.similarity(moved, SIZE), moved), alignment.mean_shape(SIZE), atol=1e-9)


def test_similarity_is_least_squares() -> None:
    points = alignment.mean_shape(SIZE) + np.random.default_rng(0).normal(0, 8, (5, 2))
    x, y = points.T
    # The same fit as a linear system in (a, b, shift x, shift y).
    rows = np.concatenate([np.stack([x, -y, x**0, 0 * x], axis=1), np.stack([y, x, 0 * x, x**0], axis=1)])
    a, b, right, down = np.linalg.lstsq(rows, alignment.mean_shape(SIZE).T.ravel(), rcond=None)[0]
    np.testing.assert_allclose(alignment.similarity(points, SIZE), [[a, -b, right], [b, a, down]], atol=1e-9)


def test_similarity_never_mirrors() -> None:
    mirrored = alignment.mean_shape(SIZE) * [-1, 1]
    assert np.linalg.det(alignment.similarity(mirrored, SIZE)[:, :2]) > 0


def test_mean_shape_grows_about_the_centre() -> None:
    centred = [alignment.mean_shape(size) - (size - 1) / 2 for size in (250, 500)]
    np.testing.assert_allclose(centred[0], alignment.MEAN_SHAPE)
    np.testing.assert_allclose(centred[1], 2 * alignment.MEAN_SHAPE)


def test_an_aligned_picture_comes_back() -> None:
    image, maps = picture()
    aligned, mask = alignment.align(image, maps, alignment.mean_shape(SIZE), SIZE)
    np.testing.assert_array_equal(aligned, image)
    np.testing.assert_array_equal(mask, maps.argmax(axis=0))


@pytest.mark.parametrize(("angle", "scale", "shift"), [(0.3, 1.3, (70, 10)), (-0.5, 2.7, (20, 300)), (0, 2, (0.5, 0.5)), (0, 3, (1, 1))])
def test_a_moved_picture_comes_back(angle: float, scale: float, shift: tuple[float, float]) -> None:
    image, maps = picture()
    there = transform(angle, scale, shift)
    canvas = (SIZE * 4, SIZE * 4)
    moved = cv2.warpAffine(image, M=there, dsize=canvas, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved_maps = np.stack([cv2.warpAffine(each, M=there, dsize=canvas, flags=cv2.INTER_LINEAR) for each in maps])
    aligned, mask = alignment.align(moved, moved_maps, apply(there, alignment.mean_shape(SIZE)), SIZE)
    inside = np.s_[20:-20, 20:-20]
    # Gradients are at most 3 levels a pixel: an error of half a pixel, as from a wrong convention for pixel centres, would show.
    assert np.abs(aligned[inside].astype(float) - image[inside]).mean() < 0.6
    assert abs((aligned[inside].astype(float) - image[inside]).mean()) < 0.5
    assert (mask != maps.argmax(axis=0))[inside].mean() < 0.004


def test_outside_is_background_in_the_mean_colour() -> None:
    image, maps = picture()
    maps[0], maps[6] = 0, 255
    aligned, mask = alignment.align(image, maps, alignment.mean_shape(SIZE) + np.array([SIZE / 2, 0]), SIZE)
    assert (mask[:, -90:] == 0).all()
    assert (mask[:, :90] == 6).all()
    assert (aligned[:, -90:] == alignment.OUTSIDE_COLOUR).all()


def test_shrinking_averages() -> None:
    checks = np.indices((SIZE * 4, SIZE * 4)).sum(axis=0) % 2 * 255
    image = np.repeat(checks[..., None], 3, axis=-1).astype(np.uint8)
    maps = np.zeros((11, SIZE * 4, SIZE * 4), np.uint8)
    aligned, _ = alignment.align(image, maps, alignment.mean_shape(SIZE) * 4, SIZE)
    assert np.ptp(aligned[5:-5, 5:-5].astype(int)) <= 2


def faces(data_root: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    layout = helen.find(data_root)
    return [(helen.read_landmarks(path), helen.read_probabilities(layout, name)) for name, path in layout.landmarks.items()]


def test_landmark_scale_is_recovered(data_root: Path) -> None:
    for landmarks, maps in faces(data_root):
        once = alignment.landmark_scale(landmarks, maps)
        eyes = np.argwhere(np.isin(maps.argmax(axis=0), (4, 5))).mean(axis=0)[::-1]
        drawn = (landmarks[helen.GROUPS["first eye"]].mean(axis=0) + landmarks[helen.GROUPS["second eye"]].mean(axis=0)) / 2
        assert once == pytest.approx(np.linalg.norm(eyes) / np.linalg.norm(drawn), rel=0.03)
        assert alignment.landmark_scale(landmarks * 1.6, maps) == pytest.approx(once / 1.6)


def test_a_known_factor_is_recovered_within_two_percent(data_root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from datamodules import synthetic

    drawn: list[np.ndarray] = []
    original = synthetic._face
    monkeypatch.setattr(synthetic, "_face", lambda *arguments: drawn.append((face := original(*arguments)).landmarks) or face)
    synthetic.write_helen(tmp_path, exemplars=8, tuning=1, testing=1, size=160, seed=0)
    for (landmarks, maps), pixels in zip(faces(tmp_path), drawn, strict=True):
        factor = np.linalg.norm(pixels) / np.linalg.norm(landmarks)
        assert alignment.landmark_scale(landmarks, maps) == pytest.approx(factor, rel=0.02)


def test_landmarks_of_another_face_are_refused(data_root: Path) -> None:
    landmarks, maps = faces(data_root)[0]
    with pytest.raises(DataError, match="same face"):
        alignment.landmark_scale(landmarks[:, ::-1] * [1, 0.2] + [900, 0], maps)
    with pytest.raises(DataError, match="neither"):
        alignment.landmark_scale(landmarks, np.zeros_like(maps))


def test_five_points_lie_on_their_parts(data_root: Path) -> None:
    for landmarks, maps in faces(data_root):
        points = alignment.five_points(landmarks * alignment.landmark_scale(landmarks, maps))
        labels = maps.argmax(axis=0)
        for point, label in zip(points[:3], (4, 5, 6), strict=True):
            assert np.linalg.norm(np.argwhere(labels == label)[:, ::-1] - point, axis=1).min() < 2
        mouth = np.argwhere(np.isin(labels, (7, 8, 9)))[:, 1]
        assert abs(points[3, 0] - mouth.min()) < 4
        assert abs(points[4, 0] - mouth.max()) < 4


def test_five_points_do_not_depend_on_where_outlines_begin_or_on_the_order_of_eyes(data_root: Path) -> None:
    landmarks, _ = faces(data_root)[0]
    rolled = landmarks.copy()
    for group in helen.GROUPS.values():
        rolled[group] = np.roll(landmarks[group], 5, axis=0)
    rolled[helen.GROUPS["first eye"]], rolled[helen.GROUPS["second eye"]] = rolled[134:154].copy(), rolled[114:134].copy()
    np.testing.assert_allclose(alignment.five_points(rolled), alignment.five_points(landmarks))


def test_five_points_turn_with_the_face(data_root: Path) -> None:
    landmarks, _ = faces(data_root)[0]
    turn = transform(0.3, 1.7, (40, -9))
    np.testing.assert_allclose(alignment.five_points(apply(turn, landmarks)), apply(turn, alignment.five_points(landmarks)), atol=1e-6)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"`landmarks` to have shape \(194, 2\)"):
        alignment.five_points(np.zeros((68, 2)))
    with pytest.raises(ValueError, match="`size` to be a positive number of pixels, but got 0"):
        alignment.similarity(alignment.mean_shape(SIZE), 0)
    for points in (np.ones((5, 2)), np.full((5, 2), np.nan), np.zeros((5, 2))):
        with pytest.raises(ValueError, match="five different points"):
            alignment.similarity(points, SIZE)


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan])
def test_landmarks_of_one_point_have_no_scale(value: float, data_root: Path) -> None:
    """0 / 0 is no scale: NaN passes neither comparison."""
    _, probabilities = faces(data_root)[0]
    with pytest.raises(DataError, match="pixels apart at the best scale; check that both belong to the same face"):
        alignment.landmark_scale(np.full((194, 2), value), probabilities)


@pytest.mark.parametrize(("part", "move"), [("outer upper lip", (4.0, 0.0)), ("nose", (0.0, 3.0)), ("nose", (np.nan, 0.0))])
def test_one_landmark_far_off_is_refused(part: str, move: tuple[float, float], data_root: Path) -> None:
    """It would turn and shrink the whole face, and nothing would look wrong but the scores; moves are distances between the eyes."""
    layout = helen.find(data_root)
    for name in layout.splits["testing"]:
        landmarks = helen.read_landmarks(layout.landmarks[name])
        points = alignment.five_points(landmarks)
        alignment.check_fit(points)
        moved = helen.GROUPS[part].start if part != "nose" else helen.GROUPS[part]
        landmarks[moved] += np.array(move) * np.linalg.norm(points[0] - points[1])
        image, probabilities = np.zeros((9, 9, 3), np.uint8), np.zeros((11, 9, 9), np.uint8)
        with pytest.raises(ValueError, match="Expected eyes, nose and mouth to lie as in a face"):
            alignment.align(image, probabilities, alignment.five_points(landmarks), SIZE)
