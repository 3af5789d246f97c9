from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules import synthetic_images
from datamodules.layouts.images import SETS, find
from datamodules.synthetic_images import write_images


def test_the_same_seed_gives_the_same_files(images_root: Path, tmp_path: Path) -> None:
    for name in SETS:
        write_images(tmp_path, name, train=23, test=11, seed=3)
    first = {path.relative_to(images_root): path for path in images_root.rglob("*") if path.is_file()}
    again = {path.relative_to(tmp_path): path for path in tmp_path.rglob("*") if path.is_file()}
    assert first.keys() == again.keys()
    assert [name for name in first if first[name].read_bytes() != again[name].read_bytes()] == []


@pytest.mark.parametrize("name", SETS)
def test_sets_say_that_they_are_made_up(images_root: Path, tmp_path: Path, name: str) -> None:
    layout = find(images_root, name)
    assert (layout.check().status, layout.check().detail) == ("synthetic", "34 pictures: train 23, test 11")
    note = (images_root / name / "SYNTHETIC.txt").read_text()
    assert note.startswith(f"Made-up characters in the layout of {SETS[name].title}")
    write_images(tmp_path, name, train=23, test=11, seed=4)
    assert find(tmp_path, name).fingerprint() != layout.fingerprint()


@pytest.mark.parametrize("name", ["mnist", "cifar100"])
def test_every_class_is_there_alike_and_no_two_pictures_are(tmp_path: Path, name: str) -> None:
    write_images(tmp_path, name, train=200, test=100, seed=0)
    splits = find(tmp_path, name).splits
    classes = len(SETS[name].classes)
    for split, count in (("train", 200), ("test", 100)):
        assert np.bincount(splits[split].labels, minlength=classes).tolist() == [count // classes] * classes
    images = np.concatenate([splits["train"].images, splits["test"].images])
    assert len({image.tobytes() for image in images}) == 300


def test_a_straight_line_tells_most_digits_apart(tmp_path: Path) -> None:
    """What least squares reads off the pixels, a small net learns; chance is a tenth."""
    write_images(tmp_path, "mnist", train=600, test=200, seed=0)
    splits = find(tmp_path, "mnist").splits
    train, test = (splits[split].images.reshape(len(splits[split].labels), -1)[:, ::2] / 255 for split in ("train", "test"))
    weights = np.linalg.solve(train.T @ train + 10 * np.eye(train.shape[1]), train.T @ np.eye(10)[splits["train"].labels])
    right = ((test @ weights).argmax(axis=1) == splits["test"].labels).mean()
    assert 0.5 < right < 1


def test_no_letter_is_the_mirror_image_of_another() -> None:
    mirror = str.maketrans("bcef", "fecb")
    letters = [frozenset(letter) for letter in synthetic_images._LETTERS]
    assert len(set(letters)) == 10
    for index, letter in enumerate(synthetic_images._LETTERS):
        assert frozenset(letter.translate(mirror)) not in letters[:index] + letters[index + 1 :]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train": 0}, "`train` to be at least 1, but got 0"),
        ({"test": 0}, "`test`"),
        ({"seed": -1}, "`seed` to be at least 0"),
        ({"name": "emnist"}, "`name` to be one of mnist, .*, but got 'emnist'"),
    ],
)
def test_bad_arguments(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_images(tmp_path, **({"name": "mnist", "train": 1, "test": 1, "seed": 0} | arguments))
