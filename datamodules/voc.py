"""PASCAL VOC as a LightningDataModule: random crops of one size for training, whole pictures at their original size for evaluation."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from datamodules import loading
from datamodules.augmentation import augment, draw
from datamodules.cache import build_once
from datamodules.layouts import sbd, voc
from datamodules.opencv import cv2
from datamodules.sampler import Draw
from datamodules.steps import StepsDataModule


class Pictures:
    """The pictures and labels of one split, as they are on disk.

    Args:
        layout: The files of VOC and SBD.
        split: One of `layouts.voc.SPLITS`.
        decoded: Folder of SBD's labels as PNGs, for splits that use SBD.
    """

    def __init__(self, layout: voc.VocLayout, split: str, decoded: Path | None) -> None:
        self.samples = layout.samples(split)
        self._layout, self._decoded = layout, decoded

    def read(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Read one picture (H W 3, RGB) and its labels (H W).

        Raises:
            DataError: A file is missing or broken, a label is neither a class nor 255, or picture and labels differ in size.
        """
        sample = self.samples[index]
        image = voc.read_image(self._layout, sample)
        return image, voc.read_label(self._label(sample), sample.source, (image.shape[0], image.shape[1]))

    def check_labels(self) -> None:
        """Read the labels of every picture once.

        Raises:
            DataError: A file is missing or broken, or a label is neither a class nor 255.
        """
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for _ in pool.map(lambda sample: voc.read_label(self._label(sample), sample.source), self.samples):
                pass

    def _label(self, sample: voc.Sample) -> Path:
        if sample.source == "SBD" and self._decoded is not None:
            return self._decoded / f"{sample.name}.png"
        return self._layout.label(sample)


class TrainingCrops(Dataset[dict[str, Any]]):
    """Augmented crops of one size, indexed by `Draw`.

    Args:
        pictures: The pictures to crop.
        crop: Edge of the crops in pixels.
        scale: Lowest and highest random scale.
        flip: Whether half of the crops are flipped.
        seed: Seed of the augmentation.
    """

    def __init__(self, pictures: Pictures, crop: int, scale: tuple[float, float], flip: bool, seed: int) -> None:
        self.pictures, self.crop, self.scale, self.flip, self.seed = pictures, crop, scale, flip, seed

    def __len__(self) -> int:
        return len(self.pictures.samples)

    def __getitem__(self, drawn: Draw) -> dict[str, Any]:
        """Return `image` (3 crop crop, uint8), `mask` (crop crop, uint8) and `name`."""
        how = draw(self.seed, drawn.step, drawn.index, self.scale, self.flip)
        image, mask = augment(*self.pictures.read(drawn.sample), self.crop, how)
        return {"image": planes(image), "mask": mask, "name": self.pictures.samples[drawn.sample].name}


