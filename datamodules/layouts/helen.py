"""Helen, for face parsing: the files of Smith et al. 2013 (pictures and parts) and of Le et al. 2012 (landmarks).

Source: Smith et al. 2013, "Exemplar-based face parsing"; Le et al. 2012, "Interactive facial feature localization".
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import DataError
from datamodules.layouts import files
from datamodules.vouch import Vouch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

CLASSES: tuple[str, ...] = (
    "background",
    "face skin",
    "left brow",
    "right brow",
    "left eye",
    "right eye",
    "nose",
    "upper lip",
    "inner mouth",
    "lower lip",
    "hair",
)
# The parts that have an F score, left and right merged. Not in paper, but common: the overall F sums over COUNTED, in which the mouth
# counts as a whole and in its three parts. Skin and hair are reported beside it.
COUNTED: dict[str, tuple[int, ...]] = {
    "eyes": (4, 5),
    "brows": (2, 3),
    "nose": (6,),
    "upper_lip": (7,),
    "inner_mouth": (8,),
    "lower_lip": (9,),
    "mouth": (7, 8, 9),
}
PARTS: dict[str, tuple[int, ...]] = COUNTED | {"skin": (1,), "hair": (10,)}
# 0-based slices of the 194 landmarks (Le et al. 2012). Nothing depends on which eye is the first.
GROUPS: dict[str, slice] = {
    "jaw": slice(0, 41),
    "nose": slice(41, 58),
    "outer upper lip": slice(58, 72),
    "outer lower lip": slice(72, 86),
    "inner upper lip": slice(86, 101),
    "inner lower lip": slice(101, 114),
    "first eye": slice(114, 134),
    "second eye": slice(134, 154),
    "first brow": slice(154, 174),
    "second brow": slice(174, 194),
}
LANDMARKS = 194
FARTHEST = 1e5  # pixels from the corner of a photograph
OFFICIAL_COUNTS: dict[str, int] = {"exemplars": 2000, "tuning": 230, "testing": 100}  # Smith et al. 2013

_FACES = "SmithCVPR2013_dataset_resized"
_NOT_OFFICIAL = "NOT_OFFICIAL.txt"
_SYNTHETIC = "SYNTHETIC.txt"
_GET_FACES = f"unpack {_FACES}.zip, from the project page of Smith et al. 2013 (exemplar-based face parsing), there"
_GET_LANDMARKS = "unpack annotation.zip, from the Helen project page (Le et al. 2012), there"


@dataclass(frozen=True)
class HelenLayout:
    """The files of one copy of Helen.

    Args:
        root: The folder with `SmithCVPR2013_dataset_resized/` and `annotation/` in it.
        splits: Names of the faces by split, in the order of the lists: "exemplars" (training), "tuning" (validation), "testing".
        landmarks: The annotation file of every face in `splits`, by the name of the face.
    """

    root: Path
    splits: dict[str, tuple[str, ...]]
    landmarks: dict[str, Path]

    def image(self, name: str) -> Path:
        """Return the path of a face's picture."""
        return self.root / _FACES / "images" / f"{name}.jpg"

    def label(self, name: str, index: int) -> Path:
        """Return the path of a face's probability map of one class (0 to 10)."""
        return self.root / _FACES / "labels" / name / f"{name}_lbl{index:02d}.png"

    def check(self) -> Vouch:
        """Compare the copy with the published data set, by counts: there are no published checksums."""
        counts = {split: len(names) for split, names in self.splits.items()}
        detail = f"{sum(counts.values())} faces: " + " / ".join(str(count) for count in counts.values())
        if self._notes(_SYNTHETIC):
            return Vouch("synthetic", detail)
        notes = [path.read_text(errors="replace").strip().partition("\n")[0].rstrip(".") for path in self._notes(_NOT_OFFICIAL)]
        if notes or counts != OFFICIAL_COUNTS:
            return Vouch("not official", "; ".join([detail, *filter(None, notes)]))
        return Vouch("counts", detail)

    def fingerprint(self) -> str:
        """Identify the content by its lists and by the names and sizes of its files: 16 hexadecimal digits.

        Notes that the copy is not official count; the path of the root and times do not. A copy elsewhere has the same fingerprint.
        """
        digest = hashlib.sha256()
        for split in OFFICIAL_COUNTS:
            files.feed(digest, split, (self.root / _FACES / f"{split}.txt").read_bytes())
        for note in (_NOT_OFFICIAL, _SYNTHETIC):
            for path in self._notes(note):
                files.feed(digest, path.relative_to(self.root).as_posix(), path.read_bytes())
        for folder in (f"{_FACES}/images", f"{_FACES}/labels", "annotation"):
            sizes = sorted(_sizes(self.root / folder))
            files.feed(digest, folder, "\n".join(f"{name}\t{size}" for name, size in sizes).encode())
        return digest.hexdigest()[:16]

    def _notes(self, name: str) -> list[Path]:
        return [path for path in (self.root / name, self.root / _FACES / name) if path.is_file()]


