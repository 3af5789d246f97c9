"""What jobs do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from reproduce.specs.networks import Network
from reproduce.specs.plain import Spec


@dataclass(frozen=True)
class Task(Spec):
    """What a job does.

    `does` says it in words: "segments pictures". An `exclusive` job measures what others would disturb: nothing of its command runs beside
    it.
    """

    does: ClassVar[str] = "does something else"
    exclusive: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """Its name, for people and in wandb."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Training(Task):
    """The arguments of a LightningModule that trains a network and evaluates it, beside those that the job gives where it takes them.

    A job gives `network`, `num_classes` (the network's), `optimization` and `inference`. Without a recipe the job only evaluates: the
    weights that it starts from. `scores` is what networks give scores of here, "pixels" or "pictures", and `label` what batches have for
    them; empty where any will do.
    """

    scores: ClassVar[str] = ""
    label: ClassVar[str] = ""


@dataclass(frozen=True)
class Measurement(Task):
    """The name of a function that measures: called with the job, its run, the store and the mirror, it returns what `result.json` holds."""


@dataclass(frozen=True)
class Segmentation(Training):
    """Label pixels."""

    reduction: str = "batch"
    target = "lightning_modules.segmentation:SemanticSegmentation"
    does = "segments pictures"
    scores = "pixels"
    label = "mask"


@dataclass(frozen=True)
class Classification(Training):
    """Label whole pictures."""

    target = "lightning_modules.classification:ImageClassification"
    does = "classifies whole pictures"
    scores = "pictures"
    label = "label"


@dataclass(frozen=True)
class Describe(Measurement):
    """Compute a network's sizes on `meta` tensors, for pictures C H W of `shape` where they depend on it."""

    shape: tuple[int, ...] = ()
    target = "reproduce.worker.training:describe"
    does = "computes sizes"


@dataclass(frozen=True)
class Speed(Measurement):
    """Time training steps of a job's network and of another in turn, on noise of `shape`, C H W. The recipe's steps are the rounds."""

    against: Network
    shape: tuple[int, ...]
    target = "reproduce.worker.speed:speed"
    does = "times training steps"
    exclusive = True
