import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from datamodules.errors import DataError
from datamodules.layouts import sbd
from datamodules.layouts.voc import Sample, find


@pytest.fixture
def copy(voc_root: Path, tmp_path: Path) -> Path:
    shutil.copytree(voc_root, tmp_path / "data")
    return tmp_path / "data"


def test_labels_are_decoded_once_and_unchanged(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = find(copy, "train_aug")
    folder = sbd.decode(layout, tmp_path / "cache")
    names = layout.names("SBD/train") + layout.names("SBD/val")
    assert sorted(path.stem for path in folder.iterdir()) == sorted(names)
    for name in names:
        expected = loadmat(layout.label(Sample("SBD", name)))["GTcls"][0]["Segmentation"][0]
        np.testing.assert_array_equal(np.array(Image.open(folder / f"{name}.png")), expected)
    monkeypatch.setattr(sbd, "read_mat", lambda *_: pytest.fail("decoded again"))
    assert sbd.decode(layout, tmp_path / "cache") == folder
    monkeypatch.undo()
    savemat(layout.label(Sample("SBD", names[0])), {"GTcls": {"Segmentation": np.zeros((90, 90), np.uint8)}})
    assert sbd.decode(layout, tmp_path / "cache") != folder


def test_broken_labels_are_named(copy: Path, tmp_path: Path) -> None:
    layout = find(copy, "train_aug")
    path = layout.label(Sample("SBD", "synthetic_0012"))
    data = path.read_bytes()
    for broken in (b"", data[:60], data[:-40]):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=r"synthetic_0012\.mat are cut short or are not a MATLAB file"):
            sbd.decode(layout, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("sbd-*"))
    for content, message in (
        ({"Other": 1}, "not a MATLAB file with `GTcls.Segmentation`"),
        ({"GTcls": {"Segmentation": np.zeros((3, 4))}}, "are not H x W bytes"),
        ({"GTcls": {"Segmentation": np.full((3, 4), 21, np.uint8)}}, "have 21, which is neither a class"),
    ):
        savemat(path, content)
        with pytest.raises(DataError, match=rf"synthetic_0012\.mat.* {message}"):
            sbd.read_mat(path)
    path.unlink()
    with pytest.raises(DataError, match=r"synthetic_0012\.mat cannot be read"):
        sbd.decode(layout, tmp_path / "cache")


def test_a_cache_that_cannot_be(voc_root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="set `cache` to another folder"):
        sbd.decode(find(voc_root), tmp_path / "file")
