import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.errors import DataError
from datamodules.layouts import voc
from datamodules.layouts.voc import Sample, Split, VocLayout, find
from datamodules.vouch import Vouch

LISTS = {
    "VOC2012": ("voc/VOCdevkit/VOC2012/ImageSets/Segmentation", {"train": "a b c", "val": "d e f g"}),
    "VOC2011": ("voc/VOCdevkit/VOC2011/ImageSets/Segmentation", {"train": "a b", "val": "d e h"}),
    "SBD": ("sbd/benchmark_RELEASE/dataset", {"train": "b d x y", "val": "e z"}),
}
ALL = tuple(voc.SPLITS)


@pytest.fixture
def lists(tmp_path: Path) -> VocLayout:
    """Lists that overlap as the real ones do, without pictures."""
    for folder, members in LISTS.values():
        (tmp_path / folder).mkdir(parents=True)
        for name, names in members.items():
            (tmp_path / folder / f"{name}.txt").write_text(names.replace(" ", "\n") + "\n")
    return VocLayout(tmp_path)


@pytest.fixture
def copy(voc_root: Path, tmp_path: Path) -> Path:
    shutil.copytree(voc_root, tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("train", "2012/a 2012/b 2012/c"),
        ("val", "2012/d 2012/e 2012/f 2012/g"),
        ("train_aug", "2012/a 2012/b 2012/c SBD/x SBD/y SBD/z"),
        ("seg11valid", "2011/e 2011/h"),
        ("train11", "2011/a 2011/b SBD/d SBD/x SBD/y"),
        ("val346", "2012/f 2012/g"),
        ("train_all", "2012/a 2012/b 2012/c SBD/d SBD/x SBD/y SBD/e SBD/z"),
    ],
)
def test_splits_follow_from_the_lists(lists: VocLayout, split: str, expected: str) -> None:
    assert " ".join(f"{sample.source.removeprefix('VOC')}/{sample.name}" for sample in lists.samples(split)) == expected


@pytest.mark.parametrize(
    ("train", "evaluate"), [("train", "val"), ("train_aug", "val"), ("train11", "seg11valid"), ("train_all", "val346")]
)
def test_what_is_trained_on_is_not_evaluated_on(lists: VocLayout, train: str, evaluate: str) -> None:
    assert not {sample.name for sample in lists.samples(train)} & {sample.name for sample in lists.samples(evaluate)}


def test_published_counts_agree_with_each_other() -> None:
    assert {name: split.official for name, split in voc.SPLITS.items()} == {
        "train": 1464,
        "val": 1449,
        "train_aug": 10582,
        "seg11valid": 736,
        "train11": 8825,
        "val346": 346,
        "train_all": 11685,
    }
    # All of SBD and VOC's training pictures are those of train_aug and the validation pictures that SBD has.
    assert voc.SPLITS["train_all"].official == voc.SPLITS["train_aug"].official + 1449 - 346
    assert voc.OFFICIAL_LISTS.keys() == {listed for split in voc.SPLITS.values() for listed in (*split.lists, *split.without)}


def test_lists_as_long_as_the_official_ones_are_vouched_for_by_their_counts(tmp_path: Path) -> None:
    """Give VOC and SBD as many pictures in common as the published counts say."""
    sbd_train, sbd_val = [f"s{index}" for index in range(8498)], [f"v{index}" for index in range(2857)]
    members = {
        "VOC2012/train": sbd_train[:1134] + [f"a{index}" for index in range(330)],
        "VOC2012/val": sbd_val[:1103] + [f"b{index}" for index in range(346)],
        "VOC2011/train": sbd_train[:785] + [f"c{index}" for index in range(327)],
        "VOC2011/val": sbd_train[785:1160] + [f"d{index}" for index in range(736)],
        "SBD/train": sbd_train,
        "SBD/val": sbd_val,
    }
    for listed, names in members.items():
        source, _, stem = listed.partition("/")
        path = tmp_path / LISTS[source][0] / f"{stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(names))
    layout = VocLayout(tmp_path)
    counts = {split: len(layout.samples(split)) for split in ALL}
    assert counts == {
        "train": 1464,
        "val": 1449,
        "train_aug": 10582,
        "seg11valid": 736,
        "train11": 8825,
        "val346": 346,
        "train_all": 11685,
    }
    assert layout.check("train_aug", "val") == Vouch("counts", "12031 pictures: train_aug 10582, val 1449")
    assert {layout.check(split).status for split in ALL} == {"counts"}
    # One picture of VOC's training list exchanged for one that SBD lacks: as many in the list, one more in the split.
    path = tmp_path / LISTS["VOC2012"][0] / "train.txt"
    path.write_text("\n".join([*members["VOC2012/train"][1:], "other"]))
    assert layout.check("train", "val").status == "counts"
    assert layout.check("train_aug", "val") == Vouch("not official", "12032 pictures: train_aug 10583, val 1449")


