"""Small pictures with one class each as a LightningDataModule: MNIST, Fashion-MNIST, CIFAR-10, CIFAR-100, SVHN.

Memory holds all pictures as bytes. A batch is indexed out of them, and augmented, normalised and resized as a whole on the device.

Source: Pintea et al. 2021 (N-Jet), section IV; crop and flip from its public code, for CIFAR-10.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from datamodules import loading
from datamodules.layouts import images
from datamodules.layouts.image_set import ImageLayout, Pictures
from datamodules.sampler import Draw
from datamodules.steps import StepsDataModule


class HeldPictures(Dataset[dict[str, Any]]):
    """The pictures of one split in memory, loaded by the batch.

    Args:
        split: "train" or "test", the beginning of the pictures' names.
        pictures: The pictures and their classes.
    """

    def __init__(self, split: str, pictures: Pictures) -> None:
        self.split = split
        self.images, self.labels = torch.from_numpy(pictures.images), torch.from_numpy(pictures.labels.astype(np.int64))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, indices: list[int]) -> dict[str, Any]:
        """Return a batch: `image` (B C H W, uint8), `label` (B, int64) and `name`. Torch's loaders call this method for a whole batch."""
        chosen = torch.tensor(indices)
        return {
            "image": self.images[chosen],
            "label": self.labels[chosen],
            "name": [f"{self.split}_{index:05d}" for index in indices],
        }


class DrawnPictures(Dataset[dict[str, Any]]):
    """Pictures with the random numbers of their augmentation, loaded by batches of `Draw`.

    Args:
        pictures: The pictures to augment.
        padding: Pixels added to each side of a picture before it is cropped.
        flip: Whether half of the pictures are flipped.
        seed: Seed of the augmentation.
    """

    def __init__(self, pictures: HeldPictures, padding: int, flip: bool, seed: int) -> None:
        self.pictures, self.padding, self.flip, self.seed = pictures, padding, flip, seed

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitems__(self, draws: list[Draw]) -> dict[str, Any]:
        """Return a batch that also has `corner` (B 2, int64: first row and column of the crop) and `flip` (B, bool)."""
        corner, flip = draw(self.seed, draws[0].step, draws[0].index, len(draws), self.padding)
        batch = self.pictures.__getitems__([each.sample for each in draws])
        return {**batch, "corner": corner, "flip": flip & self.flip}


def draw(seed: int, step: int, first: int, count: int, padding: int) -> tuple[Tensor, Tensor]:
    """Draw the augmentation of consecutive samples of a batch. That of a sample depends only on the seed, the step and its index.

    Args:
        seed: Seed of the augmentation.
        step: Training step.
        first: Index of the first sample in the batch of all ranks.
        count: Number of samples.
        padding: Pixels added to each side.

    Returns:
        First row and column of each crop (count 2, from 0 to 2 padding), and whether it is flipped (count).
    """
    # The last number separates this stream from that of the order: NumPy gives (seed, epoch) and (seed, epoch, 0) the same stream.
    numbers = np.random.default_rng((seed, step, 1)).random((first + count, 3))[first:]
    return torch.from_numpy((numbers[:, :2] * (2 * padding + 1)).astype(np.int64)), torch.from_numpy(numbers[:, 2] < 0.5)


def augment(image: Tensor, corner: Tensor, flip: Tensor, padding: int) -> Tensor:
    """Pad pictures with black, crop each at its own place to its original size, and flip some from left to right.

    Args:
        image: B C H W, uint8.
        corner: B 2, first row and column of each crop in the padded picture.
        flip: B, bool: whether a picture is flipped.
        padding: Pixels added to each side.
    """
    height, width = image.shape[2:]
    windows = functional.pad(image, (padding,) * 4).unfold(2, height, 1).unfold(3, width, 1)
    cropped = windows[torch.arange(len(image), device=image.device), :, corner[:, 0], corner[:, 1]]
    return torch.where(flip[:, None, None, None], cropped.flip(3), cropped)


def as_it_is(batch: dict[str, Any]) -> dict[str, Any]:
    """Return a batch unchanged: `__getitems__` has joined its samples."""
    return batch


