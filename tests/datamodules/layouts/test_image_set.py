import gzip
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.layouts import image_set
from datamodules.layouts.cifar import CIFAR10
from datamodules.layouts.idx import MNIST
from datamodules.layouts.image_set import ImageSet, find
from datamodules.vouch import Vouch


@pytest.fixture
def copy(images_root: Path, tmp_path: Path) -> Path:
    """MNIST and CIFAR-10 without the note that they are made up."""
    for name in ("mnist", "cifar10"):
        shutil.copytree(images_root / name, tmp_path / "data" / name)
        (tmp_path / "data" / name / "SYNTHETIC.txt").unlink()
    return tmp_path / "data"


def small(published: ImageSet, **arguments: object) -> ImageSet:
    """A set with as few pictures as the made-up one, so that its count is the published one."""
    version = replace(published.versions[0], **arguments)
    return replace(published, official={"train": 23, "test": 11}, versions=(version,))


def test_splits_are_their_parts_joined_in_order(images_root: Path) -> None:
    layout = find(images_root, CIFAR10)
    images, labels = layout.splits["train"]
    assert (images.shape, images.dtype, labels.shape) == ((23, 3, 32, 32), np.uint8, (23,))
    rows = [np.fromfile(layout.file(f"data_batch_{number}.bin").path, np.uint8).reshape(-1, 3073) for number in range(1, 6)]
    np.testing.assert_array_equal(images.reshape(23, -1), np.concatenate(rows)[:, 1:])
    np.testing.assert_array_equal(labels, np.concatenate(rows)[:, 0])
    assert len(layout.splits["test"].labels) == 11


def test_how_much_is_vouched_for(copy: Path) -> None:
    detail = "34 pictures: train 23, test 11"
    assert find(copy, MNIST).check() == Vouch("not official", detail)
    unknown = small(MNIST, checksums={})
    assert find(copy, unknown).check() == Vouch("counts", detail)
    checksums = dict(find(copy, MNIST).checksums)
    assert find(copy, small(MNIST, checksums=checksums)).check() == Vouch("verified", detail)
    name = "t10k-labels-idx1-ubyte"
    other = small(MNIST, checksums=checksums | {name: "0" * 32})
    assert find(copy, other).check() == Vouch("not official", f"{detail}; not as published: {name}")
    (copy / "mnist" / "NOT_OFFICIAL.txt").write_text("A stand-in.\n")
    assert find(copy, unknown).check() == Vouch("not official", detail)
    (copy / "mnist" / "SYNTHETIC.txt").write_text("Made up.\n")
    assert find(copy, unknown).check() == Vouch("synthetic", detail)


def test_notes_lie_with_the_files_or_above(copy: Path) -> None:
    layout, places = find(copy, CIFAR10), ("cifar10/cifar-10-batches-bin", "cifar10")
    prints = [layout.fingerprint()]
    for place in places:
        note = copy / place / "NOT_OFFICIAL.txt"
        note.write_text(f"Of {place}.\n")
        prints.append(find(copy, CIFAR10).fingerprint())
        note.unlink()
    (copy / "NOT_OFFICIAL.txt").write_text("Of other sets.\n")
    assert find(copy, CIFAR10).fingerprint() == prints[0]
    assert len(set(prints)) == 3


def test_packed_or_not_it_is_the_same_set(copy: Path) -> None:
    packed = find(copy, MNIST)
    fingerprint, images = packed.fingerprint(), packed.splits["test"].images
    path = packed.file("t10k-images-idx3-ubyte").path
    data = gzip.decompress(path.read_bytes())
    path.with_suffix("").write_bytes(data)
    path.unlink()
    (copy / "mnist").rename(copy / "moved")
    (copy / "mnist" / "MNIST").mkdir(parents=True)
    (copy / "moved").rename(copy / "mnist" / "MNIST" / "raw")
    layout = find(copy, MNIST)
    assert layout.place == "mnist/MNIST/raw"
    assert layout.checksums["t10k-images-idx3-ubyte"] == hashlib.md5(data).hexdigest()
    assert layout.fingerprint() == fingerprint
    np.testing.assert_array_equal(layout.splits["test"].images, images)


def test_one_other_byte_is_another_set(copy: Path) -> None:
    before = find(copy, CIFAR10).fingerprint()
    path = copy / "cifar10" / "cifar-10-batches-bin" / "data_batch_3.bin"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert find(copy, CIFAR10).fingerprint() != before


def test_missing_files_are_named(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"MNIST is missing: .*nowhere/mnist holds none of its files; put its four \.gz files"):
        find(tmp_path / "nowhere", MNIST)
    (copy / "cifar10" / "cifar-10-batches-bin" / "data_batch_4.bin").unlink()
    with pytest.raises(DataError, match=r"cifar-10-batches-bin lacks 1 of 6, first 'data_batch_4.bin'; unpack cifar-10-binary"):
        find(copy, CIFAR10)


def test_what_is_no_gzip_is_named(copy: Path) -> None:
    layout = find(copy, MNIST)
    path = layout.file("train-labels-idx1-ubyte").path
    data = path.read_bytes()
    for broken in (b"", data[:-9], data[:20], b"something else"):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\.gz (is cut short or is not a gzip file|is not an idx)"):
            find(copy, MNIST).check()
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte.* cannot be read"):
        layout.check()


@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [
        ((2, 1, 28, 27), [0, 1], r"first holds pictures of 1 x 28 x 27 where 1 x 28 x 28 is right; to replace first, put"),
        ((2, 1, 28, 28), [0, 1, 2], r"second holds 3 labels for 2 pictures"),
        ((0, 1, 28, 28), [], r"second holds 0 labels for 0 pictures"),
        ((2, 1, 28, 28), [0, 10], r"second has the label 10, which is not a class \(0 to 9\)"),
        ((2, 1, 28, 28), [-1, 1], r"second has the label -1"),
    ],
)
def test_other_pictures_and_labels_are_named(tmp_path: Path, shape: tuple[int, ...], labels: list[int], message: str) -> None:
    part = ("first", "second")
    (tmp_path / "mnist").mkdir()
    for name in part:
        (tmp_path / "mnist" / name).touch()
    pictures = image_set.Pictures(np.zeros(shape, np.uint8), np.array(labels, np.int64))
    published = small(MNIST, parts={"train": (part,), "test": (part,)}, read=lambda files: pictures)
    with pytest.raises(DataError, match=message):
        find(tmp_path, published).check()
