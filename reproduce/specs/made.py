"""Settings of made-up data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from reproduce.specs.plain import Spec


@dataclass(frozen=True)
class Made(Spec):
    """Arguments of a function that writes a made-up data set into a folder, and a `revision`, raised when it draws other data.

    `kind` is part of the folder's name; the spec's name replaces an empty `kind`.
    """

    kind: ClassVar[str] = ""
    beside = frozenset({"revision"})


@dataclass(frozen=True)
class MadeFaces(Made):
    """Made-up faces in Helen's layout."""

    exemplars: int
    tuning: int
    testing: int
    size: int
    seed: int = 0
    revision: int = 1
    target = "datamodules.synthetic:write_helen"
    kind = "faces"


@dataclass(frozen=True)
class MadeScenes(Made):
    """Made-up scenes in VOC's and SBD's layouts."""

    train: int
    val: int
    size: int
    seed: int = 0
    sbd: int = 0
    shapes: int = 5
    hues: int = 4
    revision: int = 1
    target = "datamodules.synthetic_voc:write_voc"
    kind = "scenes"


@dataclass(frozen=True)
class MadeImages(Made):
    """Made-up small pictures."""

    name: str
    train: int
    test: int
    seed: int = 0
    revision: int = 1
    target = "datamodules.synthetic_images:write_images"
    kind = "images"
