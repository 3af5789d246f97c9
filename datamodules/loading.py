"""What the datamodules share: normalisation, and loaders for several ranks and resumed trainings."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from datamodules.sampler import RankSampler, StepSampler, collate

if TYPE_CHECKING:
    from collections.abc import Callable

    import lightning.pytorch as pl

# ImageNet's mean and standard deviation (RGB, of values from 0 to 1), with which VGG's public weights were trained.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@functools.cache
def _of_bytes(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Scale one value per channel from 0..1 to 0..255, C 1 1. The tensor is cached per device: else each batch would wait for the copy."""
    return torch.tensor(values, device=device).view(-1, 1, 1) * 255


def normalise(image: Tensor, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD) -> Tensor:
    """Normalise bytes to floats of about zero mean and unit standard deviation.

    Args:
        image: B C H W; three channels are RGB.
        mean: Mean of each channel, of values from 0 to 1. By default ImageNet's.
        std: Standard deviation of each channel, likewise.
    """
    # In place on one copy: allocating more copies takes longer than the arithmetic.
    return image.to(torch.float32, copy=True).sub_(_of_bytes(mean, image.device)).div_(_of_bytes(std, image.device))


def pictures(image: Tensor, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD) -> Tensor:
    """Bring normalised images, B C H W, back to bytes for display, B H W C; the inverse of `normalise`."""
    middle, spread = (torch.tensor(values, device=image.device).view(-1, 1, 1) * 255 for values in (mean, std))
    return (image * spread + middle).round().clamp(0, 255).byte().permute(0, 2, 3, 1)


def normalised(batch: dict[str, Any]) -> dict[str, Any]:
    """Convert a batch of bytes for networks and losses: `image` to B 3 H W float, `mask`, if there is one, to B H W int64."""
    labels = {"mask": batch["mask"].long()} if "mask" in batch else {}
    return {**batch, "image": normalise(batch["image"]), **labels}


def at_least(least: int, **arguments: int) -> None:
    """Check that arguments are not too small.

    Args:
        least: The smallest allowed value, 0 or 1.
        arguments: Values by name.

    Raises:
        ValueError: A value is less than `least`.
    """
    allowed = "a positive integer" if least else "zero or a positive integer"
    for name, value in arguments.items():
        if value < least:
            raise ValueError(f"Expected `{name}` to be {allowed}, but got {value}.")


def rank_and_world() -> tuple[int, int]:
    """Return the rank of this process and the number of ranks."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def step_sampler(trainer: pl.Trainer | None, size: int, batch_size: int, steps: int | None, seed: int) -> StepSampler:
    """Make the sampler of this rank's part of each training batch, from the trainer's current step on.

    Args:
        trainer: The trainer of the datamodule, if it has one.
        size: Number of samples in the data set.
        batch_size: Samples per step, over all ranks.
        steps: Steps of the whole training. By default the trainer's `max_steps` or, without those, one pass over the data.
        seed: Seed of the order.

    Raises:
        ValueError: The trainer's settings do not allow one full batch per step.
    """
    start, longest, parts = 0, -1, 1
    if trainer is not None:
        start, longest, parts = trainer.global_step, trainer.max_steps, trainer.accumulate_grad_batches
        if steps is None and longest <= 0 and trainer.max_epochs != 1:
            raise ValueError(
                f"Expected the trainer to have `max_steps`, as training goes by steps and not by epochs, but got max_epochs "
                f"{trainer.max_epochs}; set `max_steps` of the trainer or `steps` of this datamodule."
            )
    steps = steps or (longest if longest > 0 else -(-size // batch_size))
    if steps < longest:
        raise ValueError(f"Expected `steps` to be at least `max_steps`, {longest}, but got {steps}; omit it to use those of the trainer.")
    rank, world = rank_and_world()
    return StepSampler(size, batch_size, steps, seed, start, rank, world, parts)


class Unlabelled(Dataset[dict[str, Any]]):
    """The samples of another data set without their labels, for predictions.

    Args:
        samples: A data set whose samples have `image` and `name`.
    """

    def __init__(self, samples: Dataset[dict[str, Any]]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        size: int = len(self.samples)  # type: ignore[arg-type]  # torch declares no length for a map-style data set
        return size

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `image` and `name`."""
        return self._bare(self.samples[index])

    def __getitems__(self, indices: list[int]) -> Any:
        """Return a list of samples or, if the data set itself joins batches, a batch."""
        if hasattr(self.samples, "__getitems__"):
            return self._bare(self.samples.__getitems__(indices))
        return [self[index] for index in indices]

    def _bare(self, sample: dict[str, Any]) -> dict[str, Any]:
        return {name: sample[name] for name in ("image", "name")}


def in_order(
    samples: Dataset[dict[str, Any]],
    what: str,
    batch_size: int,
    workers: int,
    join: Callable[[Any], dict[str, Any]] = collate,
) -> DataLoader[dict[str, Any]]:
    """Load this rank's part of a data set in order, each sample once.

    Args:
        samples: The data set.
        what: Name of a sample in the error message: "face of `tuning`".
        batch_size: Samples per batch, over all ranks.
        workers: Processes that read ahead; 0 reads in the training process.
        join: Function that makes a batch of samples.

    Raises:
        ValueError: There are more ranks than samples.
    """
    rank, world = rank_and_world()
    size: int = len(samples)  # type: ignore[arg-type]  # torch declares no length for a map-style data set
    if size < world:
        raise ValueError(f"Expected at most {size} devices, one a {what}, but got {world}.")
    order, share = RankSampler(size, rank, world), max(1, batch_size // world)
    return DataLoader(samples, batch_size=share, sampler=order, num_workers=workers, collate_fn=join)
