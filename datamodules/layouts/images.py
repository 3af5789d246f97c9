"""The sets of small pictures, by name; a set's folder in the data root has the same name."""

from __future__ import annotations

from pathlib import Path

from datamodules.layouts import image_set
from datamodules.layouts.cifar import CIFAR10, CIFAR100
from datamodules.layouts.idx import FASHION_MNIST, MNIST
from datamodules.layouts.image_set import ImageLayout, ImageSet
from datamodules.layouts.svhn import SVHN

SETS: dict[str, ImageSet] = {"mnist": MNIST, "fashion_mnist": FASHION_MNIST, "cifar10": CIFAR10, "cifar100": CIFAR100, "svhn": SVHN}


def find(data_root: Path, name: str) -> ImageLayout:
    """Find a set under a data root and check that all of its files are there.

    Args:
        data_root: The folder with one folder per data set.
        name: The set, one of `SETS`.

    Raises:
        DataError: Files are missing; the message says which, where, and how to get them.
        ValueError: There is no such set.
    """
    if name not in SETS:
        raise ValueError(f"Expected `name` to be one of {', '.join(SETS)}, but got {name!r}.")
    return image_set.find(data_root, SETS[name])