def find(data_root: Path) -> HelenLayout:
    """Find Helen under a data root and check that every listed face has its picture, maps and landmarks.

    Args:
        data_root: The folder with one folder per data set, `helen/` among them, or that `helen/` itself.

    Raises:
        DataError: Something is missing; the message says what, where, and how to get it.
    """
    data_root = Path(data_root)
    root = data_root if (data_root / _FACES).is_dir() else data_root / "helen"
    faces = root / _FACES
    if not faces.is_dir():
        raise DataError(f"Helen is missing: {faces} is not a folder; {_GET_FACES}.")
    if not (root / "annotation").is_dir():
        raise DataError(f"Helen's landmarks are missing: {root / 'annotation'} is not a folder; {_GET_LANDMARKS}.")
    splits = {split: _read_list(faces / f"{split}.txt") for split in OFFICIAL_COUNTS}
    listed = [name for names in splits.values() for name in names]
    if len(set(listed)) < len(listed):
        twice = next(name for name in listed if listed.count(name) > 1)
        raise DataError(f"Helen's lists in {faces} name {twice!r} more than once; {_GET_FACES}.")
    annotated = _annotation_names(root / "annotation")
    files.require(listed, files.stems(faces / "images", ".jpg"), "Helen's pictures", faces / "images", _GET_FACES)
    files.require(listed, files.stems(faces / "labels", ""), "Helen's label folders", faces / "labels", _GET_FACES)
    files.require(listed, annotated.keys(), "Helen's landmarks", root / "annotation", _GET_LANDMARKS)
    return HelenLayout(root, splits, {name: annotated[name] for name in listed})


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read a picture as RGB, H W 3.

    Raises:
        DataError: The file is missing, cut short or not a JPEG.
    """
    return files.read_jpeg(path, "Helen's file", _replace(path))


def read_probabilities(layout: HelenLayout, name: str, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Read the probability maps of a face, 11 H W, 255 for probability 1.

    Args:
        layout: The files of Helen.
        name: Name of the face.
        size: H W of its picture in pixels. By default the picture is read for it.

    Raises:
        DataError: A map is missing, cannot be read, or differs in size from the picture.
    """
    import numpy as np

    from datamodules.opencv import cv2

    height, width = read_image(layout.image(name)).shape[:2] if size is None else size
    maps = np.empty((len(CLASSES), height, width), np.uint8)
    for index in range(len(CLASSES)):
        path = layout.label(name, index)
        data = files.read_bytes(path, "Helen's file", _replace(path))
        # Like a JPEG, a PNG without its end chunk may still decode in part.
        pixels = cv2.imdecode(files.buffer(data), flags=cv2.IMREAD_GRAYSCALE) if b"IEND" in data[-64:] else None
        if pixels is None:
            raise DataError(f"The label map {path} is cut short or is not a PNG; {_replace(path)}.")
        if pixels.shape != (height, width):
            found = f"{pixels.shape[1]} x {pixels.shape[0]}"
            raise DataError(f"The label map {path} is {found} pixels where its picture is {width} x {height}; {_replace(path)}.")
        maps[index] = pixels
    return maps


def read_landmarks(path: Path) -> NDArray[np.float64]:
    """Read the landmarks of a face, 194 2: x and y in pixels of the original photograph, which is larger than Smith et al.'s picture.

    Raises:
        DataError: The file is missing, does not have a name followed by 194 lines `x , y`, or its points lie in one place or far outside
            any picture.
    """
    import numpy as np

    lines = files.read_bytes(path, "Helen's file", _replace(path)).decode(errors="replace").split("\n")[1:]
    try:
        points = np.array([[float(number) for number in line.split(",")] for line in lines if line.strip()], dtype=np.float64)
    except ValueError:
        points = np.empty((0, 2))
    if points.shape != (LANDMARKS, 2) or not np.isfinite(points).all():
        raise DataError(f"The landmarks {path} are not a name followed by {LANDMARKS} lines `x , y`; {_replace(path, _GET_LANDMARKS)}.")
    if np.abs(points).max() > FARTHEST or np.ptp(points, axis=0).min() < 1:
        said = f"from x, y = {points.min(axis=0).tolist()} to {points.max(axis=0).tolist()}"
        raise DataError(f"The landmarks {path} are not those of a face: they reach {said} pixels; {_replace(path, _GET_LANDMARKS)}.")
    return points


def _replace(path: Path, get: str = _GET_FACES) -> str:
    return f"to replace {path.name}, {get}"


def _read_list(path: Path) -> tuple[str, ...]:
    """Return the names of a list whose lines are `<number> , <name>`."""
    if not path.is_file():
        raise DataError(f"Helen's list of faces is missing: {path} is not a file; {_GET_FACES}.")
    lines = [line.partition(",") for line in path.read_text().splitlines() if line.strip()]
    names = tuple(name.strip() for _, _, name in lines)
    if not names or not all(names):
        raise DataError(f"Helen's list {path} is empty or has a line that is not `<number> , <name>`; {_GET_FACES}.")
    return names


def _annotation_names(folder: Path) -> dict[str, Path]:
    """Return the annotation files by the name in their first line: their numbers are not those of the lists."""
    names: dict[str, Path] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".txt"):
                with open(entry.path, "rb") as file:  # noqa: PTH123 - a Path for each of thousands of files is slow
                    name = file.readline().decode(errors="replace").strip()
                other = names.setdefault(name, Path(entry.path))
                if other != Path(entry.path):
                    both = " and ".join(sorted((other.name, entry.name)))
                    raise DataError(f"Two annotation files in {folder} are of the face {name!r}: {both}; remove one.")
    return names


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield relative name and size in bytes of every file of the set below a folder, without the files that file managers add."""
    pending = [("", os.fspath(folder))]
    while pending:
        prefix, path = pending.pop()
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir():
                    pending.append((f"{prefix}{entry.name}/", entry.path))
                elif entry.name.endswith((".jpg", ".png", ".txt")) and not entry.name.startswith("."):
                    yield prefix + entry.name, entry.stat().st_size
