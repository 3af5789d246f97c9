"""Helen as a LightningDataModule: faces are aligned once, packed, and read from a memory map.

Source: Wei et al. 2017, section 4.1.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from datamodules import alignment, loading
from datamodules.cache import build_once
from datamodules.errors import DataError
from datamodules.layouts import helen
from datamodules.steps import StepsDataModule


class PackedFaces(Dataset[dict[str, Any]]):
    """The aligned faces of one split, as `pack` wrote them.

    Args:
        folder: The folder that `pack` filled.
        split: "exemplars", "tuning" or "testing".
        names: The faces that the split has.

    Raises:
        DataError: The arrays cannot be read, or are not those of the faces.
    """

    def __init__(self, folder: Path, split: str, names: Sequence[str]) -> None:
        try:
            self.names: list[str] = json.loads((folder / f"{split}_names.json").read_text())
            self._images = np.load(folder / f"{split}_images.npy", mmap_mode="r")
            self._masks = np.load(folder / f"{split}_masks.npy", mmap_mode="r")
        except (OSError, ValueError) as error:
            raise DataError(f"The aligned faces in {folder} cannot be read ({error}); remove this folder.") from error
        count, _, height, width = self._images.shape
        if self.names != list(names) or count != len(names) or self._masks.shape != (count, height, width):
            raise DataError(f"The aligned faces of `{split}` in {folder} are not those of the data set; remove this folder.")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `image` (3 H W, uint8), `mask` (H W, uint8) and `name`."""
        # A copy: a tensor must not share read-only memory.
        return {"image": np.array(self._images[index]), "mask": np.array(self._masks[index]), "name": self.names[index]}


def read_aligned(layout: helen.HelenLayout, name: str, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read one face and align it.

    Returns:
        The picture, size size 3, and its labels, size size.

    Raises:
        DataError: A file of the face cannot be read, or its files do not belong together.
    """
    image = helen.read_image(layout.image(name))
    probabilities = helen.read_probabilities(layout, name, (image.shape[0], image.shape[1]))
    landmarks = helen.read_landmarks(layout.landmarks[name])
    try:
        scale = alignment.landmark_scale(landmarks, probabilities)
        return alignment.align(image, probabilities, alignment.five_points(landmarks * scale), size)
    except ValueError as error:
        raise DataError(f"Face {name!r} of {layout.root} cannot be aligned by {layout.landmarks[name].name}: {error}") from error


def pack(layout: helen.HelenLayout, size: int, folder: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Align all faces and write them: per split images (N 3 size size, uint8), masks (N size size, uint8) and names.

    Args:
        layout: The files of Helen.
        size: Edge of the aligned faces in pixels.
        folder: An existing folder, in which the arrays are written.
        progress: Called after each face with the number of aligned faces and of all faces.

    Raises:
        DataError: A face cannot be read; the message names it.
    """
    # OpenCV releases the interpreter lock while it decodes and warps: threads are enough.
    done, total = 0, sum(len(names) for names in layout.splits.values())
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for split, names in layout.splits.items():
            images = np.lib.format.open_memmap(folder / f"{split}_images.npy", mode="w+", dtype=np.uint8, shape=(len(names), 3, size, size))
            masks = np.lib.format.open_memmap(folder / f"{split}_masks.npy", mode="w+", dtype=np.uint8, shape=(len(names), size, size))
            faces = pool.map(lambda name: read_aligned(layout, name, size), names)
            for index, (image, mask) in enumerate(faces):
                images[index], masks[index] = image.transpose(2, 0, 1), mask
                done += 1
                if progress is not None:
                    progress(done, total)
            images.flush()
            masks.flush()
            (folder / f"{split}_names.json").write_text(json.dumps(names))


class HelenDataModule(StepsDataModule):
    """Helen's aligned faces with 11 classes, in batches of `image`, `mask` and `name`.

    It trains on the split `exemplars`, validates on `tuning`, and tests and predicts on `testing`. Training goes by steps: one epoch of
    Lightning is the whole training, `steps` long. The trainer needs `use_distributed_sampler=False`: the loaders divide their samples
    among the ranks themselves. With `accumulate_grad_batches`, the batch of a step comes in as many parts.

    Source: Wei et al. 2017, section 4.1.
    Not in paper: augmentation, of which there is none; normalisation, which is by ImageNet's mean and standard deviation.

    Args:
        root: The data root, with `helen/` in it, or that folder itself.
        size: Edge of the aligned faces in pixels.
        batch_size: Faces per step, over all ranks.
        steps: Steps of the whole training. By default the trainer's `max_steps` or, without those, one pass over the faces.
        seed: Seed of the order of the training faces.
        cache: Folder for the aligned faces. By default `.cache` in the data root.
        workers: Processes per loader that read ahead; 0 reads in the training process.
        progress: Called after each aligned face with the number of aligned faces and of all faces. No hyperparameter.

    Raises:
        ValueError: A number is out of range. Missing or broken data is a `DataError`, raised at the first access to the data.
    """

    classes: tuple[str, ...] = helen.CLASSES
    num_classes: int = len(helen.CLASSES)
    parts: Mapping[str, tuple[int, ...]] = helen.PARTS
    counted: Mapping[str, tuple[int, ...]] = helen.COUNTED
    trained_on, validated_on, tested_on, sample = "exemplars", "tuning", "testing", "face"

    def __init__(
        self,
        root: str | Path,
        size: int = 500,
        batch_size: int = 2,
        steps: int | None = None,
        seed: int = 0,
        cache: str | Path | None = None,
        workers: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        super().__init__(root=root, size=size, batch_size=batch_size, steps=steps, seed=seed, cache=cache, workers=workers)
        loading.at_least(1, size=size)
        self.size, self.progress = size, progress

    @cached_property
    def layout(self) -> helen.HelenLayout:
        """The files, found at first use."""
        return helen.find(self.root)

    def prepare_data(self) -> None:
        """Align all faces unless the cache has them. Other processes that ask at the same time wait for the first.

        Raises:
            DataError: A face is missing or broken, or the cache cannot be written to.
        """
        self._packed()

    def setup(self, stage: str | None = None) -> None:
        """Open the aligned faces of all splits and set `vouch`."""
        folder = self._packed()
        self.splits = {split: PackedFaces(folder, split, names) for split, names in self.layout.splits.items()}
        self.vouch = self.layout.check()

    def _packed(self) -> Path:
        folder = self.cache / f"helen-{self.fingerprint}-{self.size}px-r{alignment.REVISION}"
        try:
            return build_once(folder, lambda partial: pack(self.layout, self.size, partial, self.progress))
        except OSError as error:
            raise DataError(
                f"Aligned faces cannot be written to {self.cache} ({error.strerror}); set `cache` to another folder."
            ) from error