class ImagesDataModule(StepsDataModule):
    """A set of small pictures, in batches of `image`, `label` and `name`.

    It trains on the training pictures, and validates, tests and predicts on the test pictures: these sets have no validation split.
    Training goes by steps: one epoch of Lightning is the whole training, `steps` long. The trainer needs `use_distributed_sampler=False`:
    the loaders divide their samples among the ranks themselves. With `accumulate_grad_batches`, the batch of a step comes in as many parts.

    Not in paper (Pintea et al. 2021): how pictures are resized. They are resized after augmentation, bilinearly with pixel centres, as in
    most libraries.

    Args:
        root: The data root, with one folder per set: `mnist/`, `fashion_mnist/`, `cifar10/`, `cifar100/` or `svhn/`.
        dataset: The set, by the name of its folder.
        batch_size: Pictures per step, over all ranks.
        steps: Steps of the whole training. By default the trainer's `max_steps` or, without those, one pass over the pictures.
        seed: Seed of the order and of the augmentation.
        padding: Black pixels added to each side of a training picture before it is cropped to its original size. The paper's code has 4
            for CIFAR-10.
        flip: Whether half of the training pictures are flipped from left to right, as in the paper's code. Do not flip digits.
        scale: Factor by which the edges of all pictures are enlarged, at least 1. The paper has 1, 1.5, 2 and 4.

    Raises:
        ValueError: An argument is out of range. Missing or broken data is a `DataError`, raised at the first access to the data.
    """

    trained_on, validated_on, tested_on, sample = "train", "test", "test", "picture"
    join = staticmethod(as_it_is)

    def __init__(
        self,
        root: str | Path,
        dataset: str = "cifar10",
        batch_size: int = 128,
        steps: int | None = None,
        seed: int = 0,
        padding: int = 0,
        flip: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__(
            root=root, dataset=dataset, batch_size=batch_size, steps=steps, seed=seed, padding=padding, flip=flip, scale=scale
        )  # fmt: skip
        if dataset not in images.SETS:
            raise ValueError(f"Expected `dataset` to be one of {', '.join(images.SETS)}, but got {dataset!r}.")
        loading.at_least(0, padding=padding)
        if not 1 <= scale < float("inf"):
            raise ValueError(f"Expected `scale` to be a number from 1 on, but got {scale}.")
        self.dataset, self.padding, self.flip, self.scale = dataset, padding, flip, scale
        self.draws = padding > 0 or flip
        self.published = images.SETS[dataset]
        self.classes = self.published.classes
        self.num_classes = len(self.classes)
        self.mean, self.std = self.published.mean, self.published.std

    @cached_property
    def layout(self) -> ImageLayout:
        """The files, found at first use."""
        return images.find(self.root, self.dataset)

    @property
    def shape(self) -> tuple[int, int, int]:
        """C H W of the pictures in batches."""
        channels, height, width = self.published.shape
        return channels, round(self.scale * height), round(self.scale * width)

    def setup(self, stage: str | None = None) -> None:
        """Read both splits and set `vouch`."""
        held = {split: HeldPictures(split, pictures) for split, pictures in self.layout.splits.items()}
        training = DrawnPictures(held["train"], self.padding, self.flip, self.seed) if self.draws else held["train"]
        self.splits = {"train": training, "test": held["test"]}
        self.vouch = self.layout.check()

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """Augment, normalise and resize on the device, to which bytes are sent: `image` to B C H W float."""
        image = batch["image"]
        if "corner" in batch:
            image = augment(image, batch["corner"], batch["flip"], self.padding)
        image = loading.normalise(image, self.mean, self.std)
        if image.shape[1:] != self.shape:
            image = functional.interpolate(image, size=self.shape[1:], mode="bilinear", align_corners=False)
        return {"image": image, "name": batch["name"]} | ({"label": batch["label"]} if "label" in batch else {})

    def pictures(self, image: Tensor) -> Tensor:
        """Bring the images of a batch, B C H W, back to bytes for display, B H W C."""
        return loading.pictures(image, self.mean, self.std)
