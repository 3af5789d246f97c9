"""Settings of data sets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from datamodules import layouts
from datamodules.errors import DataError
from reproduce.specs.made import MadeFaces, MadeImages, MadeScenes
from reproduce.specs.plain import NOT_IDENTITY, Spec, pairs


class Normalisation(NamedTuple):
    """Mean and standard deviation of each channel, of values from 0 to 1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Data(Spec):
    """Arguments of a LightningDataModule, without those that the job adds.

    A job adds `root`, `batch_size`, `steps`, `seed`, `cache`, `workers` and `progress`, if the datamodule takes them. A data set is either
    `made` or read from the data root; then `fingerprint` identifies its content. Both are fields, but not arguments. A data set without
    a field `fingerprint` reads nothing from the data root.
    """

    label: ClassVar[str] = "label"  # key of the labels in a batch
    reads_ahead: ClassVar[bool] = False  # whether worker processes help, because samples are read one by one
    needs: ClassVar[str] = ""  # content of the data root, if the title does not say all
    seen: ClassVar[str] = ""  # note on a user's picture that is not prepared like the set's pictures
    beside = frozenset({"made", "fingerprint"})

    @property
    def title(self) -> str:
        """Name to show to users."""
        return type(self).__name__

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of its classes; empty if they are known only after it is read."""
        return ()

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """C H W of an image of a training batch; None if it is known only after the data is read."""
        return None

    @property
    def normalisation(self) -> Normalisation | None:
        """How its images are normalised; None for ImageNet's mean and standard deviation."""
        return None

    @property
    def known(self) -> dict[str, int]:
        """Arguments that a network must have for it: `num_classes`, `in_channels`."""
        classes = {"num_classes": len(self.classes)} if self.classes else {}
        return classes | ({"in_channels": self.shape[0]} if self.shape is not None else {})

    @property
    def edge(self) -> int:
        """Edge of the network's square input in pixels; 0 if pictures keep their sizes."""
        return 0

    def check(self, where: str) -> None:
        """Reject arguments that the datamodule would reject when it is built; see `Network.check`."""

    def fingerprint_in(self, root: Path) -> str:
        """Return the fingerprint of the set's files under a data root.

        Raises:
            DataError: A file is missing or broken.
        """
        raise DataError(f"{self.title} is not read from a data root.")

    def identified(self, data_root: Path | None) -> tuple[Any, str]:
        """Return the data set with the fingerprint of its files, and a text on what is missing if no data root is given.

        Raises:
            DataError: The data set is not under the data root.
        """
        if getattr(self, "made", None) is not None or not hasattr(self, "fingerprint"):
            return self, ""
        data: Any = replace(self, fingerprint="")  # type: ignore[call-arg]
        if data_root is None:
            return data, f"needs {self.needs or self.title}: name the folder of the data sets by --data-root or REPRODUCE_DATA"
        return replace(data, fingerprint=_fingerprint(data, data_root)), ""

    def found(self, data_root: Path | None) -> tuple[Any, str]:
        """Do as `identified`, but if the data is missing, return the message instead of raising it."""
        try:
            return self.identified(data_root)
        except DataError as error:
            return replace(self, fingerprint=""), str(error)  # type: ignore[call-arg]


@lru_cache(maxsize=256)
def _fingerprint(data: Data, root: Path) -> str:
    """Compute a fingerprint once per command, because every row of every table needs it."""
    return data.fingerprint_in(root)


@dataclass(frozen=True)
class Helen(Data):
    """Aligned faces with labelled parts."""

    size: int
    fingerprint: str = ""
    made: MadeFaces | None = None
    target = "datamodules.helen:HelenDataModule"
    label = "mask"
    seen = "face not aligned"  # training faces are aligned by their landmarks, which a user's picture lacks

    @property
    def shape(self) -> tuple[int, int, int]:
        """C H W of an aligned face."""
        return 3, self.size, self.size

    @property
    def edge(self) -> int:
        """Edge of the aligned faces in pixels."""
        return self.size

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return layouts.helen.CLASSES

    def fingerprint_in(self, root: Path) -> str:
        """Return the fingerprint of the faces under a data root."""
        return layouts.helen.find(root).fingerprint()


