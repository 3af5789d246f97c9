"""Tasks of jobs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from reproduce.specs.networks import Network
from reproduce.specs.plain import Spec

SHARE = (0.0, 1.0)
POSITIVE = (0.0, math.inf)


@dataclass(frozen=True)
class Task(Spec):
    """Work of a job.

    `does` describes it in words: "segments pictures". An `exclusive` job measures something that other jobs would disturb: no other job of
    the same command runs at the same time. `ranges` declares the lowest and the highest value of metrics, by patterns of their names: a
    metric outside its range fails the job. Learned quantities declare their bounds themselves.
    """

    does: ClassVar[str] = "does something else"
    ranges: ClassVar[tuple[tuple[str, tuple[float, float]], ...]] = ()
    exclusive: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """Name for users and in wandb."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Training(Task):
    """Arguments of a LightningModule that trains and evaluates a network, without those that the job adds.

    A job adds `network`, `num_classes` (the network's), `optimization` and `inference`, if the module takes them. Without a recipe the job
    only evaluates its start weights. `scores` is what the network must score, "pixels" or "pictures". `label` is the key of the labels that
    a batch must have. Both accept anything if empty.
    """

    scores: ClassVar[str] = ""
    label: ClassVar[str] = ""


@dataclass(frozen=True)
class Measurement(Task):
    """Name of a function that measures: called with the job, its run, the store and the mirror, it returns what `result.json` holds."""


@dataclass(frozen=True)
class Segmentation(Training):
    """Label pixels."""

    reduction: str = "batch"
    target = "lightning_modules.segmentation:SemanticSegmentation"
    does = "segments pictures"
    ranges = (("*accuracy", SHARE), ("*iou", SHARE), ("f_*", SHARE), ("classes_counted", POSITIVE))
    scores = "pixels"
    label = "mask"


@dataclass(frozen=True)
class Classification(Training):
    """Label whole pictures."""

    target = "lightning_modules.classification:ImageClassification"
    does = "classifies whole pictures"
    ranges = (("*accuracy", SHARE), ("map_sizes", POSITIVE))
    scores = "pictures"
    label = "label"


@dataclass(frozen=True)
class Describe(Measurement):
    """Compute a network's sizes on `meta` tensors, for pictures of `shape` C H W if the sizes depend on it."""

    shape: tuple[int, ...] = ()
    target = "reproduce.worker.training:describe"
    does = "computes sizes"
    ranges = (("*", POSITIVE),)


@dataclass(frozen=True)
class Speed(Measurement):
    """Time training steps of a job's network and of `against` in turn, on noise of `shape`, C H W. The recipe's steps are the rounds."""

    against: Network
    shape: tuple[int, ...]
    target = "reproduce.worker.speed:speed"
    does = "times training steps"
    ranges = (("*", POSITIVE),)
    exclusive = True
