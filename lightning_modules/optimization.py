"""Build torch's optimisers and schedules from the parts of a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from lightning_modules.protocol import named_parameters
from lightning_modules.recipe import SGD, Constant, Cosine, Group, Optimization, Poly, Schedule, Steps


@dataclass(frozen=True)
class Treatment:
    """How a set of parameters is trained; see `Group`."""

    rate: float = 1.0
    weight_decay: float | None = None
    start: int | None = None
    clip: float | None = None

    def within(self, group: Group) -> Treatment:
        """Return the treatment of parameters that are also in `group`."""
        return Treatment(
            self.rate * group.rate,
            self.weight_decay if group.weight_decay is None else group.weight_decay,
            self.start if group.start is None else group.start,
            self.clip if group.clip is None else group.clip,
        )


def treatments(network: nn.Module, groups: tuple[Group, ...]) -> dict[Treatment, list[nn.Parameter]]:
    """Return the parameters of a network by treatment.

    Raises:
        ValueError: A group has no parameter and is not optional.
    """
    each = {parameter: Treatment() for parameter in network.parameters()}
    for group in groups:
        for parameter in named_parameters(network, group.name, group.optional):
            each[parameter] = each[parameter].within(group)
    found: dict[Treatment, list[nn.Parameter]] = {}
    for parameter, treatment in each.items():
        found.setdefault(treatment, []).append(parameter)
    return found


def freeze(network: nn.Module, names: tuple[str, ...]) -> None:
    """Freeze the parameters of named groups; see `Group`."""
    for name in names:
        for parameter in named_parameters(network, name):
            parameter.requires_grad_(False)


def optimizer_of(network: nn.Module, optimization: Optimization) -> torch.optim.Optimizer:
    """Build the optimiser of a network's parameters, with one torch parameter group per treatment."""
    chosen = optimization.optimizer
    groups: list[dict[str, Any]] = []
    for treatment, parameters in treatments(network, optimization.groups).items():
        decay = chosen.weight_decay if treatment.weight_decay is None else treatment.weight_decay
        groups.append({"params": parameters, "lr": chosen.learning_rate * treatment.rate, "weight_decay": decay})
    if isinstance(chosen, SGD):
        return torch.optim.SGD(groups, lr=chosen.learning_rate, momentum=chosen.momentum, nesterov=chosen.nesterov)
    kind = torch.optim.AdamW if chosen.decoupled else torch.optim.Adam
    return kind(groups, lr=chosen.learning_rate, betas=(chosen.betas[0], chosen.betas[1]))


def schedule_of(optimizer: torch.optim.Optimizer, schedule: Schedule, steps: int) -> lr_scheduler.LRScheduler:
    """Build the schedule of the learning rates of all groups.

    Args:
        optimizer: Optimiser with the learning rates at the start.
        schedule: Schedule of the recipe.
        steps: Number of optimiser steps of the whole training; below 1 if it has no end.

    Raises:
        ValueError: The schedule needs an end, and the training has none.
    """
    match schedule:
        case Steps():
            return lr_scheduler.MultiStepLR(optimizer, list(schedule.milestones), schedule.gamma)
        case Constant():
            return lr_scheduler.LambdaLR(optimizer, _one)
    if steps < 1:
        raise ValueError(f"Expected the trainer to have `max_steps`, at which {type(schedule).__name__} ends, but got none.")
    share: Callable[[int], float] = partial(_poly if isinstance(schedule, Poly) else _cosine, schedule, steps)  # type: ignore[arg-type]
    return lr_scheduler.LambdaLR(optimizer, share)


def _one(step: int) -> float:
    return 1.0


def _poly(schedule: Poly, steps: int, step: int) -> float:
    return float((1 - min(step, steps) / steps) ** schedule.power)


def _cosine(schedule: Cosine, steps: int, step: int) -> float:
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    done = min(1.0, (step - schedule.warmup) / max(1, steps - schedule.warmup))
    return schedule.lowest + (1 - schedule.lowest) * (1 + math.cos(math.pi * done)) / 2
