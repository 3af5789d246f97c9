"""PASCAL VOC as a LightningDataModule: random crops of one size for training, whole pictures at their own size for evaluation."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from datamodules import loading
from datamodules.augmentation import augment, draw
from datamodules.cache import build_once
from datamodules.layouts import sbd, voc
from datamodules.opencv import cv2
from datamodules.sampler import Draw, DrawSampler, ResumableLoader
from datamodules.vouch import Vouch


class Pictures:
    """The pictures of one split and their labels, as they are on disk.

    Args:
        layout: where they lie.
        split: of `layouts.voc.SPLITS`.
        decoded: folder of SBD's labels as PNGs, for splits that take some.
    """

    def __init__(self, layout: voc.VocLayout, split: str, decoded: Path | None) -> None:
        self.samples = layout.samples(split)
        self._layout, self._decoded = layout, decoded

    def read(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Read one picture (H W 3, RGB) and its labels (H W).

        Raises:
            DataError: a file is missing or broken, has other labels than classes and 255, or they are not of one size.
        """
        sample = self.samples[index]
        image = voc.read_image(self._layout, sample)
        return image, voc.read_label(self._label(sample), sample.source, (image.shape[0], image.shape[1]))

    def check_labels(self) -> None:
        """Read every label once.

        Raises:
            DataError: a file is missing or broken, or has other labels than classes and 255.
        """
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for _ in pool.map(lambda sample: voc.read_label(self._label(sample), sample.source), self.samples):
                pass

    def _label(self, sample: voc.Sample) -> Path:
        if sample.source == "SBD" and self._decoded is not None:
            return self._decoded / f"{sample.name}.png"
        return self._layout.label(sample)


class TrainingCrops(Dataset[dict[str, Any]]):
    """Augmented crops of one size, asked for by `Draw`.

    Args:
        pictures: what is cropped.
        crop: edge in pixels.
        scale: lowest and highest scale.
        flip: whether half of the crops are flipped.
        seed: of the augmentation.
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
    """Pictures and labels at their own size, neither scaled nor padded.

    Args:
        pictures: of one split.
    """

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures.samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `image` (3 H W, uint8), `mask` (H W, uint8) and `name`."""
        image, mask = self.pictures.read(index)
        return {"image": planes(image), "mask": mask, "name": self.pictures.samples[index].name}


