"""The base class of the datamodules: training by steps, evaluation in order, arguments as hyperparameters."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import lightning.pytorch as pl
import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from datamodules import loading
from datamodules.sampler import DrawSampler, ResumableLoader, collate
from datamodules.vouch import Vouch


class Layout(Protocol):
    """The files of one copy of a data set."""

    def fingerprint(self) -> str:
        """Identify their content."""


class StepsDataModule(pl.LightningDataModule):
    """A data set on which training goes by steps: one epoch of Lightning is the whole training, `steps` long.

    The trainer needs `use_distributed_sampler=False`: the loaders divide their samples among the ranks themselves. With
    `accumulate_grad_batches`, the batch of a step comes in as many parts.

    A subclass names its splits (`trained_on`, `validated_on`, `tested_on`) and its samples (`sample`), finds its files (`layout`), and sets
    `splits` and `vouch` in `setup`. `hparams` holds the arguments as plain values; an equal datamodule can be built from them.

    Args:
        root: The data root.
        batch_size: Samples per step, over all ranks.
        steps: Steps of the whole training. By default the trainer's `max_steps` or, without those, one pass over the samples.
        seed: Seed of the order.
        own: All other arguments of the subclass except callables. `cache` and `workers`, if it has them, are kept here.

    Raises:
        ValueError: A number is out of range.
    """

    trained_on: str
    validated_on: str
    tested_on: str
    sample: ClassVar[str]  # what messages call a sample: "face"
    join: Callable[[Any], dict[str, Any]] = staticmethod(collate)  # makes a batch of samples
    draws = False  # whether the training samples are augmented, and therefore asked for by `Draw`
    vouch: Vouch

    def __init__(self, root: str | Path, batch_size: int, steps: int | None, seed: int, **own: Any) -> None:
        super().__init__()
        cache, workers = own.get("cache"), own.get("workers", 0)
        loading.at_least(1, batch_size=batch_size, steps=1 if steps is None else steps)
        loading.at_least(0, seed=seed, workers=workers)
        self.save_hyperparameters(plain({"root": root, "batch_size": batch_size, "steps": steps, "seed": seed, **own}))
        self.root, self.batch_size, self.steps, self.seed, self.workers = Path(root), batch_size, steps, seed, workers
        self.cache = self.root / ".cache" if cache is None else Path(cache)
        self.splits: dict[str, Dataset[dict[str, Any]]] = {}

    @property
    def layout(self) -> Layout:
        """The files, found at first use."""
        raise NotImplementedError(f"{type(self).__name__} has no `layout`.")

    @cached_property
    def fingerprint(self) -> str:
        """Identifies the content of the data: 16 hexadecimal digits."""
        return self.layout.fingerprint()

    @property
    def evaluated_at_once(self) -> int:
        """Samples per batch of an evaluation, over all ranks."""
        return self.batch_size

    def train_dataloader(self) -> ResumableLoader:
        """Load this rank's part of each training batch, from the trainer's current step on.

        Raises:
            RuntimeError: `setup` was not called.
            ValueError: The trainer's settings do not allow one full batch per step.
        """
        samples = self._split(self.trained_on)
        size: int = len(samples)  # type: ignore[arg-type]  # torch declares no length for a map-style data set
        order = loading.step_sampler(self.trainer, size, self.batch_size, self.steps, self.seed)
        return ResumableLoader(samples, DrawSampler(order) if self.draws else order, self.workers, self.join)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Load the validation split in order, each sample once."""
        return self._in_order(self.validated_on, self._split(self.validated_on))

    def test_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Load the test split in order, each sample once."""
        return self._in_order(self.tested_on, self._split(self.tested_on))

    def predict_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Load the test split in order without labels: `image` and `name`."""
        return self._in_order(self.tested_on, loading.Unlabelled(self._split(self.tested_on)))

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """Normalise on the device, to which bytes are sent: `image` to B 3 H W float, `mask` to B H W int64."""
        return loading.normalised(batch)

    def pictures(self, image: Tensor) -> Tensor:
        """Bring the images of a batch, B C H W, back to bytes for display, B H W C."""
        return loading.pictures(image)

    def _split(self, split: str) -> Dataset[dict[str, Any]]:
        if split not in self.splits:
            raise RuntimeError("The datamodule's `setup` must be called before its loaders are; the trainer does that.")
        return self.splits[split]

    def _in_order(self, split: str, samples: Dataset[dict[str, Any]]) -> DataLoader[dict[str, Any]]:
        return loading.in_order(samples, f"{self.sample} of `{split}`", self.evaluated_at_once, self.workers, self.join)


def plain(value: Any) -> Any:
    """Bring a value to what YAML has: paths become text, tuples lists, numbers of NumPy those of Python."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    return os.fspath(value) if isinstance(value, os.PathLike) else value
