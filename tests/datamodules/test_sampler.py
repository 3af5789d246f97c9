from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, default_collate

from datamodules.sampler import Draw, DrawSampler, RankSampler, ResumableLoader, StepSampler, collate


class Numbers(Dataset[dict[str, Any]]):
    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"index": index}


def test_every_pass_takes_each_sample_once_and_every_batch_is_full() -> None:
    batches = list(StepSampler(7, 3, 14, seed=1))
    assert [len(batch) for batch in batches] == [3] * 14
    stream = [index for batch in batches for index in batch]
    passes = [stream[first : first + 7] for first in range(0, 42, 7)]
    assert all(sorted(each) == list(range(7)) for each in passes)
    assert len({tuple(each) for each in passes}) > 1


@pytest.mark.parametrize("batch_size", [1, 3, 7, 17])
@pytest.mark.parametrize("start", [0, 1, 5, 9, 10])
def test_a_resumed_order_is_the_undisturbed_order(batch_size: int, start: int) -> None:
    whole = list(StepSampler(7, batch_size, 10, seed=4))
    resumed = StepSampler(7, batch_size, 10, seed=4, start=start)
    assert list(resumed) == whole[start:]
    assert len(resumed) == 10


def test_seeds_and_repetition() -> None:
    assert list(StepSampler(7, 2, 9, seed=0)) != list(StepSampler(7, 2, 9, seed=1))
    sampler = StepSampler(7, 2, 9, seed=0)
    assert list(sampler) == list(sampler)


@pytest.mark.parametrize("world", [1, 2, 3, 6])
def test_ranks_share_every_global_batch(world: int) -> None:
    whole = list(StepSampler(7, 6, 5, seed=2))
    ranks = [list(StepSampler(7, 6, 5, seed=2, rank=rank, world=world)) for rank in range(world)]
    assert [[index for part in parts for index in part] for parts in zip(*ranks, strict=True)] == whole


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "`size` to be a positive integer, but got 0"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"steps": 0}, "`steps`"),
        ({"start": -1}, "`start`"),
        ({"rank": 2, "world": 2}, "`rank` to be from 0 to 1"),
        ({"batch_size": 3, "world": 2}, "divisible by their number 2, but got 3"),
        ({"parts": 0}, "`parts` to be a positive integer, but got 0"),
        ({"batch_size": 6, "world": 2, "parts": 2}, "a rank's 3 samples of a step to be divisible by `parts`, but got 2"),
    ],
)
def test_bad_arguments(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StepSampler(**{"size": 7, "batch_size": 2, "steps": 5, "seed": 0, **arguments})


@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize(("world", "parts"), [(1, 2), (1, 6), (2, 3), (3, 2)])
def test_the_parts_of_all_ranks_together_are_the_steps_batch(world: int, parts: int, start: int) -> None:
    whole = list(StepSampler(7, 6, 5, seed=2))[start:]
    joined: list[list[int]] = [[] for _ in whole]
    for rank in range(world):
        sampler = StepSampler(7, 6, 5, seed=2, start=start, rank=rank, world=world, parts=parts)
        batches = list(sampler)
        assert len(batches) == parts * len(whole)
        assert len(sampler) == parts * 5  # as Lightning counts, from the beginning of the training
        assert {len(batch) for batch in batches} == {sampler.share} == {6 // world // parts}
        for index, batch in enumerate(batches):
            joined[index // parts] += batch
    assert joined == whole


@pytest.mark.parametrize(("world", "parts"), [(1, 3), (2, 3), (3, 2)])
def test_draws_in_parts_are_those_of_the_whole_batch(world: int, parts: int) -> None:
    def drawn(**arguments: int) -> list[Draw]:
        return [draw for batch in DrawSampler(StepSampler(7, 6, 5, seed=2, start=1, **arguments)) for draw in batch]

    in_parts = [draw for rank in range(world) for draw in drawn(rank=rank, world=world, parts=parts)]
    assert sorted(in_parts, key=lambda draw: (draw.step, draw.index)) == drawn()


def test_a_loader_resumes_its_own_order_only() -> None:
    loader = ResumableLoader(Numbers(), StepSampler(7, 2, 5, seed=0))
    assert [batch["index"].tolist() for batch in loader] == list(StepSampler(7, 2, 5, seed=0))
    state = loader.state_dict()
    ResumableLoader(Numbers(), StepSampler(7, 2, 9, seed=0, start=3)).load_state_dict(state)
    with pytest.raises(ValueError, match="seed 0 in the checkpoint, 1 now"):
        ResumableLoader(Numbers(), StepSampler(7, 2, 5, seed=1)).load_state_dict(state)
    with pytest.raises(ValueError, match="batch_size 2 in the checkpoint, 1 now"):
        ResumableLoader(Numbers(), StepSampler(7, 1, 5, seed=0)).load_state_dict(state)


@pytest.mark.parametrize("world", [1, 2])
def test_draws_know_their_step_and_their_place_in_the_batch_of_all_ranks(world: int) -> None:
    whole = [[(index, step, place) for place, index in enumerate(batch)] for step, batch in enumerate(StepSampler(7, 4, 6, seed=2))]
    ranks = [list(DrawSampler(StepSampler(7, 4, 6, seed=2, start=2, rank=rank, world=world))) for rank in range(world)]
    joined = [[(draw.sample, draw.step, draw.index) for part in parts for draw in part] for parts in zip(*ranks, strict=True)]
    assert joined == whole[2:]
    assert len(DrawSampler(StepSampler(7, 4, 6, seed=2, start=2))) == 6


def test_ranks_take_every_sample_once() -> None:
    ranks = [RankSampler(7, rank, 3) for rank in range(3)]
    assert sorted(index for rank in ranks for index in rank) == list(range(7))
    assert [len(rank) for rank in ranks] == [3, 2, 2]


def test_batches_are_those_of_torch() -> None:
    samples = [{"image": np.full((3, 2, 4), index, np.uint8), "name": str(index), "index": index} for index in range(5)]
    ours, theirs = collate(samples), default_collate(samples)
    assert ours.keys() == theirs.keys()
    assert ours["name"] == theirs["name"]
    for key in ("image", "index"):
        assert ours[key].dtype == theirs[key].dtype
        assert torch.equal(ours[key], theirs[key])
