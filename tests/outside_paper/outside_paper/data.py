"""Pictures of waves, drawn from a seed."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import numpy as np
from torch.utils.data import DataLoader, Dataset

from datamodules import loading
from datamodules.sampler import ResumableLoader
from datamodules.vouch import Vouch

SIZE = 16
SPLITS = ("clean", "noisy", "dark")


class Drawn(Dataset[dict[str, Any]]):
    """Waves of random periods, from 4 to 12 pixels.

    Args:
        pictures: Number of pictures.
        split: "clean"; "noisy", with noise of standard deviation 1; or "dark", at half the contrast.
        seed: Seed of the pictures.
    """

    def __init__(self, pictures: int, split: str, seed: int) -> None:
        self.pictures, self.split, self.seed = pictures, split, seed

    def __len__(self) -> int:
        return self.pictures

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `image` (1 H W), `period` and `name`."""
        rng = np.random.default_rng((self.seed, index))
        period, phase = rng.uniform(4, 12), rng.uniform(0, 2 * np.pi)
        image = np.tile(np.sin(2 * np.pi * np.arange(SIZE) / period + phase), (1, SIZE, 1))
        if self.split == "noisy":
            image = image + rng.normal(0, 1, image.shape)
        elif self.split == "dark":
            image = image / 2
        return {"image": image.astype(np.float32), "period": np.float32(period), "name": f"{self.split}-{index}"}


class WavesDataModule(pl.LightningDataModule):
    """Waves in batches of `image`, `period` and `name`; the length of a training is given in steps.

    Args:
        pictures: Number of training pictures; a quarter as many are evaluated.
        evaluate: Split to evaluate, one of `SPLITS`.
        batch_size: Pictures per step, on all ranks together.
        steps: Steps of the whole training.
        seed: Seed of the order.
    """

    def __init__(self, pictures: int, evaluate: str, batch_size: int, steps: int, seed: int) -> None:
        super().__init__()
        if evaluate not in SPLITS:
            raise ValueError(f"Expected `evaluate` to be one of {', '.join(SPLITS)}, but got '{evaluate}'.")
        self.batch_size, self.steps, self.seed = batch_size, steps, seed
        self.training, self.tested = Drawn(pictures, "clean", 0), Drawn(pictures // 4, evaluate, 1)
        self.vouch = Vouch("synthetic", f"{pictures} waves to train on, {pictures // 4} {evaluate} ones to test on")

    def train_dataloader(self) -> ResumableLoader:
        """Return this rank's part of each batch, from the trainer's current step on."""
        order = loading.step_sampler(self.trainer, len(self.training), self.batch_size, self.steps, self.seed)
        return ResumableLoader(self.training, order)

    def test_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Return the test pictures in order, each once."""
        return loading.in_order(self.tested, "wave", self.batch_size, 0)

    def predict_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Return the test pictures without their periods."""
        return loading.in_order(loading.Unlabelled(self.tested), "wave", self.batch_size, 0)
