"""Small pictures with one class each as a LightningDataModule: MNIST, Fashion-MNIST, CIFAR-10, CIFAR-100, SVHN.

They are held in memory as bytes; a batch is taken by index, and augmented, normalised and resized as a whole on the device.

Source: Pintea et al. 2021 (N-Jet), section IV. Crop and flip are those of its public code, for CIFAR-10.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from datamodules import loading
from datamodules.layouts import images
from datamodules.layouts.image_set import ImageLayout, Pictures
from datamodules.sampler import Draw, DrawSampler, ResumableLoader
from datamodules.vouch import Vouch


class HeldPictures(Dataset[dict[str, Any]]):
    """The pictures of one split in memory, asked for by the batch.

    Args:
        split: "train" or "test", for their names.
        pictures: what is held.
    """

    def __init__(self, split: str, pictures: Pictures) -> None:
        self.split = split
        self.images, self.labels = torch.from_numpy(pictures.images), torch.from_numpy(pictures.labels.astype(np.int64))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, indices: list[int]) -> dict[str, Any]:
        """Return a batch: `image` (B C H W, uint8), `label` (B, int64) and `name`; torch's loaders ask for whole batches so."""
        chosen = torch.tensor(indices)
        return {
            "image": self.images[chosen],
            "label": self.labels[chosen],
            "name": [f"{self.split}_{index:05d}" for index in indices],
        }


class DrawnPictures(Dataset[dict[str, Any]]):
    """Pictures with what is drawn for their augmentation, asked for by batches of `Draw`.

    Args:
        pictures: what is augmented.
        padding: pixels that a picture is padded by on each side before it is cropped.
        flip: whether half of the pictures are flipped.
        seed: of the augmentation.
    """

    def __init__(self, pictures: HeldPictures, padding: int, flip: bool, seed: int) -> None:
        self.pictures, self.padding, self.flip, self.seed = pictures, padding, flip, seed

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitems__(self, draws: list[Draw]) -> dict[str, Any]:
        """Return a batch with, besides, `corner` (B 2, int64: first row and column of the crop) and `flip` (B, bool)."""
        corner, flip = draw(self.seed, draws[0].step, draws[0].index, len(draws), self.padding)
        batch = self.pictures.__getitems__([each.sample for each in draws])
        return {**batch, "corner": corner, "flip": flip & self.flip}


def draw(seed: int, step: int, first: int, count: int, padding: int) -> tuple[Tensor, Tensor]:
    """Draw the augmentation of consecutive samples of a batch; each one's follows from seed, step and its index alone.

    Args:
        seed: of the training.
        step: of the training.
        first: index of the first sample in the batch of all ranks together.
        count: of the samples.
        padding: pixels on each side.

    Returns:
        First row and column of each crop (count 2, from 0 to 2 padding), and whether each is flipped (count).
    """
    # The last number parts this stream from that of the order: numpy takes (seed, epoch) and (seed, epoch, 0) for the same.
    numbers = np.random.default_rng((seed, step, 1)).random((first + count, 3))[first:]
    return torch.from_numpy((numbers[:, :2] * (2 * padding + 1)).astype(np.int64)), torch.from_numpy(numbers[:, 2] < 0.5)


def augment(image: Tensor, corner: Tensor, flip: Tensor, padding: int) -> Tensor:
    """Pad pictures with black, crop each to its former size at a place of its own, and flip some from left to right.

    Args:
        image: B C H W, uint8.
        corner: B 2, first row and column of each crop in the padded picture.
        flip: B, bool.
        padding: pixels on each side.
    """
    height, width = image.shape[2:]
    windows = functional.pad(image, (padding,) * 4).unfold(2, height, 1).unfold(3, width, 1)
    cropped = windows[torch.arange(len(image), device=image.device), :, corner[:, 0], corner[:, 1]]
    return torch.where(flip[:, None, None, None], cropped.flip(3), cropped)


