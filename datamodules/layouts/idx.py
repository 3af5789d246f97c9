"""MNIST and Fashion-MNIST: idx files, compressed by gzip or not.

Source: LeCun et al., "The MNIST database of handwritten digits", which describes the format; Xiao et al. 2017, "Fashion-MNIST".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from datamodules.layouts.image_set import File, ImageSet, Pictures, Version

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PARTS = {
    "train": (("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),),
    "test": (("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),),
}


def read(part: tuple[File, ...]) -> Pictures:
    """Read a file of pictures and the file of their labels.

    Raises:
        DataError: A file is broken, or is not an idx file of pictures or labels.
    """
    images, labels = part
    return Pictures(read_idx(images, 3)[:, None], read_idx(labels, 1))


def read_idx(file: File, dimensions: int) -> NDArray[np.uint8]:
    """Read an idx file: two zeros, 8 (for bytes), the number of dimensions, the size of each in four bytes, the values.

    Raises:
        DataError: The file cannot be read, has another header, or is not as long as its header says.
    """
    import numpy as np

    data = file.content()
    head = 4 + 4 * dimensions
    if data[:4] != bytes([0, 0, 8, dimensions]) or len(data) < head:
        raise file.error(f"is not an idx file of bytes whose number of dimensions is {dimensions}")
    shape = [int(edge) for edge in np.frombuffer(data[4:head], ">u4")]
    values = np.frombuffer(data, np.uint8, offset=head)
    if values.size != np.prod(shape, dtype=object):
        raise file.error(f"holds {values.size} values where its head says {' x '.join(map(str, shape))}")
    return values.reshape(shape)


def _version(folder: str, theirs: str, title: str, checksums: tuple[str, ...]) -> Version:
    """Describe the four files, which have the same names in both sets. Checksums are in the order pictures, labels; training first."""
    names = [name for split in _PARTS.values() for part in split for name in part]
    get = f"put its four .gz files, from the page of {title} or a mirror of it, there, packed or not"
    places = (folder, f"{folder}/{theirs}/raw", f"{theirs}/raw")  # the last two are torchvision's folder
    return Version(places, _PARTS, get, read, dict(zip(names, checksums, strict=True)))


# Not in paper (Pintea et al. 2021): mean and standard deviation, which are those of the training pictures.
MNIST = ImageSet(
    title="MNIST",
    classes=tuple("0123456789"),
    shape=(1, 28, 28),
    official={"train": 60000, "test": 10000},
    mean=(0.1307,),
    std=(0.3081,),
    versions=(
        _version(
            "mnist",
            "MNIST",
            "MNIST",
            (
                "6bbc9ace898e44ae57da46a324031adb",
                "a25bea736e30d166cdddb491f175f624",
                "2646ac647ad5339dbf082846283269ea",
                "27ae3e4e09519cfbb04c329615203637",
            ),
        ),
    ),
)
FASHION_MNIST = ImageSet(
    title="Fashion-MNIST",
    classes=("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    shape=(1, 28, 28),
    official={"train": 60000, "test": 10000},
    mean=(0.2860,),
    std=(0.3530,),
    versions=(
        _version(
            "fashion_mnist",
            "FashionMNIST",
            "Fashion-MNIST",
            (
                "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "9018921c3c673c538a1fc5bad174d6f9",
                "8181f5470baa50b63fa0f6fddb340f0a",
                "15d484375f8d13e6eb1aabb0c3f46965",
            ),
        ),
    ),
)
