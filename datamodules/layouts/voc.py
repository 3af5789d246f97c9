"""PASCAL VOC for semantic segmentation: the files of VOC 2012, of VOC 2011, and of SBD, which labels more of VOC's pictures.

Source: Everingham et al., "The PASCAL Visual Object Classes Challenge 2012"; Hariharan et al. 2011, "Semantic contours from inverse
detectors" (SBD).
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import DataError
from datamodules.layouts import files
from datamodules.vouch import Vouch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLASSES: tuple[str, ...] = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "dining table",
    "dog",
    "horse",
    "motorbike",
    "person",
    "potted plant",
    "sheep",
    "sofa",
    "train",
    "tv monitor",
)
IGNORED = 255  # Borders and difficult objects: they count neither in the loss nor in the metric.


@dataclass(frozen=True)
class Split:
    """A split, as a combination of the official lists.

    Args:
        lists: Lists to join, in this order. The labels of a picture are from the first list that has it.
        without: Lists whose pictures are excluded.
        official: Published number of pictures.
    """

    lists: tuple[str, ...]
    without: tuple[str, ...]
    official: int


OFFICIAL_LISTS: dict[str, int] = {
    "VOC2012/train": 1464,
    "VOC2012/val": 1449,
    "VOC2011/train": 1112,
    "VOC2011/val": 1111,
    "SBD/train": 8498,
    "SBD/val": 2857,
}
# Not in paper: which labels are used if VOC and SBD both have them. In VOC's training pictures they are VOC's, which have borders.
SPLITS: dict[str, Split] = {
    "train": Split(("VOC2012/train",), (), 1464),
    "val": Split(("VOC2012/val",), (), 1449),
    "train_aug": Split(("VOC2012/train", "SBD/train", "SBD/val"), ("VOC2012/val",), 10582),
    # Long et al. 2015: VOC 2011 val without their training pictures. Wu et al. 2016 (dense CNN, section 4): 736, and 8825 for training.
    "seg11valid": Split(("VOC2011/val",), ("SBD/train",), 736),
    "train11": Split(("VOC2011/train", "SBD/train"), (), 8825),
    # Wu et al. 2016 report 346 and 11685. Their list was not found; this one is val without the pictures of SBD. train_all, which has all
    # of SBD, therefore has no picture of val346.
    "val346": Split(("VOC2012/val",), ("SBD/train", "SBD/val"), 346),
    "train_all": Split(("VOC2012/train", "SBD/train", "SBD/val"), (), 11685),
}

_FOLDERS = {"VOC2012": "voc/VOCdevkit/VOC2012", "VOC2011": "voc/VOCdevkit/VOC2011", "SBD": "sbd/benchmark_RELEASE/dataset"}
_LISTS = {"VOC2012": "ImageSets/Segmentation", "VOC2011": "ImageSets/Segmentation", "SBD": ""}
_IMAGES = {"VOC2012": "JPEGImages", "VOC2011": "JPEGImages", "SBD": "img"}
_LABELS = {"VOC2012": ("SegmentationClass", ".png"), "VOC2011": ("SegmentationClass", ".png"), "SBD": ("cls", ".mat")}
_GET = {
    "VOC2012": "unpack VOCtrainval_11-May-2012.tar, from the page of VOC 2012 or a mirror of it, so that it lies there",
    "VOC2011": "unpack VOCtrainval_25-May-2011.tar, from the page of VOC 2011 or a mirror of it, so that it lies there",
    "SBD": "unpack benchmark.tgz, from the page of Hariharan et al. 2011 (SBD), so that it lies there",
}
_NOT_OFFICIAL = "NOT_OFFICIAL.txt"
_SYNTHETIC = "SYNTHETIC.txt"


@dataclass(frozen=True)
class Sample:
    """One picture of a split.

    Args:
        source: The set whose files are read, "VOC2012", "VOC2011" or "SBD".
        name: Name of the files, without suffix.
    """

    source: str
    name: str


@dataclass(frozen=True)
class VocLayout:
    """The files of one copy of VOC and, if present, of SBD.

    Args:
        root: The data root, with `voc/` and `sbd/` in it.
    """

    root: Path

    def folder(self, source: str) -> Path:
        """Return the folder of "VOC2012", "VOC2011" or "SBD"."""
        return self.root / _FOLDERS[source]

    def image(self, sample: Sample) -> Path:
        """Return the path of a picture."""
        return self.folder(sample.source) / _IMAGES[sample.source] / f"{sample.name}.jpg"

    def label(self, sample: Sample) -> Path:
        """Return the path of a picture's labels: a palette PNG, or SBD's `.mat`."""
        folder, suffix = _LABELS[sample.source]
        return self.folder(sample.source) / folder / f"{sample.name}{suffix}"

    def names(self, listed: str) -> tuple[str, ...]:
        """Read one official list, such as "SBD/train".

        Raises:
            DataError: The list is missing, empty, or has a name twice.
        """
        source, _, stem = listed.partition("/")
        folder = self.folder(source)
        if not folder.is_dir():
            raise DataError(f"{source} is missing: {folder} is not a folder; {_GET[source]}.")
        path = folder / _LISTS[source] / f"{stem}.txt"
        if not path.is_file():
            raise DataError(f"{source}'s list is missing: {path} is not a file; {_GET[source]}.")
        names = tuple(path.read_text().split())
        if not names:
            raise DataError(f"{source}'s list {path} is empty; {_GET[source]}.")
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"{source}'s list {path} names {twice!r} more than once; {_GET[source]}.")
        return names

    def samples(self, split: str) -> tuple[Sample, ...]:
        """Return the pictures of a split, combined from the official lists; see `SPLITS`.

        Raises:
            DataError: A list cannot be read.
        """
        left_out = {name for listed in SPLITS[split].without for name in self.names(listed)}
        found: dict[str, Sample] = {}
        for listed in SPLITS[split].lists:
            for name in self.names(listed):
                if name not in left_out:
                    found.setdefault(name, Sample(listed.partition("/")[0], name))
        return tuple(found.values())

    def require(self, split: str) -> None:
        """Check that a split has pictures, and that every picture has its file and its labels.

        Raises:
            DataError: Something is missing; the message says what, where, and how to get it.
        """
        samples = self.samples(split)
        if not samples:
            folders = " and ".join(str(self.folder(source)) for source in _sources(split))
            raise DataError(f"The split {split!r} has no pictures by the lists in {folders}; use another split.")
        for source in {sample.source for sample in samples}:
            listed = [sample.name for sample in samples if sample.source == source]
            for what, folder, suffix in (("pictures", _IMAGES[source], ".jpg"), ("labels", *_LABELS[source])):
                path = self.folder(source) / folder
                files.require(listed, files.stems(path, suffix), f"{source}'s {what}", path, _GET[source])

    def check(self, *splits: str) -> Vouch:
        """Compare these splits with the published ones, by counts: there are no published checksums."""
        counts = {split: len(self.samples(split)) for split in splits}
        detail = f"{sum(counts.values())} pictures: " + ", ".join(f"{split} {count}" for split, count in counts.items())
        if self._notes(_SYNTHETIC, *splits):
            return Vouch("synthetic", detail)
        lists = {listed for split in splits for listed in (*SPLITS[split].lists, *SPLITS[split].without)}
        as_published = all(len(self.names(listed)) == OFFICIAL_LISTS[listed] for listed in lists)
        as_published &= all(count == SPLITS[split].official for split, count in counts.items())
        if self._notes(_NOT_OFFICIAL, *splits) or not as_published:
            return Vouch("not official", detail)
        return Vouch("counts", detail)

    def fingerprint(self, *splits: str) -> str:
        """Identify these splits by their names and by the names and sizes of their files: 16 hexadecimal digits.

        Notes that a set is not official count; the path of the root, times and the files of other splits do not. A copy elsewhere has the
        same fingerprint, and SBD counts only if a split reads it.
        """
        digest = hashlib.sha256()
        for note in (_NOT_OFFICIAL, _SYNTHETIC):
            for path in self._notes(note, *splits):
                files.feed(digest, path.relative_to(self.root).as_posix(), path.read_bytes())
        for split in splits:
            lines = (f"{s.source}/{s.name}\t{_size(self.image(s))}\t{_size(self.label(s))}" for s in self.samples(split))
            files.feed(digest, split, "\n".join(lines).encode())
        return digest.hexdigest()[:16]

    def _notes(self, name: str, *splits: str) -> list[Path]:
        sources = sorted({source for split in splits for source in _sources(split)})
        folders = (folder for source in sources for folder in (self.folder(source), *self.folder(source).parents[:2]))
        return sorted({path for path in (folder / name for folder in folders) if path.is_file()})


def find(data_root: Path, *splits: str) -> VocLayout:
    """Find VOC under a data root and check that all files of these splits are there.

    Args:
        data_root: The folder with one folder per data set: `voc/` and, for splits that use SBD, `sbd/`.
        splits: Names out of `SPLITS`.

    Raises:
        DataError: Something is missing; the message says what, where, and how to get it.
    """
    layout = VocLayout(Path(data_root))
    for split in splits:
        layout.require(split)
    return layout


def read_image(layout: VocLayout, sample: Sample) -> NDArray[np.uint8]:
    """Read a picture as RGB, H W 3.

    Raises:
        DataError: The file is missing, cut short or not a JPEG.
    """
    return files.read_jpeg(layout.image(sample), f"{sample.source}'s file", _replace(layout.image(sample), sample.source))


def read_label(path: Path, source: str, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Read the palette indices of a label PNG: H W, 0 to 20 and 255.

    Args:
        path: A file of VOC, or decoded from SBD.
        source: The set of the labels, "VOC2012", "VOC2011" or "SBD".
        size: H W of the picture in pixels, to be compared with that of the labels.

    Raises:
        DataError: The file is missing or broken, has other labels, or differs in size from the picture.
    """
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    remedy = _replace(path, source)
    data = files.read_bytes(path, f"{source}'s file", remedy)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            mode, labels = image.mode, np.array(image)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError) as error:
        raise DataError(f"The labels {path} are cut short or are not a PNG; {remedy}.") from error
    if mode not in ("P", "L"):
        raise DataError(f"The labels {path} are colours (mode {mode}), not indices of a palette; {remedy}.")
    check_labels(labels, path, source)
    if size is not None and labels.shape != size:
        found = f"{labels.shape[1]} x {labels.shape[0]}"
        raise DataError(f"The labels {path} are {found} pixels where their picture is {size[1]} x {size[0]}; {remedy}.")
    return labels


def check_labels(labels: NDArray[np.uint8], path: Path, source: str) -> None:
    """Check that every label is a class or 255.

    Raises:
        DataError: A label is neither; the message has the file and the label.
    """
    strange = labels[(labels >= len(CLASSES)) & (labels != IGNORED)]
    if strange.size:
        raise DataError(
            f"The labels {path} have {int(strange.flat[0])}, which is neither a class (0 to 20) nor 255; {_replace(path, source)}."
        )


def _sources(split: str) -> list[str]:
    return sorted({listed.partition("/")[0] for listed in (*SPLITS[split].lists, *SPLITS[split].without)})


def _size(path: Path) -> int:
    return path.stat().st_size


def _replace(path: Path, source: str) -> str:
    return f"to replace {path.name}, {_GET[source]}"
