"""Batches for training by steps. A batch depends only on seed and step: a resumed run sees the same batches as an uninterrupted one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate, get_worker_info


class StepSampler(Sampler[list[int]]):
    """Yield the indices of one batch per step, from successive shuffled passes over the data.

    Every batch is full: it may have the last samples of a pass and the first samples of the next.

    Args:
        size: Number of samples in the data set.
        batch_size: Samples per step, over all ranks.
        steps: Steps of the whole training, including those before `start`.
        seed: Seed of the order.
        start: First step to yield.
        rank: This process's rank, which determines its part of each batch.
        world: Number of ranks, between which a batch is divided equally.
        parts: Number of batches in which this rank's part of a step is yielded.

    Raises:
        ValueError: An argument is out of range, or `batch_size` cannot be divided equally among ranks and parts.
    """

    def __init__(
        self, size: int, batch_size: int, steps: int, seed: int, start: int = 0, rank: int = 0, world: int = 1, parts: int = 1
    ) -> None:
        for name, value in (("size", size), ("batch_size", batch_size), ("steps", steps), ("world", world), ("parts", parts)):
            if value < 1:
                raise ValueError(f"Expected `{name}` to be a positive integer, but got {value}.")
        for name, value in (("seed", seed), ("start", start)):
            if value < 0:
                raise ValueError(f"Expected `{name}` to be zero or a positive integer, but got {value}.")
        if not 0 <= rank < world:
            raise ValueError(f"Expected `rank` to be from 0 to {world - 1}, but got {rank}.")
        if batch_size % world:
            raise ValueError(
                f"Expected `batch_size`, over all ranks, to be divisible by their number {world}, but got {batch_size}; "
                "use a number of devices that divides it."
            )
        if batch_size // world % parts:
            raise ValueError(f"Expected a rank's {batch_size // world} samples of a step to be divisible by `parts`, but got {parts}.")
        self.size, self.batch_size, self.steps, self.seed, self.start = size, batch_size, steps, seed, start
        self.rank, self.world, self.parts = rank, world, parts

    def __iter__(self) -> Iterator[list[int]]:
        orders: dict[int, NDArray[np.int64]] = {}
        for step, first in self.places():
            batch = []
            for position in range(step * self.batch_size + first, step * self.batch_size + first + self.share):
                epoch, index = divmod(position, self.size)
                if epoch not in orders:
                    orders = {known: order for known, order in orders.items() if known == epoch - 1}
                    orders[epoch] = np.random.default_rng((self.seed, epoch)).permutation(self.size)
                batch.append(int(orders[epoch][index]))
            yield batch

    @property
    def share(self) -> int:
        """Number of samples per yielded batch."""
        return self.batch_size // self.world // self.parts

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield for each batch its step and the index of its first sample in the step's batch of all ranks."""
        for step in range(self.start, self.steps):
            for part in range(self.parts):
                yield step, (self.rank * self.parts + part) * self.share

    def __len__(self) -> int:
        """Count the batches of the whole training: after resuming, Lightning also counts from the first step."""
        return self.steps * self.parts


class RankSampler(Sampler[int]):
    """Yield every `world`-th index from `rank` on. All ranks together see each sample exactly once: none is repeated as padding."""

    def __init__(self, size: int, rank: int, world: int) -> None:
        self._indices = range(rank, size, world)

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


@dataclass(frozen=True)
class Draw:
    """A sample of a training batch, with the step and index from which its augmentation is drawn.

    Args:
        sample: Index of the sample in the data set.
        step: Training step.
        index: Index of the sample in the batch of all ranks.
    """

    sample: int
    step: int
    index: int


class DrawSampler(Sampler[list[Draw]]):
    """The batches of a `StepSampler` as `Draw`s.

    Args:
        order: The sampler of the batches.
    """

    def __init__(self, order: StepSampler) -> None:
        self.order = order

    def __iter__(self) -> Iterator[list[Draw]]:
        for (step, first), batch in zip(self.order.places(), self.order, strict=True):
            yield [Draw(sample, step, index) for index, sample in enumerate(batch, first)]

    def __len__(self) -> int:
        """Count the batches of the whole training, like `StepSampler`."""
        return len(self.order)


def collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Join samples to a batch, like torch's `default_collate`, but in the training process without torch's threads.

    Torch's threads wait for each other: where jobs share cores, ten crops of 513 pixels took 70 ms instead of 0.3 ms. A worker process has
    one thread and uses `default_collate`, which joins in memory shared with the training process.
    """
    if get_worker_info() is not None:
        joined: dict[str, Any] = default_collate(samples)
        return joined
    columns = {key: [sample[key] for sample in samples] for key in samples[0]}
    return {
        key: torch.from_numpy(np.stack(values)) if isinstance(values[0], np.ndarray) else default_collate(values)
        for key, values in columns.items()
    }


class ResumableLoader(DataLoader[dict[str, Any]]):
    """A loader that writes the order of its batches into checkpoints, and refuses to resume in another order.

    Lightning calls `state_dict` and `load_state_dict` when it saves and resumes within an epoch. The state has no step: `StepSampler` has
    it as `start`.

    Args:
        dataset: The data set; with a `DrawSampler` it is indexed by `Draw`.
        sampler: The sampler of the batches.
        workers: Processes that read ahead; 0 reads in the training process.
        join: Function that makes a batch of samples.
    """

    def __init__(
        self,
        dataset: Dataset[dict[str, Any]],
        sampler: StepSampler | DrawSampler,
        workers: int = 0,
        join: Callable[[Any], dict[str, Any]] = collate,
    ) -> None:
        super().__init__(dataset, batch_sampler=sampler, num_workers=workers, collate_fn=join)
        order = sampler.order if isinstance(sampler, DrawSampler) else sampler
        self._order = {"seed": order.seed, "size": order.size, "batch_size": order.batch_size}

    def state_dict(self) -> dict[str, int]:
        """Return the values on which the order of the batches depends."""
        return dict(self._order)

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Check that the checkpoint has the same order.

        Raises:
            ValueError: The orders differ: the resumed run would not equal an uninterrupted one.
        """
        differ = [f"{key} {state.get(key)} in the checkpoint, {value} now" for key, value in self._order.items() if state.get(key) != value]
        if differ:
            raise ValueError(
                f"The checkpoint's batches have another order ({'; '.join(differ)}); use the values of the checkpoint or start a new run."
            )
