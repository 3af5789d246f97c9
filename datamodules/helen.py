"""Helen as a LightningDataModule: aligned faces of one size, packed once, read from a memory map.

Source: Wei et al. 2017, section 4.1.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from datamodules import alignment, loading
from datamodules.cache import build_once
from datamodules.errors import DataError
from datamodules.layouts import helen
from datamodules.sampler import ResumableLoader
from datamodules.vouch import Vouch


class PackedFaces(Dataset[dict[str, Any]]):
    """The aligned faces of one split, as `pack` wrote them.

    Args:
        folder: what `pack` filled.
        split: "exemplars", "tuning" or "testing".
    """

    def __init__(self, folder: Path, split: str) -> None:
        self.names: list[str] = json.loads((folder / f"{split}_names.json").read_text())
        self._images = np.load(folder / f"{split}_images.npy", mmap_mode="r")
        self._masks = np.load(folder / f"{split}_masks.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `image` (3 H W, uint8), `mask` (H W, uint8) and `name`."""
        # Copied, because a tensor must not share memory that cannot be written to.
        return {"image": np.array(self._images[index]), "mask": np.array(self._masks[index]), "name": self.names[index]}


def read_aligned(layout: helen.HelenLayout, name: str, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read one face and align it.

    Returns:
        The picture, size size 3, and its labels, size size.

    Raises:
        DataError: a file of the face is unreadable, or its files do not belong together.
    """
    image = helen.read_image(layout.image(name))
    probabilities = helen.read_probabilities(layout, name, (image.shape[0], image.shape[1]))
    landmarks = helen.read_landmarks(layout.landmarks[name])
    try:
        scale = alignment.landmark_scale(landmarks, probabilities)
        return alignment.align(image, probabilities, alignment.five_points(landmarks * scale), size)
    except ValueError as error:
        raise DataError(f"Face {name!r} of {layout.root} cannot be aligned: {error}") from error


def pack(layout: helen.HelenLayout, size: int, folder: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Write all aligned faces into `folder`: per split images (N 3 size size, uint8), masks (N size size, uint8) and names.

    Raises:
        DataError: a face cannot be read; the sentence names it.
    """
    # OpenCV lets go of the interpreter while it decodes and warps, so threads are enough.
    done, total = 0, sum(len(names) for names in layout.splits.values())
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for split, names in layout.splits.items():
            images = np.lib.format.open_memmap(folder / f"{split}_images.npy", mode="w+", dtype=np.uint8, shape=(len(names), 3, size, size))
            masks = np.lib.format.open_memmap(folder / f"{split}_masks.npy", mode="w+", dtype=np.uint8, shape=(len(names), size, size))
            faces = pool.map(lambda name: read_aligned(layout, name, size), names)
            for index, (image, mask) in enumerate(faces):
                images[index], masks[index] = image.transpose(2, 0, 1), mask
                done += 1
                progress(done, total)
            images.flush()
            masks.flush()
            (folder / f"{split}_names.json").write_text(json.dumps(names))


class HelenDataModule(pl.LightningDataModule):
    """Helen's aligned faces with 11 classes, in batches of `image`, `mask` and `name`.

    Training goes by steps: one epoch of Lightning is the whole training, `steps` long. The trainer needs
    `use_distributed_sampler=False`, because the loaders share out their samples among ranks themselves. With `accumulate_grad_batches`, a
    step's batch comes in as many parts.
    Not in paper: augmentation, so there is none; and normalisation by ImageNet's mean and deviation.

    Source: Wei et al. 2017, section 4.1.

    Args:
        root: the data root, with `helen/` in it, or that folder itself.
        size: edge of the aligned faces in pixels.
        batch_size: faces a step, on all ranks together.
        steps: steps of the whole training; without it the trainer's `max_steps`, or else one pass over the faces.
        seed: of the order of the training faces.
        cache: where aligned faces are kept; `.cache` in the data root unless given.
        workers: processes that read ahead, for each loader.
        progress: told how many faces of how many are aligned, while they are.

    Raises:
        ValueError: a number is out of its range. What the data lacks is a `DataError`, raised when it is first looked at.
    """

    classes: tuple[str, ...] = helen.CLASSES
    num_classes: int = len(helen.CLASSES)
    parts: Mapping[str, tuple[int, ...]] = helen.PARTS
    counted: Mapping[str, tuple[int, ...]] = helen.COUNTED
    vouch: Vouch

    def __init__(
        self,
        root: str | Path,
        size: int = 500,
        batch_size: int = 2,
        steps: int | None = None,
        seed: int = 0,
        cache: str | Path | None = None,
        workers: int = 0,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        super().__init__()
        loading.at_least(1, size=size, batch_size=batch_size, steps=1 if steps is None else steps)
        loading.at_least(0, seed=seed, workers=workers)
        self.root, self.size, self.batch_size, self.steps, self.seed, self.workers = Path(root), size, batch_size, steps, seed, workers
        self.cache = self.root / ".cache" if cache is None else Path(cache)
        self.progress = progress
        self._splits: dict[str, PackedFaces] = {}

    @cached_property
    def layout(self) -> helen.HelenLayout:
        """The files, found when first asked for."""
        return helen.find(self.root)

    @cached_property
    def fingerprint(self) -> str:
        """Identifies the content of the data: 16 hexadecimal digits."""
        return self.layout.fingerprint()

    def prepare_data(self) -> None:
        """Align all faces, unless that was done before; processes that ask at the same time wait for the first."""
        self._packed()

    def setup(self, stage: str | None = None) -> None:
        """Open the aligned faces of all splits, and say how much the data can be vouched for."""
        folder = self._packed()
        self._splits = {split: PackedFaces(folder, split) for split in self.layout.splits}
        self.vouch = self.layout.check()

    def train_dataloader(self) -> ResumableLoader:
        """Batches of `exemplars`, from the trainer's current step on: this rank's part of each.

        Raises:
            ValueError: the trainer's settings and one full batch a step cannot go together.
        """
        faces = self._split("exemplars")
        order = loading.step_sampler(self.trainer, len(faces), self.batch_size, self.steps, self.seed)
        return ResumableLoader(faces, order, self.workers)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Batches of `tuning`, in order, each face once."""
        return self._in_order("tuning")

    def test_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Batches of `testing`, in order, each face once."""
        return self._in_order("testing")

    def predict_dataloader(self) -> DataLoader[dict[str, Any]]:
        """The pictures of `testing` without their labels."""
        return loading.in_order(loading.Unlabelled(self._split("testing")), "face of `testing`", self.batch_size, self.workers)

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """Normalise on the device, where bytes have travelled: `image` to B 3 H W float, `mask` to B H W int64."""
        return loading.normalised(batch)

    def _packed(self) -> Path:
        folder = self.cache / f"helen-{self.fingerprint}-{self.size}px-r{alignment.REVISION}"
        try:
            return build_once(folder, lambda partial: pack(self.layout, self.size, partial, self.progress))
        except OSError as error:
            raise DataError(
                f"Aligned faces cannot be kept in {self.cache} ({error.strerror}); set `cache` to a folder with room."
            ) from error

    def _split(self, split: str) -> PackedFaces:
        if split not in self._splits:
            raise RuntimeError("The datamodule's `setup` must be called before its loaders are; the trainer does that.")
        return self._splits[split]

    def _in_order(self, split: str) -> DataLoader[dict[str, Any]]:
        return loading.in_order(self._split(split), f"face of `{split}`", self.batch_size, self.workers)