class WholePictures(Dataset[dict[str, Any]]):
    """Pictures and labels at their original size, neither scaled nor padded.

    Args:
        pictures: The pictures of one split.
    """

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures.samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `image` (3 H W, uint8), `mask` (H W, uint8) and `name`."""
        image, mask = self.pictures.read(index)
        return {"image": planes(image), "mask": mask, "name": self.pictures.samples[index].name}


class VOCDataModule(StepsDataModule):
    """VOC with 21 classes, in batches of `image`, `mask` (255: ignored) and `name`.

    It trains on random crops of the split `train`. It validates, tests and predicts on whole pictures of the split `evaluate`, one at a
    time on every rank: the labels of VOC's test set are not public. Training goes by steps: one epoch of Lightning is the whole training,
    `steps` long. The trainer needs `use_distributed_sampler=False`: the loaders divide their samples among the ranks themselves. With
    `accumulate_grad_batches`, the batch of a step comes in as many parts.

    Source: Everingham et al., VOC 2012; Hariharan et al. 2011 for the additional labels of `train_aug`.
    Not in paper (Wei et al. 2017): the size of the crop, and the augmentation.

    Args:
        root: The data root, with `voc/` in it and, for splits that use SBD, `sbd/`.
        train: Training split, one of `layouts.voc.SPLITS`.
        evaluate: Validation and test split, one of `layouts.voc.SPLITS`.
        crop: Edge of the training crops in pixels.
        batch_size: Crops per step, over all ranks.
        steps: Steps of the whole training. By default the trainer's `max_steps` or, without those, one pass over the pictures.
        seed: Seed of the order and of the augmentation.
        cache: Folder for SBD's decoded labels. By default `.cache` in the data root.
        scale: Lowest and highest random scale.
        flip: Whether half of the crops are flipped.
        workers: Processes per loader that read ahead; 0 reads in the training process.

    Raises:
        ValueError: An argument is out of range. Missing or broken data is a `DataError`, raised at the first access to the data.
    """

    classes: tuple[str, ...] = voc.CLASSES
    num_classes: int = len(voc.CLASSES)
    parts = None  # no F score of the parts of a face
    sample = "picture"
    draws = True
    evaluated_at_once = 1  # pictures differ in size

    def __init__(
        self,
        root: str | Path,
        train: str = "train_aug",
        evaluate: str = "val",
        crop: int = 321,
        batch_size: int = 20,
        steps: int | None = None,
        seed: int = 0,
        cache: str | Path | None = None,
        scale: tuple[float, float] = (0.5, 2.0),
        flip: bool = True,
        workers: int = 0,
    ) -> None:
        super().__init__(
            root=root, train=train, evaluate=evaluate, crop=crop, batch_size=batch_size, steps=steps, seed=seed, cache=cache, scale=scale,
            flip=flip, workers=workers,
        )  # fmt: skip
        for name, split in (("train", train), ("evaluate", evaluate)):
            if split not in voc.SPLITS:
                raise ValueError(f"Expected `{name}` to be one of {', '.join(voc.SPLITS)}, but got {split!r}.")
        loading.at_least(1, crop=crop)
        if not 0 < scale[0] <= scale[1] < float("inf"):
            raise ValueError(f"Expected `scale` to be two positive numbers, the lower first, but got {scale}.")
        self.train, self.evaluate, self.crop, self.scale, self.flip = train, evaluate, crop, (scale[0], scale[1]), flip
        self.trained_on, self.validated_on, self.tested_on = train, evaluate, evaluate

    @cached_property
    def layout(self) -> voc.VocLayout:
        """The files, found at first use."""
        return voc.find(self.root, self.train, self.evaluate)

    @cached_property
    def fingerprint(self) -> str:
        """Identifies the content of the two splits: 16 hexadecimal digits."""
        return self.layout.fingerprint(self.train, self.evaluate)

    def prepare_data(self) -> None:
        """Decode SBD's labels if a split uses them, and check all labels of both splits, unless the cache says that this was done.

        Other processes that ask at the same time wait for the first.

        Raises:
            DataError: A file is missing or broken, or the cache cannot be written to.
        """
        decoded = self._decoded()

        def check(_: Path) -> None:
            for split in (self.train, self.evaluate):
                Pictures(self.layout, split, decoded).check_labels()

        build_once(self.cache / f"voc-labels-{self.fingerprint}", check)  # the folder stays empty: it records that the labels are right

    def setup(self, stage: str | None = None) -> None:
        """List the pictures of both splits and set `vouch`.

        Raises:
            ValueError: The splits share a picture.
        """
        decoded = self._decoded()
        training, evaluation = (Pictures(self.layout, split, decoded) for split in (self.train, self.evaluate))
        shared = {sample.name for sample in training.samples} & {sample.name for sample in evaluation.samples}
        if shared:
            raise ValueError(
                f"Expected `evaluate` to have no picture of `train`, but {self.train} and {self.evaluate} share {len(shared)}, "
                f"such as {min(shared)!r}; use train_aug with val, train_all with val346, train11 with seg11valid."
            )
        crops = TrainingCrops(training, self.crop, self.scale, self.flip, self.seed)
        self.splits = {self.train: crops, self.evaluate: WholePictures(evaluation)}
        self.vouch = self.layout.check(self.train, self.evaluate)

    def _decoded(self) -> Path | None:
        sources = {sample.source for split in (self.train, self.evaluate) for sample in self.layout.samples(split)}
        return sbd.decode(self.layout, self.cache) if "SBD" in sources else None


def planes(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Copy a picture from H W 3 to 3 H W."""
    separate = np.empty((3, *image.shape[:2]), np.uint8)
    cv2.split(image, mv=list(separate))
    return separate
