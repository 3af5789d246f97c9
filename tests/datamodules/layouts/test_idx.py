from pathlib import Path

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.layouts import idx
from datamodules.layouts.image_set import File, find


def written(folder: Path, data: bytes) -> File:
    (folder / "file").write_bytes(data)
    return File(folder / "file", "MNIST", "get it")


def test_an_idx_file_by_hand(tmp_path: Path) -> None:
    file = written(tmp_path, bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3]) + bytes(range(6)))
    np.testing.assert_array_equal(idx.read_idx(file, 3), [[[0, 1, 2]], [[3, 4, 5]]])


@pytest.mark.parametrize("published", [idx.MNIST, idx.FASHION_MNIST])
def test_pictures_have_one_channel(images_root: Path, published: idx.ImageSet) -> None:
    splits = find(images_root, published).splits
    assert [splits[split].images.shape for split in ("train", "test")] == [(23, 1, 28, 28), (11, 1, 28, 28)]
    assert splits["train"].labels.shape == (23,)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not an idx file"),
        (bytes([0, 0, 8, 1, 0, 0]), "is not an idx file"),
        (bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 1, 7]), "is not an idx file"),  # of two dimensions
        (bytes([0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0]), "is not an idx file"),  # of floats
        (bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2]), "holds 2 values where its head says 3"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 1, 1, 2]), "holds 2 values where its head says 1"),
        (bytes([0, 0, 8, 1, 255, 255, 255, 255, 1]), "holds 1 values where its head says 4294967295"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"MNIST's file .*file {message}.*; to replace file, get it"):
        idx.read_idx(written(tmp_path, data), 1)


def test_a_file_of_nothing_is_read_as_that(tmp_path: Path) -> None:
    assert idx.read_idx(written(tmp_path, bytes([0, 0, 8, 1, 0, 0, 0, 0])), 1).shape == (0,)
