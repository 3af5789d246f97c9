"""How a network is trained, from which weights, and what is measured of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Weights:
    """A file of start weights: its name under `<data root>/weights`, and what it holds."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: the arguments of the LightningModules, and the loop's own. What a task does not take stays at its default.

    Args:
        steps: optimiser steps.
        batch_size: global, over all devices.
    """

    steps: int
    batch_size: int
    learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 5e-4
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    factor_multiplier: float = 6e4
    factor_start: int = 0
    factor_clip: float | None = None
    optimizer: str = "sgd"


@dataclass(frozen=True)
class InflationSweep:
    """At which inflation factors a training step is measured.

    Args:
        factors: ascending, because where the peak of memory cannot be reset it can only be seen to rise.
        rounds: timed steps at each factor, in turn, so that whatever else slows the machine slows all factors alike.
    """

    factors: tuple[float, ...]
    rounds: int

    def __post_init__(self) -> None:
        if not self.factors or self.factors[0] <= 0 or sorted(set(self.factors)) != list(self.factors):
            raise ValueError(f"Expected `factors` to be positive and ascending, but got {self.factors}.")
        if self.rounds < 2:
            raise ValueError(f"Expected `rounds` to be at least 2, for quartiles, but got {self.rounds}.")

    @property
    def steps(self) -> int:
        """All steps: one that sets up what stays (gradients, momentum), a round for memory, and the timed rounds."""
        return 1 + len(self.factors) * (1 + self.rounds)