def test_voc_2011_needs_no_voc_2012(lists: VocLayout) -> None:
    for source in ("VOC2011", "SBD"):
        for name in {name for listed in LISTS[source][1] for name in lists.names(f"{source}/{listed}")}:
            for path in (lists.image(Sample(source, name)), lists.label(Sample(source, name))):
                path.parent.mkdir(exist_ok=True)
                path.touch()
    shutil.rmtree(lists.folder("VOC2012"))
    assert find(lists.root, "train11", "seg11valid") == lists
    with pytest.raises(DataError, match="VOC2012 is missing"):
        find(lists.root, "train_aug")


@pytest.mark.parametrize(
    ("removed", "split", "named"),
    [
        ("voc", "train", "VOC2012 is missing: .*VOC2012 is not a folder"),
        ("sbd", "train_aug", "SBD is missing: .*benchmark_RELEASE/dataset is not a folder"),
        ("voc/VOCdevkit/VOC2011", "seg11valid", "VOC2011 is missing"),
        ("voc/VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt", "val", r"val\.txt is not a file"),
        ("voc/VOCdevkit/VOC2012/JPEGImages/synthetic_0007.jpg", "val", "JPEGImages lacks 1 of 5, first 'synthetic_0007'"),
        ("voc/VOCdevkit/VOC2012/SegmentationClass/synthetic_0001.png", "train", "SegmentationClass lacks 1 of 6"),
        ("sbd/benchmark_RELEASE/dataset/cls/synthetic_0012.mat", "train_aug", "cls lacks 1 of 4, first 'synthetic_0012'"),
    ],
)
def test_what_is_missing_is_named_with_its_path_and_its_source(copy: Path, removed: str, split: str, named: str) -> None:
    path = copy / removed
    if path.exists():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match=named) as error:
        find(copy, split)
    assert str(copy) in str(error.value)
    assert "unpack " in str(error.value)


def test_lists_that_cannot_be(copy: Path) -> None:
    path = copy / "voc/VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt"
    path.write_text("synthetic_0001\nsynthetic_0000\nsynthetic_0001\n")
    with pytest.raises(DataError, match=r"train\.txt names 'synthetic_0001' more than once"):
        find(copy, "train")
    path.write_text("\n")
    with pytest.raises(DataError, match=r"train\.txt is empty"):
        find(copy, "train")
    shutil.copy(copy / "voc/VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt", copy / "sbd/benchmark_RELEASE/dataset/val.txt")
    with pytest.raises(DataError, match="'val346' has no pictures"):
        find(copy, "val346")


