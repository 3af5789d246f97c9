"""How a network is trained, and from which weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lightning_modules.recipe import SAME_COST, SGD, Adam, Constant, Cosine, Group, Poly, Schedule, Steps
from reproduce.specs.plain import NOT_IDENTITY

if TYPE_CHECKING:
    from reproduce.jobs.job import Job


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: the parts of `lightning_modules.recipe`, and the loop's own.

    Args:
        steps: of the optimiser.
        batch_size: samples of a step, global, over all devices.
        optimizer: with the learning rate.
        schedule: of the learning rate.
        groups: of parameters that are trained otherwise than the rest.
        frozen: names as of groups: their parameters stay, and their normalisations do not move their statistics.
        accumulate: parts that a step's batch is taken in, one after the other; their gradients are averaged.
        clip_norm: the most that the norm of all gradients together may be.
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
        """The optimiser's steps after which the learning rate falls; none where it does not fall in steps."""
        return self.schedule.milestones if isinstance(self.schedule, Steps) else ()

    def group(self, name: str) -> Group:
        """Return the group of a name; one that changes nothing where there is none."""
        return next((group for group in self.groups if group.name == name), Group(name))


@dataclass(frozen=True)
class Preprocessing:
    """How pictures were brought to the network that weights are of: RGB from 0 to 255, less `mean`, over `std`, channels as `order` says.

    Args:
        order: "RGB" or "BGR".
        mean: of each channel, in that order.
        std: likewise.
    """

    order: str = "RGB"
    mean: tuple[float, ...] = (123.675, 116.28, 103.53)
    std: tuple[float, ...] = (58.395, 57.12, 57.375)

    def __post_init__(self) -> None:
        if self.order not in ("RGB", "BGR"):
            raise ValueError(f"Expected `order` to be 'RGB' or 'BGR', but got {self.order!r}.")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(f"Expected `mean` and `std` to be three numbers each, `std` positive, but got {self.mean} and {self.std}.")


IMAGENET = Preprocessing()  # torchvision's: mean 0.485, 0.456, 0.406 and deviation 0.229, 0.224, 0.225 of values from 0 to 1
CAFFE = Preprocessing("BGR", (104.00699, 116.66877, 122.67892), (1.0, 1.0, 1.0))


@dataclass(frozen=True)
class Weights:
    """A file of weights.

    Args:
        name: under `<data root>/weights`.
        sha256: of what it holds.
        layout: whose names its keys are, as a network's `start_weights` knows them; empty where they are the network's own.
        preprocessing: of the pictures that it was trained on.
        official: the first digits of the published file's sha256; empty where nobody published one, so that it cannot be vouched for.
    """

    name: str
    sha256: str
    layout: str = ""
    preprocessing: Preprocessing = IMAGENET
    official: str = field(default="", metadata=NOT_IDENTITY)

    @property
    def verified(self) -> bool:
        """Whether it is the published file."""
        return bool(self.official) and self.sha256.startswith(self.official)


@dataclass(frozen=True)
class Start:
    """A stage: where a job's weights come from. What is not named here has to be in both, by one name and of one shape.

    Names are of parameters, or of modules and stand for all in them.

    Args:
        source: another job, or a file.
        fresh: what the network has and does not take: it stays as it was drawn.
        unused: what the source has and the network does not take.
        renamed: the source's name and the network's, in pairs.
        frozen: what is taken and stays as it is, as `Recipe.frozen`.
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
                raise ValueError(f"Expected `{name}` of a stage to be several names, ('head',) say, but got {getattr(self, name)!r}.")


__all__ = [
    "CAFFE", "IMAGENET", "SGD", "Adam", "Constant", "Cosine", "Group", "Poly", "Preprocessing", "Recipe", "Schedule", "Start", "Steps",
    "Weights",
]  # fmt: skip
