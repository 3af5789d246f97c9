"""The parts of a recipe, as plain values: optimiser, learning rate schedule, parameter groups. This module needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import get_args

# Metadata of a field that changes the result of a training, but not the cost of a step.
SAME_COST = {"same_cost": True}


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent.

    Args:
        learning_rate: Learning rate at the start.
        momentum: Momentum, the weight of earlier gradients.
        weight_decay: Weight decay of every parameter whose group does not set it.
        nesterov: Whether to use Nesterov momentum.
    """

    learning_rate: float = field(metadata=SAME_COST)
    momentum: float = field(default=0.9, metadata=SAME_COST)
    weight_decay: float = field(default=5e-4, metadata=SAME_COST)
    nesterov: bool = False

    def __post_init__(self) -> None:
        _check(self.learning_rate, self.weight_decay)


@dataclass(frozen=True)
class Adam:
    """Adam of Kingma and Ba 2015; `decoupled` weight decay makes it AdamW of Loshchilov and Hutter 2019.

    Args:
        learning_rate: Learning rate at the start.
        weight_decay: Weight decay of every parameter whose group does not set it.
        betas: Decay rates of the running means of the gradient and of its square.
        decoupled: Whether weight decay bypasses these means.
    """

    learning_rate: float = field(metadata=SAME_COST)
    weight_decay: float = field(default=0.0, metadata=SAME_COST)
    betas: tuple[float, ...] = field(default=(0.9, 0.999), metadata=SAME_COST)
    decoupled: bool = False

    def __post_init__(self) -> None:
        _check(self.learning_rate, self.weight_decay)
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"Expected `betas` to be two numbers, at least 0 and below 1, but got {self.betas}.")


@dataclass(frozen=True)
class Constant:
    """The learning rate is constant."""


@dataclass(frozen=True)
class Steps:
    """The learning rate is multiplied by `gamma` after each optimiser step in `milestones`."""

    milestones: tuple[int, ...]
    gamma: float = 0.1

    def __post_init__(self) -> None:
        if list(self.milestones) != sorted(self.milestones):
            raise ValueError(f"Expected `milestones` to be steps in ascending order, but got {self.milestones}.")


@dataclass(frozen=True)
class Poly:
    """The learning rate at step t of T is the start value times (1 - t / T)^power.

    Source: Chen et al. 2017 (DeepLabv3), section 4.1, with a power of 0.9.
    """

    power: float = 0.9

    def __post_init__(self) -> None:
        if not self.power > 0:
            raise ValueError(f"Expected `power` to be positive, but got {self.power}.")


@dataclass(frozen=True)
class Cosine:
    """The learning rate grows linearly for `warmup` steps, then falls along half a cosine to `lowest`, a share of the start value.

    Source: Loshchilov and Hutter 2017, equation 5, without restarts.
    """

    lowest: float = 0.0
    warmup: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.lowest <= 1 or self.warmup < 0:
            raise ValueError(
                f"Expected `lowest` to be from 0 to 1 and `warmup` to be 0 or more steps, but got {self.lowest} and {self.warmup}."
            )


@dataclass(frozen=True)
class Group:
    """Parameters that are trained differently from the rest.

    If a parameter is in several groups, their rates multiply. For each other field, the last group that sets it counts.

    Args:
        name: Name of one of the network's `parameter_groups()`, `biases`, `norms`, or the path of a module: `head.fc8`.
        rate: Learning rate, as a multiple of the optimiser's.
        weight_decay: Weight decay; None for the optimiser's.
        start: Number of optimiser steps before these parameters begin to change; None for 0.
        clip: Largest absolute value of each element of their gradient; None for no limit.
        optional: Whether a network may have no such parameters.
    """

    name: str
    rate: float = 1.0
    weight_decay: float | None = None
    start: int | None = None
    clip: float | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.rate < math.inf:
            raise ValueError(f"Expected `rate` of group '{self.name}' to be zero or a positive number, but got {self.rate}.")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"Expected `clip` of group '{self.name}' to be positive, but got {self.clip}.")
        if self.start is not None and self.start < 0:
            raise ValueError(f"Expected `start` of group '{self.name}' to be zero or a positive integer, but got {self.start}.")


Optimizer = SGD | Adam
Schedule = Constant | Steps | Poly | Cosine


@dataclass(frozen=True)
class Optimization:
    """How a network is optimised.

    Args:
        optimizer: Optimiser with the base learning rate.
        schedule: Learning rate schedule, by step.
        groups: Groups of parameters that are trained differently from the rest.
        frozen: Names of frozen groups: their parameters and the statistics of their normalisation layers do not change.
        clip_norm: Largest norm of all gradients together; None for no limit.
    """

    optimizer: Optimizer
    schedule: Schedule = Constant()
    groups: tuple[Group, ...] = ()
    frozen: tuple[str, ...] = ()
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        for name, value, kinds in (("optimizer", self.optimizer, Optimizer), ("schedule", self.schedule, Schedule)):
            if not isinstance(value, kinds):
                known = ", ".join(kind.__name__ for kind in get_args(kinds))
                raise ValueError(f"Expected `{name}` to be one of {known}, but got {value!r}.")
        if isinstance(self.frozen, str):
            raise ValueError(f"Expected `frozen` to be a tuple of names, such as ('norms',), but got {self.frozen!r}.")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"Expected `clip_norm` to be positive, but got {self.clip_norm}.")


def _check(learning_rate: float, weight_decay: float) -> None:
    for name, value in (("learning_rate", learning_rate), ("weight_decay", weight_decay)):
        if not 0 <= value < math.inf:
            raise ValueError(f"Expected `{name}` to be zero or a positive number, but got {value}.")