class VOCDataModule(pl.LightningDataModule):
    """VOC with 21 classes, in batches of `image`, `mask` (255: ignored) and `name`.

    Training goes by steps, as `HelenDataModule`'s does, with the same need of the trainer: `use_distributed_sampler=False`. Evaluation
    takes one whole picture at a time, on every rank.

    Source: Everingham et al., VOC 2012; Hariharan et al. 2011 for the further labels of `train_aug`.
    Not in paper (Wei et al. 2017): the crop, and which augmentation there is.

    Args:
        root: the data root, with `voc/` in it and, for splits that take SBD, `sbd/`.
        train: the split to train on, of `layouts.voc.SPLITS`.
        evaluate: the split to validate and to test on.
        crop: edge of the training crops in pixels.
        batch_size: crops a step, on all ranks together.
        steps: steps of the whole training; without it the trainer's `max_steps`, or else one pass over the pictures.
        seed: of the order and of the augmentation.
        cache: where SBD's decoded labels are kept; `.cache` in the data root unless given.
        scale: lowest and highest random scale.
        flip: whether half of the crops are flipped.
        workers: processes that read ahead, for each loader.

    Raises:
        ValueError: an argument is out of its range. What the data lacks is a `DataError`, raised when it is first looked at.
    """

    classes: tuple[str, ...] = voc.CLASSES
    num_classes: int = len(voc.CLASSES)
    parts = None  # F of parts of a face is not measured
    vouch: Vouch

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
        super().__init__()
        for name, split in (("train", train), ("evaluate", evaluate)):
            if split not in voc.SPLITS:
                raise ValueError(f"Expected `{name}` to be one of {', '.join(voc.SPLITS)}, but got {split!r}.")
        loading.at_least(1, crop=crop, batch_size=batch_size, steps=1 if steps is None else steps)
        loading.at_least(0, seed=seed, workers=workers)
        if not 0 < scale[0] <= scale[1] < float("inf"):
            raise ValueError(f"Expected `scale` to be two positive numbers, the lower first, but got {scale}.")
        self.root, self.train, self.evaluate, self.crop, self.batch_size = Path(root), train, evaluate, crop, batch_size
        self.steps, self.seed, self.scale, self.flip, self.workers = steps, seed, (scale[0], scale[1]), flip, workers
        self.cache = self.root / ".cache" if cache is None else Path(cache)
        self._pictures: dict[str, Pictures] = {}

    @cached_property
    def layout(self) -> voc.VocLayout:
        """The files, found when first asked for."""
        return voc.find(self.root, self.train, self.evaluate)

    @cached_property
    def fingerprint(self) -> str:
        """Identifies the content of the two splits: 16 hexadecimal digits."""
        return self.layout.fingerprint(self.train, self.evaluate)

    def prepare_data(self) -> None:
        """Decode SBD's labels where some are needed, and look at all labels of both splits, unless that was done before.

        Processes that ask at the same time wait for the first.
        """
        decoded = self._decoded()

        def look(_: Path) -> None:
            for split in (self.train, self.evaluate):
                Pictures(self.layout, split, decoded).check_labels()

        build_once(self.cache / f"voc-labels-{self.fingerprint}", look)  # an empty folder says that they were found right

    def setup(self, stage: str | None = None) -> None:
        """Work out both splits, and say how much the data can be vouched for.

        Raises:
            ValueError: a picture would be trained on and evaluated on.
        """
        decoded = self._decoded()
        pictures = {split: Pictures(self.layout, split, decoded) for split in (self.train, self.evaluate)}
        both = {sample.name for sample in pictures[self.train].samples} & {sample.name for sample in pictures[self.evaluate].samples}
        if both:
            raise ValueError(
                f"Expected `evaluate` to have no picture of `train`, but {self.train} and {self.evaluate} share {len(both)}, "
                f"such as {min(both)!r}; use train_aug with val, train_all with val346, train11 with seg11valid."
            )
        self._pictures = pictures
        self.vouch = self.layout.check(self.train, self.evaluate)

    def train_dataloader(self) -> ResumableLoader:
        """Batches of crops, from the trainer's current step on: this rank's part of each.

        Raises:
            ValueError: the trainer's settings and one full batch a step cannot go together.
        """
        crops = TrainingCrops(self._split(self.train), self.crop, self.scale, self.flip, self.seed)
        order = loading.step_sampler(self.trainer, len(crops), self.batch_size, self.steps, self.seed)
        return ResumableLoader(crops, DrawSampler(order), self.workers)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Whole pictures of `evaluate`, in order, each once."""
        return loading.in_order(WholePictures(self._split(self.evaluate)), f"picture of `{self.evaluate}`", 1, self.workers)

    def test_dataloader(self) -> DataLoader[dict[str, Any]]:
        """The same as for validation: the labels of VOC's test set are not public."""
        return self.val_dataloader()

    def predict_dataloader(self) -> DataLoader[dict[str, Any]]:
        """The pictures of `evaluate` without their labels."""
        pictures = loading.Unlabelled(WholePictures(self._split(self.evaluate)))
        return loading.in_order(pictures, f"picture of `{self.evaluate}`", 1, self.workers)

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """Normalise on the device, where bytes have travelled: `image` to B 3 H W float, `mask` to B H W int64."""
        return loading.normalised(batch)

    def _decoded(self) -> Path | None:
        sources = {sample.source for split in (self.train, self.evaluate) for sample in self.layout.samples(split)}
        return sbd.decode(self.layout, self.cache) if "SBD" in sources else None

    def _split(self, split: str) -> Pictures:
        if split not in self._pictures:
            raise RuntimeError("The datamodule's `setup` must be called before its loaders are; the trainer does that.")
        return self._pictures[split]


def planes(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring a picture from H W 3 to 3 H W, copied."""
    separate = np.empty((3, *image.shape[:2]), np.uint8)
    cv2.split(image, mv=list(separate))
    return separate