def test_vouch(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = find(copy, "train_aug", "val")
    assert layout.check("train_aug", "val") == Vouch("synthetic", "15 pictures: train_aug 10, val 5")
    (copy / "voc" / "SYNTHETIC.txt").unlink()
    assert layout.check("train", "val").status == "not official"
    assert layout.check("train_aug", "val").status == "synthetic"
    (copy / "sbd" / "SYNTHETIC.txt").unlink()
    assert layout.check("train_aug", "val").status == "not official"
    monkeypatch.setattr(voc, "OFFICIAL_LISTS", {"VOC2012/train": 6, "VOC2012/val": 5, "SBD/train": 5, "SBD/val": 1})
    assert layout.check("train_aug", "val").status == "not official"
    split = voc.SPLITS["train_aug"]
    monkeypatch.setitem(voc.SPLITS, "train_aug", Split(split.lists, split.without, 10))
    monkeypatch.setitem(voc.SPLITS, "val", Split(("VOC2012/val",), (), 5))
    assert layout.check("train_aug", "val") == Vouch("counts", "15 pictures: train_aug 10, val 5")
    (copy / "sbd" / "benchmark_RELEASE" / "NOT_OFFICIAL.txt").write_text("made elsewhere")
    assert layout.check("train_aug", "val").status == "not official"
    assert layout.check("val").status == "counts"


def test_fingerprint_is_of_the_content_and_not_of_the_place(voc_root: Path, copy: Path) -> None:
    fingerprint = find(voc_root).fingerprint("train_aug", "val")
    assert len(fingerprint) == 16
    assert int(fingerprint, 16) >= 0
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
    assert find(copy).fingerprint("train_aug", "val") == fingerprint
    assert find(copy).fingerprint("train", "val") != fingerprint
    alone = find(copy).fingerprint("train", "val")
    shutil.rmtree(copy / "sbd")
    assert find(copy).fingerprint("train", "val") == alone


@pytest.mark.parametrize(
    "changed",
    [
        "voc/VOCdevkit/VOC2012/JPEGImages/synthetic_0001.jpg",
        "voc/VOCdevkit/VOC2012/SegmentationClass/synthetic_0008.png",
        "sbd/benchmark_RELEASE/dataset/img/synthetic_0012.jpg",
        "sbd/benchmark_RELEASE/dataset/cls/synthetic_0012.mat",
        "sbd/NOT_OFFICIAL.txt",
        "voc/VOCdevkit/NOT_OFFICIAL.txt",
    ],
)
def test_fingerprint_follows_every_change(copy: Path, changed: str) -> None:
    before = find(copy).fingerprint("train_aug", "val")
    with (copy / changed).open("ab") as file:
        file.write(b"\n")
    assert find(copy).fingerprint("train_aug", "val") != before


def test_fingerprint_follows_the_lists(copy: Path) -> None:
    before = find(copy).fingerprint("train_aug", "val")
    path = copy / "voc/VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt"
    path.write_text("\n".join(reversed(path.read_text().split())))
    assert find(copy).fingerprint("train_aug", "val") != before


def test_indices_of_a_palette_stay_indices(tmp_path: Path) -> None:
    labels = np.array([[*range(21), 255]], np.uint8).repeat(2, axis=0)
    grey, palette = Image.fromarray(labels), Image.fromarray(labels)
    palette.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
    for name, image in (("grey", grey), ("palette", palette)):
        image.save(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(voc.read_label(tmp_path / f"{name}.png", "VOC2012", (2, 22)), labels)
    few = Image.fromarray(labels[:, :4])
    few.putpalette([200, 0, 0, 1, 2, 3, 200, 0, 0, 9, 9, 9])
    few.save(tmp_path / "few.png", bits=2)
    np.testing.assert_array_equal(voc.read_label(tmp_path / "few.png", "VOC2012", (2, 4)), labels[:, :4])


@pytest.mark.parametrize("label", [21, 100, 254])
def test_other_labels_are_named(tmp_path: Path, label: int) -> None:
    labels = np.zeros((4, 4), np.uint8)
    labels[2, 1] = label
    Image.fromarray(labels).save(tmp_path / "it.png")
    with pytest.raises(DataError, match=rf"it\.png have {label}, which is neither a class \(0 to 20\) nor 255; to replace it\.png"):
        voc.read_label(tmp_path / "it.png", "VOC2012", (4, 4))


def test_broken_labels_are_named(copy: Path) -> None:
    layout = find(copy, "train")
    path = layout.label(layout.samples("train")[0])
    with pytest.raises(DataError, match=r"synthetic_0000\.png are \d+ x \d+ pixels where their picture is 7 x 9"):
        voc.read_label(path, "VOC2012", (9, 7))
    data = path.read_bytes()
    for broken in (b"", data[: len(data) // 2], b"GIF89a" + data[6:]):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=r"synthetic_0000\.png are cut short or are not a PNG"):
            voc.read_label(path, "VOC2012", (9, 7))
    Image.fromarray(np.zeros((9, 7, 3), np.uint8)).save(path)
    with pytest.raises(DataError, match=r"are colours \(mode RGB\)"):
        voc.read_label(path, "VOC2012", (9, 7))
    path.unlink()
    with pytest.raises(DataError, match=r"synthetic_0000\.png cannot be read"):
        voc.read_label(path, "VOC2012", (9, 7))


def test_a_truncated_picture_is_refused(copy: Path) -> None:
    layout = find(copy, "train")
    sample = Sample("VOC2012", "synthetic_0003")
    assert voc.read_image(layout, sample).shape[2] == 3
    path = layout.image(sample)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match=r"synthetic_0003\.jpg is cut short.*VOCtrainval_11-May-2012"):
        voc.read_image(layout, sample)


def test_looking_for_data_imports_nothing_heavy(voc_root: Path) -> None:
    code = (
        "import sys, pathlib, datamodules.layouts.voc as v; s = ('train_aug', 'val'); l = v.find(pathlib.Path(sys.argv[1]), *s); "
        "l.check(*s); l.fingerprint(*s); print([m for m in ('numpy', 'cv2', 'torch', 'lightning', 'PIL', 'scipy') if m in sys.modules])"
    )
    repository = Path(voc.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(voc_root)], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
