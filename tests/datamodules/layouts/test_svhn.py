from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from datamodules.errors import DataError
from datamodules.layouts import svhn
from datamodules.layouts.image_set import File, find


def test_pictures_and_digits_are_those_of_the_file(images_root: Path) -> None:
    layout = find(images_root, svhn.SVHN)
    content = loadmat(layout.file("train_32x32.mat").path)
    assert 10 in content["y"]
    assert 0 not in content["y"]
    images, labels = layout.splits["train"]
    assert images.shape == (23, 3, 32, 32)
    for index in range(23):
        np.testing.assert_array_equal(images[index].transpose(1, 2, 0), content["X"][..., index])
        assert labels[index] == {10: 0}.get(int(content["y"][index, 0]), int(content["y"][index, 0]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"X": np.zeros((32, 32, 3, 2), np.uint8)}, "is not a MATLAB file with `X` and `y`"),
        ({"X": np.zeros((32, 32, 3), np.uint8), "y": [[1]]}, "has no `X` of H x W x 3 x N bytes"),
        ({"X": np.zeros((32, 32, 3, 2)), "y": [[1], [2]]}, "has no `X`"),
        ({"X": np.zeros((32, 32, 3, 2), np.uint8), "y": [[1]]}, "has no `y` of 2 x 1 integers"),
        ({"X": np.zeros((32, 32, 3, 2), np.uint8), "y": [[1.0], [2.5]]}, "has no `y`"),
        ({"X": np.zeros((32, 32, 3, 2), np.uint8), "y": [[1], [0]]}, "has the label 0, where the digits are 1 to 9 and 10 for 0"),
        ({"X": np.zeros((32, 32, 3, 2), np.uint8), "y": [[11], [1]]}, "has the label 11"),
    ],
)
def test_other_content_is_named(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    savemat(tmp_path / "train_32x32.mat", content)
    with pytest.raises(DataError, match=rf"SVHN's file .*train_32x32\.mat .*{message}.*; to replace train_32x32\.mat, get it"):
        svhn.read((File(tmp_path / "train_32x32.mat", "SVHN", "get it"),))


def test_broken_files_are_named(images_root: Path, tmp_path: Path) -> None:
    data = find(images_root, svhn.SVHN).file("test_32x32.mat").path.read_bytes()
    for broken in (b"", data[:60], data[:-40], b"something else" * 40):
        (tmp_path / "file").write_bytes(broken)
        with pytest.raises(DataError, match="file is cut short or is not a MATLAB file"):
            svhn.read((File(tmp_path / "file", "SVHN", "get it"),))
