"""Settings of a training: recipe, preprocessing, start weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lightning_modules.recipe import SAME_COST, SGD, Adam, Constant, Cosine, Group, Poly, Schedule, Steps
from reproduce.specs.plain import NOT_IDENTITY

if TYPE_CHECKING:
    from reproduce.jobs.job import Job


@dataclass(frozen=True)
class Recipe:
    """Recipe of a training: the parts of `lightning_modules.recipe`, and settings of the training loop.

    Args:
        steps: Number of optimiser steps.
        batch_size: Samples per step, over all devices together.
        optimizer: Optimiser with its learning rate.
        schedule: Schedule of the learning rate.
        groups: Groups of parameters that are trained differently from the rest.
        frozen: Names like those of groups; their parameters and the running statistics of their norm layers stay fixed.
        accumulate: Number of parts of a step's batch; they are computed one after the other, and their gradients are averaged.
        clip_norm: Upper limit of the norm of all gradients together.
    """

    steps: int = field(metadata=SAME_COST)
    batch_size: int
    optimizer: SGD | Adam
    schedule: Constant | Steps | Poly | Cosine = field(default=Constant(), metadata=SAME_COST)
    groups: tuple[Group, ...] = field(default=(), metadata=SAME_COST)
    frozen: tuple[str, ...] = ()
    accumulate: int = 1
    clip_norm: float | None = None

    @property
    def milestones(self) -> tuple[int, ...]:
        """Optimiser steps after which the learning rate falls; empty if the schedule has no such steps."""
        return self.schedule.milestones if isinstance(self.schedule, Steps) else ()

    def group(self, name: str) -> Group:
        """Return the group with a name, or a group that changes nothing if there is none."""
        return next((group for group in self.groups if group.name == name), Group(name))


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of the pictures that weights were trained on: (value from 0 to 255 - `mean`) / `std`, channels in `order`.

    Args:
        order: Order of channels, "RGB" or "BGR".
        mean: Mean of each channel, in that order.
        std: Standard deviation of each channel, in that order.
    """

    order: str = "RGB"
    mean: tuple[float, ...] = (123.675, 116.28, 103.53)
    std: tuple[float, ...] = (58.395, 57.12, 57.375)

    def __post_init__(self) -> None:
        if self.order not in ("RGB", "BGR"):
            raise ValueError(f"Expected `order` to be 'RGB' or 'BGR', but got {self.order!r}.")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(f"Expected `mean` and `std` to be three numbers each, `std` positive, but got {self.mean} and {self.std}.")


IMAGENET = Preprocessing()  # torchvision's: mean 0.485, 0.456, 0.406 and std 0.229, 0.224, 0.225 of values from 0 to 1
CAFFE = Preprocessing("BGR", (104.00699, 116.66877, 122.67892), (1.0, 1.0, 1.0))


@dataclass(frozen=True)
class Weights:
    """A weight file.

    Args:
        name: Name of the file under `<data root>/weights`.
        sha256: SHA-256 of the file's content.
        layout: Naming scheme of the keys, as the network's `start_weights` knows it; empty if the keys are the network's own names.
        preprocessing: Preprocessing of the pictures that the weights were trained on.
        official: First digits of the published file's SHA-256; empty if no file was published, so that it cannot be verified.
    """

    name: str
    sha256: str
    layout: str = ""
    preprocessing: Preprocessing = IMAGENET
    official: str = field(default="", metadata=NOT_IDENTITY)

    @property
    def verified(self) -> bool:
        """Whether the file is the published one."""
        return bool(self.official) and self.sha256.startswith(self.official)


@dataclass(frozen=True)
class Start:
    """A stage: start weights of a job from another job or a file.

    A weight that is not named here must be in both, with the same name and shape. A name is that of a parameter, or of a module and
    then means everything in it.

    Args:
        source: Another job, or a file.
        fresh: Weights of the network that are not taken; they keep their random initial values.
        unused: Weights of the source that the network does not take.
        renamed: Pairs of the source's name and the network's name.
        frozen: Taken weights that stay fixed, as in `Recipe.frozen`.
    """

    source: Job | Weights
    fresh: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if getattr(self.source, "evaluates", False) and not getattr(self.source, "trains", True):
            raise ValueError(f"Expected `source` of a stage to be a training or a file, but {self.source.name} only evaluates.")
        for name in ("fresh", "unused", "renamed", "frozen"):
            if isinstance(getattr(self, name), str):
                raise ValueError(f"Expected `{name}` of a stage to be a tuple of names such as ('head',), but got {getattr(self, name)!r}.")


__all__ = [
    "CAFFE", "IMAGENET", "SGD", "Adam", "Constant", "Cosine", "Group", "Poly", "Preprocessing", "Recipe", "Schedule", "Start", "Steps",
    "Weights",
]  # fmt: skip