class ImagesDataModule(pl.LightningDataModule):
    """A set of small pictures, in batches of `image`, `label` and `name`.

    Training goes by steps, as `HelenDataModule`'s does, with the same need of the trainer: `use_distributed_sampler=False`. These sets
    have no validation pictures, and validation is on those of the test.

    Not in paper (Pintea et al. 2021): how pictures are resized, which is bilinear with pixel centres as in most libraries; they are
    augmented before.

    Args:
        root: the data root, with one folder a set: `mnist/`, `fashion_mnist/`, `cifar10/`, `cifar100/` or `svhn/`.
        dataset: the set, by the name of its folder.
        batch_size: pictures a step, on all ranks together.
        steps: steps of the whole training; without it the trainer's `max_steps`, or else one pass over the pictures.
        seed: of the order and of the augmentation.
        padding: pixels of black on each side of a training picture before a crop of its former size; 4 in the paper's code, for CIFAR-10.
        flip: whether half of the training pictures are flipped from left to right; so in the paper's code. Not for digits.
        scale: of the pictures' edges, at least 1; 1, 1.5, 2 and 4 in the paper.

    Raises:
        ValueError: an argument is out of its range. What the data lacks is a `DataError`, raised when it is first looked at.
    """

    vouch: Vouch

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
        super().__init__()
        if dataset not in images.SETS:
            raise ValueError(f"Expected `dataset` to be one of {', '.join(images.SETS)}, but got {dataset!r}.")
        loading.at_least(1, batch_size=batch_size, steps=1 if steps is None else steps)
        loading.at_least(0, seed=seed, padding=padding)
        if not 1 <= scale < float("inf"):
            raise ValueError(f"Expected `scale` to be a number from 1 on, but got {scale}.")
        self.root, self.dataset, self.batch_size, self.steps, self.seed = Path(root), dataset, batch_size, steps, seed
        self.padding, self.flip, self.scale = padding, flip, scale
        self.published = images.SETS[dataset]
        self.classes = self.published.classes
        self.num_classes = len(self.classes)
        self.mean, self.std = self.published.mean, self.published.std
        self._splits: dict[str, HeldPictures] = {}

    @cached_property
    def layout(self) -> ImageLayout:
        """The files, found when first asked for."""
        return images.find(self.root, self.dataset)

    @cached_property
    def fingerprint(self) -> str:
        """Identifies the content of the data: 16 hexadecimal digits."""
        return self.layout.fingerprint()

    @property
    def shape(self) -> tuple[int, int, int]:
        """C H W of the pictures in batches."""
        channels, height, width = self.published.shape
        return channels, round(self.scale * height), round(self.scale * width)

    def setup(self, stage: str | None = None) -> None:
        """Read both splits, and say how much the data can be vouched for."""
        self._splits = {split: HeldPictures(split, pictures) for split, pictures in self.layout.splits.items()}
        self.vouch = self.layout.check()

    def train_dataloader(self) -> ResumableLoader:
        """Batches of training pictures, from the trainer's current step on: this rank's part of each.

        Raises:
            ValueError: the trainer's settings and one full batch a step cannot go together.
        """
        held = self._split("train")
        order = loading.step_sampler(self.trainer, len(held), self.batch_size, self.steps, self.seed)
        if not self.padding and not self.flip:
            return ResumableLoader(held, order, join=as_it_is)
        return ResumableLoader(DrawnPictures(held, self.padding, self.flip, self.seed), DrawSampler(order), join=as_it_is)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Batches of test pictures, in order, each once."""
        return loading.in_order(self._split("test"), "picture of `test`", self.batch_size, 0, as_it_is)

    def test_dataloader(self) -> DataLoader[dict[str, Any]]:
        """The same as for validation."""
        return self.val_dataloader()

    def predict_dataloader(self) -> DataLoader[dict[str, Any]]:
        """The test pictures without their labels."""
        return loading.in_order(loading.Unlabelled(self._split("test")), "picture of `test`", self.batch_size, 0, as_it_is)

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """Augment, normalise and resize on the device, where bytes have travelled: `image` to B C H W float."""
        image = batch["image"]
        if "corner" in batch:
            image = augment(image, batch["corner"], batch["flip"], self.padding)
        image = loading.normalise(image, self.published.mean, self.published.std)
        if image.shape[1:] != self.shape:
            image = functional.interpolate(image, size=self.shape[1:], mode="bilinear", align_corners=False)
        return {"image": image, "name": batch["name"]} | ({"label": batch["label"]} if "label" in batch else {})

    def pictures(self, image: Tensor) -> Tensor:
        """Bring images of batches back to bytes that can be looked at: B H W C."""
        return loading.pictures(image, self.published.mean, self.published.std)

    def _split(self, split: str) -> HeldPictures:
        if split not in self._splits:
            raise RuntimeError("The datamodule's `setup` must be called before its loaders are; the trainer does that.")
        return self._splits[split]


def as_it_is(batch: dict[str, Any]) -> dict[str, Any]:
    """Take a batch for the batch that it is, where others are joined from samples."""
    return batch
