from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.layouts import sbd, voc
from datamodules.layouts.voc import Sample
from datamodules.synthetic_voc import palette, write_voc


def test_the_same_seed_gives_the_same_files(voc_root: Path, tmp_path: Path) -> None:
    write_voc(tmp_path, train=6, val=5, size=64, seed=3, sbd=4)
    first = {path.relative_to(voc_root): path for path in voc_root.rglob("*") if path.is_file()}
    again = {path.relative_to(tmp_path): path for path in tmp_path.rglob("*") if path.is_file()}
    assert first.keys() == again.keys()
    assert [name for name in first if first[name].read_bytes() != again[name].read_bytes()] == []


def test_other_scenes_have_another_fingerprint(voc_root: Path, tmp_path: Path) -> None:
    write_voc(tmp_path, train=6, val=5, size=64, seed=4)
    assert voc.find(tmp_path).fingerprint("train", "val") != voc.find(voc_root).fingerprint("train", "val")


def test_scenes_have_every_class_background_and_borders(tmp_path: Path) -> None:
    write_voc(tmp_path, train=80, val=1, size=100, seed=0)
    layout = voc.find(tmp_path, "train")
    seen, shares, images = set(), [], set()
    for sample in layout.samples("train"):
        image = voc.read_image(layout, sample)
        labels = voc.read_label(layout.label(sample), "VOC2012", image.shape[:2])
        seen |= set(np.unique(labels).tolist())
        shares.append((labels == 0).mean())
        images.add(image.tobytes())
        assert max(image.shape) == 100
        assert min(image.shape[:2]) >= 66
    assert seen == {*range(21), 255}
    assert 0.3 < np.mean(shares) < 0.95
    assert len(images) == 80


def test_sbd_shares_pictures_with_voc_and_has_no_borders(voc_root: Path) -> None:
    layout = voc.find(voc_root, "train_aug", "train_all", "val346")
    assert [len(layout.samples(split)) for split in ("train_aug", "train_all", "val346")] == [10, 11, 4]
    for name in layout.names("SBD/train")[:1] + layout.names("SBD/val"):
        theirs = sbd.read_mat(layout.label(Sample("SBD", name)))
        ours = voc.read_label(layout.label(Sample("VOC2012", name)), "VOC2012", theirs.shape)
        assert 255 not in theirs
        np.testing.assert_array_equal(ours[ours != 255], theirs[ours != 255])


def test_colours_are_those_of_voc(voc_root: Path) -> None:
    colours = [tuple(palette()[3 * index : 3 * index + 3]) for index in range(256)]
    assert colours[:5] == [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]
    assert (colours[20], colours[255]) == ((0, 64, 128), (224, 224, 192))
    with Image.open(voc.find(voc_root).label(Sample("VOC2012", "synthetic_0000"))) as image:
        assert image.mode == "P"
        assert image.getpalette()[: 3 * 21] == palette()[: 3 * 21]


@pytest.mark.parametrize(("argument", "value"), [("train", 0), ("val", 0), ("size", 31), ("seed", -1), ("sbd", -1)])
def test_bad_arguments(tmp_path: Path, argument: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` to be at least .*, but got {value}"):
        write_voc(tmp_path, **{"train": 1, "val": 1, "size": 64, "seed": 0, argument: value})
