import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.alignment import OUTSIDE_COLOUR
from datamodules.augmentation import Augmentation, augment, draw, window


def scene(height: int, width: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8), rng.integers(0, 21, (height, width), dtype=np.uint8)


def whole(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float64]:
    """Resize a whole picture linearly, by pixel centres, in double precision and without OpenCV."""
    result = image.astype(np.float64)
    for axis, (size, extent) in enumerate(((height, image.shape[0]), (width, image.shape[1]))):
        at = np.clip((np.arange(size) + 0.5) * extent / size - 0.5, 0, extent - 1)
        low = np.minimum(at.astype(int), extent - 2)
        share = (at - low).reshape([-1 if each == axis else 1 for each in range(3)])
        result = result.take(low, axis) * (1 - share) + result.take(low + 1, axis) * share
    return result


def nearest(mask: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    rows, columns = (
        ((np.arange(size) + 0.5) * extent / size).astype(int) for size, extent in ((height, mask.shape[0]), (width, mask.shape[1]))
    )
    return mask[rows[:, None], columns]


@pytest.mark.parametrize(
    ("extent", "crop", "scale", "expected"),
    [
        (60, 40, 0.5, (60, 30)),  # shorter than the crop: whole, then padded
        (60, 40, 2.0, (20, 40)),
        (60, 40, 1.0, (40, 40)),
        (60, 60, 1.0, (60, 60)),
        (60, 40, 1.5, (27, 40)),
        (2, 1, 0.1, (2, 1)),
    ],
)
def test_windows(extent: int, crop: int, scale: float, expected: tuple[int, int]) -> None:
    places = [window(extent, crop, scale, place) for place in np.linspace(0, 0.999999, 500)]
    assert {(each.length, each.size) for each in places} == {expected}
    starts, offsets = {each.start for each in places}, {each.offset for each in places}
    assert starts == set(range(extent - expected[0] + 1))  # every place can be drawn, and none beyond the edge
    assert offsets == set(range(crop - expected[1] + 1))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("scale", "crop"), [(2.0, 32), (1.5, 36), (1.25, 40), (0.75, 36), (0.5, 30), (1.0, 33)])
def test_cropping_first_gives_what_resizing_the_whole_gives(scale: float, crop: int, flip: bool) -> None:
    image, mask = scene(96, 120)
    # Places where the crop begins at a pixel's edge of the resized picture, so that it can be cut out of that.
    down, across = (
        next(place for place in np.linspace(start, 1, 400) if window(extent, crop, scale, place).start * scale % 1 == 0)
        for extent, start in ((96, 0.4), (120, 0.6))
    )
    how = Augmentation(scale, down, across, flip)
    top, left = (round(window(extent, crop, scale, place).start * scale) for extent, place in ((96, down), (120, across)))
    assert top > 0
    assert left > 0
    pixels, labels = augment(image, mask, crop, how)
    part = np.s_[top : top + crop, left : left + crop]
    size = round(96 * scale), round(120 * scale)
    expected, expected_labels = whole(image, *size)[part], nearest(mask, *size)[part]
    if flip:
        pixels, labels = pixels[:, ::-1], labels[:, ::-1]
    # A point half way between two pixels may have the label of either.
    clear = (np.arange(crop) + 0.5) / scale % 1 != 0
    assert clear.mean() >= (0 if scale == 0.5 else 0.6)
    np.testing.assert_array_equal(labels[clear][:, clear], expected_labels[clear][:, clear])
    # At its border the crop does not see the pixels beyond; elsewhere OpenCV rounds.
    np.testing.assert_allclose(pixels[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1.01)


def test_labels_lie_where_the_picture_does() -> None:
    """Give each label its own brightness: after any augmentation the two still agree wherever a pixel's neighbours are alike."""
    mask = np.kron(np.random.default_rng(1).integers(0, 21, (8, 9)), np.ones((12, 12))).astype(np.uint8)
    image = np.repeat(mask[..., None] * 12, 3, axis=2)
    for index in range(60):
        pixels, labels = augment(image, mask, 70, draw(3, 0, index, (0.5, 2.0), True))
        inside = labels != 255
        off = np.abs(pixels[..., 0].astype(int) - labels * 12.0)[inside]
        # Pixels between two blocks are blends, and the nearer block has the larger share: never are they off by more than half.
        assert off.max() <= 20 * 12 * 0.75
        assert (off <= 1).mean() > 0.6
        np.testing.assert_array_equal(pixels[~inside], np.broadcast_to(OUTSIDE_COLOUR, ((~inside).sum(), 3)))


def test_padding_surrounds_the_whole_picture() -> None:
    image, mask = scene(40, 60)
    pixels, labels = augment(image, mask, 80, Augmentation(1.0, 0.5, 0.0, False))
    assert (labels != 255).sum() == 40 * 60
    np.testing.assert_array_equal(pixels[20:60, :60], image)
    np.testing.assert_array_equal(labels[20:60, :60], mask)
    flipped, _ = augment(image, mask, 80, Augmentation(1.0, 0.5, 0.0, True))
    np.testing.assert_array_equal(flipped[20:60, :60], image[:, ::-1])
    wide, ignored = augment(image, mask, 50, Augmentation(1.0, 0.0, 0.0, False))
    np.testing.assert_array_equal(wide[:40], image[:, :50])
    assert (ignored[40:] == 255).all()


def test_no_augmentation_is_the_identity() -> None:
    image, mask = scene(32, 32)
    pixels, labels = augment(image, mask, 32, draw(0, 0, 0, (1.0, 1.0), False))
    np.testing.assert_array_equal(pixels, image)
    np.testing.assert_array_equal(labels, mask)


def test_draws_follow_from_seed_step_and_index_alone() -> None:
    keys = [(seed, step, index) for seed in range(3) for step in range(5) for index in range(20)]
    draws = [draw(*key, (0.5, 2.0), True) for key in keys]
    assert draws == [draw(*key, (0.5, 2.0), True) for key in keys]
    assert len({each.scale for each in draws}) == len(draws)
    assert 0.5 <= min(each.scale for each in draws) < 0.6
    assert 1.9 < max(each.scale for each in draws) <= 2.0
    assert 0.4 < np.mean([each.flip for each in draws]) < 0.6
    assert not any(draw(*key, (0.5, 2.0), False).flip for key in keys)
    # Not the stream that the order of the pictures is drawn from.
    assert draw(5, 0, 0, (0.0, 1.0), True).scale != np.random.default_rng((5, 0)).random()