@dataclass(frozen=True)
class VOC(Data):
    """PASCAL VOC, with SBD's labels for the splits that use them."""

    crop: int
    fingerprint: str = ""
    made: MadeScenes | None = None
    train: str = "train_aug"
    evaluate: str = "val"
    scale: tuple[float, float] = (0.5, 2.0)
    flip: bool = True
    target = "datamodules.voc:VOCDataModule"
    needs = "VOC 2012 and SBD"
    label = "mask"
    reads_ahead = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """C H W of a training crop."""
        return 3, self.crop, self.crop

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return layouts.voc.CLASSES

    def fingerprint_in(self, root: Path) -> str:
        """Return the fingerprint of the pictures and labels of both splits under a data root."""
        return layouts.voc.find(root, self.train, self.evaluate).fingerprint(self.train, self.evaluate)


@dataclass(frozen=True)
class Images(Data):
    """A set of small pictures from `datamodules.layouts.images.SETS`, one class per picture."""

    dataset: str
    fingerprint: str = ""
    made: MadeImages | None = None
    padding: int = 0
    flip: bool = False
    scale: float = 1.0
    target = "datamodules.images:ImagesDataModule"

    @property
    def title(self) -> str:
        """Name to show to users."""
        return layouts.images.SETS[self.dataset].title

    @property
    def shape(self) -> tuple[int, int, int]:
        """C H W of a resized image."""
        channels, height, width = layouts.images.SETS[self.dataset].shape
        return channels, round(self.scale * height), round(self.scale * width)

    @property
    def normalisation(self) -> Normalisation:
        """The set's own."""
        published = layouts.images.SETS[self.dataset]
        return Normalisation(published.mean, published.std)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return layouts.images.SETS[self.dataset].classes

    def fingerprint_in(self, root: Path) -> str:
        """Return the fingerprint of the pictures under a data root."""
        return layouts.images.find(root, self.dataset).fingerprint()

    def check(self, where: str) -> None:
        """Check that the data set exists, and that `made` makes up the same set.

        Raises:
            ValueError: `dataset` is unknown, or `made` has another name; the message names the row.
        """
        if self.dataset not in layouts.images.SETS:
            raise ValueError(f"Expected `dataset`{where} to be one of {', '.join(layouts.images.SETS)}, but got {self.dataset!r}.")
        if self.made is not None and self.made.name != self.dataset:
            raise ValueError(f"Expected `made`{where} to have the name of its `dataset`, {self.dataset!r}, but got {self.made.name!r}.")


@dataclass(frozen=True)
class OwnData(Data):
    """A user's data: a LightningDataModule in the user's file, called with `batch_size`, `steps`, `seed` and `arguments` by name.

    Args:
        name: Name of the class or function.
        arguments: Plain values by name; a dict is accepted.
        root: Folder of data files, if there is one, passed as `root`. Like `file`, it may be relative and is not part of a job's identity.
        file: See `OwnNetwork`.
        sha256: See `OwnNetwork`.
        fingerprint: Fingerprint of the names and sizes of the files below `root`, filled in when rows are read.
    """

    name: str
    arguments: Any = ()
    root: str = field(default="", metadata=NOT_IDENTITY)
    file: str = field(default="", metadata=NOT_IDENTITY)
    sha256: str = ""
    fingerprint: str = ""
    label = ""  # known only inside its job

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", pairs(self.arguments))

    @property
    def title(self) -> str:
        """Name to show to users."""
        return self.name

    @property
    def edge(self) -> int:
        """Value of the argument `size`, if there is one."""
        size = dict(self.arguments).get("size", 0)
        return size if isinstance(size, int) else 0

    def found(self, data_root: Path | None) -> tuple[OwnData, str]:
        """Return the spec unchanged, because the user's file says where the data is."""
        return self, ""
