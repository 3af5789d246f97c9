"""The settings of data sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from reproduce.specs.plain import NOT_IDENTITY, pairs


@dataclass(frozen=True)
class MadeFaces:
    """Made-up faces in Helen's layout; see `datamodules.synthetic.write_helen`. `revision` moves when that function draws otherwise."""

    exemplars: int
    tuning: int
    testing: int
    size: int
    seed: int = 0
    revision: int = 1


@dataclass(frozen=True)
class Helen:
    """See `datamodules.helen.HelenDataModule`. Either `made`, or read under the data root, whose content `fingerprint` names."""

    size: int
    fingerprint: str = ""
    made: MadeFaces | None = None


@dataclass(frozen=True)
class MadeScenes:
    """Made-up scenes in VOC's and SBD's layouts; see `datamodules.synthetic_voc.write_voc`. `revision` moves when that draws otherwise."""

    train: int
    val: int
    size: int
    seed: int = 0
    sbd: int = 0
    shapes: int = 5
    hues: int = 4
    revision: int = 1


@dataclass(frozen=True)
class VOC:
    """See `datamodules.voc.VOCDataModule`. Either `made`, or read under the data root, whose content `fingerprint` names."""

    crop: int
    fingerprint: str = ""
    made: MadeScenes | None = None
    train: str = "train_aug"
    evaluate: str = "val"
    scale: tuple[float, float] = (0.5, 2.0)
    flip: bool = True


@dataclass(frozen=True)
class MadeImages:
    """Made-up small pictures; see `datamodules.synthetic_images.write_images`. `revision` moves when that function draws otherwise."""

    name: str
    train: int
    test: int
    seed: int = 0
    revision: int = 1


@dataclass(frozen=True)
class Images:
    """See `datamodules.images.ImagesDataModule`. Either `made`, or read under the data root, whose content `fingerprint` names."""

    dataset: str
    fingerprint: str = ""
    made: MadeImages | None = None
    padding: int = 0
    flip: bool = False
    scale: float = 1.0


@dataclass(frozen=True)
class OwnData:
    """A user's data: a LightningDataModule in a file of theirs, called with `batch_size`, `steps`, `seed` and `arguments` by name.

    Args:
        name: of the class or function.
        arguments: plain values by name; a dict will do.
        root: a folder of files, if there is one, given as `root`; relative as `file` is, and like it no part of a job's identity.
        file: as in `OwnNetwork`.
        sha256: as in `OwnNetwork`.
        fingerprint: of the names and sizes of the files below `root`, filled in when rows are read.
    """

    name: str
    arguments: Any = ()
    root: str = field(default="", metadata=NOT_IDENTITY)
    file: str = field(default="", metadata=NOT_IDENTITY)
    sha256: str = ""
    fingerprint: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", pairs(self.arguments))


Data = Helen | VOC | Images | OwnData
