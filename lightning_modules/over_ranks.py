"""Sum and mean over the ranks of a training."""

from __future__ import annotations

import torch
from torch import Tensor


def sum_over_ranks(value: Tensor) -> Tensor:
    """Return the sum of a value over all ranks; without ranks, the value itself."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return value
    total = value.clone()
    torch.distributed.all_reduce(total)
    return total


def mean_over_ranks(value: Tensor) -> Tensor:
    """Return the mean of a value over all ranks; without ranks, the value itself."""
    total = sum_over_ranks(value)
    return value if total is value else total / torch.distributed.get_world_size()
