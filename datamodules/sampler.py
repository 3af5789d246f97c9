"""Batches for training by steps: a resumed run sees what an undisturbed one does, because a batch follows from seed and step alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate, get_worker_info


class StepSampler(Sampler[list[int]]):
    """Yield the indices of one batch a step, out of one shuffled pass over the data after the other.

    Every batch is full: it may take the last samples of a pass and the first of the next.

    Args:
        size: samples in the data set.
        batch_size: samples a step, on all ranks together.
        steps: steps of the whole training, the ones before `start` included.
        seed: of the order.
        start: the first step to yield.
        rank: which of `world` equal parts of every batch to yield.
        world: how many ranks share a batch.
        parts: how many batches this rank's part of a step is yielded in, one after the other.

    Raises:
        ValueError: an argument is out of its range, or ranks and parts cannot share a batch equally.
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
                f"Expected `batch_size`, which counts all ranks together, to be divisible by their number {world}, but got {batch_size}; "
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
        """How many samples are yielded at a time."""
        return self.batch_size // self.world // self.parts

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield the step of each batch, and the index of its first sample in that step's batch of all ranks together."""
        for step in range(self.start, self.steps):
            for part in range(self.parts):
                yield step, (self.rank * self.parts + part) * self.share

    def __len__(self) -> int:
        """Count the batches of the whole training: Lightning, too, counts from its beginning after a resumption."""
        return self.steps * self.parts


class RankSampler(Sampler[int]):
    """Indices in order, every `world`-th from `rank` on: ranks together see each sample once, and none is repeated to even them out."""

    def __init__(self, size: int, rank: int, world: int) -> None:
        self._indices = range(rank, size, world)

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


@dataclass(frozen=True)
class Draw:
    """A sample of a training batch, and what its augmentation follows from beside the seed.

    Args:
        sample: index in the data set.
        step: of the training.
        index: in the batch of all ranks together.
    """

    sample: int
    step: int
    index: int


class DrawSampler(Sampler[list[Draw]]):
    """The batches of a `StepSampler`, each sample with its step and its place in the batch.

    Args:
        order: the batches.
    """

    def __init__(self, order: StepSampler) -> None:
        self.order = order

    def __iter__(self) -> Iterator[list[Draw]]:
        for (step, first), batch in zip(self.order.places(), self.order, strict=True):
            yield [Draw(sample, step, index) for index, sample in enumerate(batch, first)]

    def __len__(self) -> int:
        """Count the batches of the whole training, as the `StepSampler` does."""
        return len(self.order)


def collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Join samples to a batch, as torch does, but in the training process without torch's threads.

    Those wait for each other, and where jobs share cores that took 70 ms for ten crops of 513 pixels instead of 0.3. Worker processes
    have one thread, and torch then joins in the memory that they share with the training process.
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
    """A loader over a `StepSampler` that tells a checkpoint which order its batches have, and refuses to go on in another one.

    Lightning asks for `state_dict` and `load_state_dict` when it saves and resumes in the middle of an epoch. The step itself is not in
    them: `StepSampler` is given it as `start`.

    Args:
        dataset: where samples come from.
        sampler: the batches; with a `DrawSampler` the data set is asked for draws.
        workers: processes that read ahead; 0 reads in the training process.
        join: makes a batch of samples.
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
        """Say what the order of the batches depends on."""
        return dict(self._order)

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Compare the order of a checkpoint with this loader's.

        Raises:
            ValueError: they differ, so that the resumed run would not be the interrupted one.
        """
        differ = [f"{key} {state.get(key)} in the checkpoint, {value} now" for key, value in self._order.items() if state.get(key) != value]
        if differ:
            raise ValueError(f"The checkpoint's batches have another order ({'; '.join(differ)}); use its values or start a new run.")
