"""What sets of small pictures with one class each have in common: their files are found, checked and identified here.

`idx`, `cifar` and `svhn` read the files.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from datamodules.errors import DataError
from datamodules.layouts import files
from datamodules.vouch import Vouch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPLITS = ("train", "test")

_NOT_OFFICIAL = "NOT_OFFICIAL.txt"
_SYNTHETIC = "SYNTHETIC.txt"


class Pictures(NamedTuple):
    """Pictures (N C H W, bytes) and their classes (N, integers)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.integer[Any]]


@dataclass(frozen=True)
class File:
    """One file of a set.

    Args:
        path: Path of the file.
        owner: Title of the set: "MNIST".
        get: How to get the file.
    """

    path: Path
    owner: str
    get: str

    def content(self) -> bytes:
        """Read the file, and decompress it if its name ends with `.gz`.

        Raises:
            DataError: The file cannot be read or decompressed.
        """
        data = files.read_bytes(self.path, f"{self.owner}'s file", self._remedy())
        if self.path.suffix != ".gz":
            return data
        try:
            return gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise self.error("is cut short or is not a gzip file") from error

    def error(self, problem: str) -> DataError:
        """Return the error about this file; in its message `problem` follows the path."""
        return DataError(f"{self.owner}'s file {self.path} {problem}; {self._remedy()}.")

    def _remedy(self) -> str:
        return f"to replace {self.path.name}, {self.get}"


@dataclass(frozen=True)
class Version:
    """One of the formats in which a set is published.

    Args:
        places: Possible folders in the data root, the recommended one first.
        parts: Names of the files by split. A part is one file, or several that are read together.
        get: How to get the files; follows the folder in messages.
        read: Function that reads the pictures of one part.
        checksums: MD5 of the decompressed files by name, if published.
    """

    places: tuple[str, ...]
    parts: Mapping[str, tuple[tuple[str, ...], ...]]
    get: str
    read: Callable[[tuple[File, ...]], Pictures]
    checksums: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All files of all splits."""
        return tuple(name for split in SPLITS for part in self.parts[split] for name in part)


@dataclass(frozen=True)
class ImageSet:
    """A published set of small pictures.

    Args:
        title: Its usual name.
        classes: Names of the classes.
        shape: C H W of a picture.
        official: Published number of pictures by split.
        mean: Mean of each channel for the normalisation, of values from 0 to 1.
        std: Standard deviation of each channel, likewise.
        versions: The formats in which it is published, in the order of search.
    """

    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    official: Mapping[str, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    versions: tuple[Version, ...]


@dataclass(frozen=True)
class ImageLayout:
    """The files of one copy of a set.

    Args:
        published: The set.
        version: The format of this copy.
        root: The data root.
        place: The folder of the files, relative to the data root.
    """

    published: ImageSet
    version: Version
    root: Path
    place: str

    def file(self, name: str) -> File:
        """Return one of the set's files, or the same with `.gz` added to its name if only that exists."""
        plain = self.root / self.place / name
        packed = plain.with_name(f"{name}.gz")
        return File(packed if packed.is_file() and not plain.is_file() else plain, self.published.title, self.version.get)

    @cached_property
    def splits(self) -> Mapping[str, Pictures]:
        """All pictures of "train" and "test", read at first use.

        Raises:
            DataError: A file is broken, or has other shapes or labels than the set.
        """
        import numpy as np

        splits = {}
        for split in SPLITS:
            parts = [self._read(tuple(self.file(name) for name in part)) for part in self.version.parts[split]]
            splits[split] = Pictures(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))
        return splits

    @cached_property
    def checksums(self) -> Mapping[str, str]:
        """MD5 of each decompressed file, by its name without `.gz`."""
        return {name: hashlib.md5(self.file(name).content(), usedforsecurity=False).hexdigest() for name in self.version.names}

    def check(self) -> Vouch:
        """Compare the copy with the published data set, by checksums if they are published, otherwise by counts.

        Raises:
            DataError: A file is broken, or has other shapes or labels than the set.
        """
        counts = {split: len(pictures.labels) for split, pictures in self.splits.items()}
        detail = f"{sum(counts.values())} pictures: " + ", ".join(f"{split} {count}" for split, count in counts.items())
        if self._notes(_SYNTHETIC):
            return Vouch("synthetic", detail)
        if self._notes(_NOT_OFFICIAL) or counts != self.published.official:
            return Vouch("not official", detail)
        if not self.version.checksums:
            return Vouch("counts", detail)
        differ = [name for name, checksum in self.version.checksums.items() if self.checksums[name] != checksum]
        if differ:
            return Vouch("not official", f"{detail}; not as published: {', '.join(differ)}")
        return Vouch("verified", detail)

    def fingerprint(self) -> str:
        """Identify the content: 16 hexadecimal digits.

        The content of the files counts, because all copies have files of the same size; so do notes that a set is not official. Paths,
        times and compression do not count.
        """
        digest = hashlib.sha256()
        for note in (_NOT_OFFICIAL, _SYNTHETIC):
            for path in self._notes(note):
                files.feed(digest, path.name, path.read_bytes())
        for name, checksum in self.checksums.items():
            files.feed(digest, name, checksum.encode())
        return digest.hexdigest()[:16]

    def _notes(self, name: str) -> list[Path]:
        folder = self.root / self.place
        return [path / name for path in (folder, *folder.parents[: len(Path(self.place).parts) - 1]) if (path / name).is_file()]

    def _read(self, part: tuple[File, ...]) -> Pictures:
        """Read one part and check shapes and labels."""
        images, labels = self.version.read(part)
        shape, number = " x ".join(map(str, self.published.shape)), len(self.published.classes)
        if images.shape[1:] != self.published.shape:
            raise part[0].error(f"holds pictures of {' x '.join(map(str, images.shape[1:]))} where {shape} is right")
        if len(images) == 0 or len(images) != len(labels):
            raise part[-1].error(f"holds {len(labels)} labels for {len(images)} pictures")
        if labels.min() < 0 or labels.max() >= number:
            strange = int(labels[(labels < 0) | (labels >= number)][0])
            raise part[-1].error(f"has the label {strange}, which is not a class (0 to {number - 1})")
        return Pictures(images, labels)


def find(data_root: Path, published: ImageSet) -> ImageLayout:
    """Find a set under a data root and check that all of its files are there.

    Args:
        data_root: The folder with one folder per data set.
        published: The set.

    Raises:
        DataError: Files are missing; the message says which, where, and how to get them.
    """
    candidates = [(version, place) for version in published.versions for place in version.places]
    version, place = max(candidates, key=lambda candidate: len(_present(data_root, *candidate)))  # the first among equals
    folder, present = Path(data_root) / place, _present(data_root, version, place)
    if not present:
        raise DataError(f"{published.title} is missing: {folder} holds none of its files; {version.get}.")
    files.require(version.names, present, f"{published.title}'s files", folder, version.get)
    return ImageLayout(published, version, Path(data_root), place)


def _present(data_root: Path, version: Version, place: str) -> set[str]:
    """Return the names, without `.gz`, of the files of a version that are in one of its places."""
    folder = Path(data_root) / place
    return set(version.names) & (files.stems(folder, "") | files.stems(folder, ".gz"))
