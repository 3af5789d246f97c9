import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.layouts import helen
from datamodules.synthetic import write_helen

FACES = "SmithCVPR2013_dataset_resized"


@pytest.fixture
def copy(data_root: Path, tmp_path: Path) -> Path:
    shutil.copytree(data_root, tmp_path / "data")
    return tmp_path / "data"


def test_splits_are_read_in_order_and_landmarks_follow_their_first_line(data_root: Path) -> None:
    layout = helen.find(data_root)
    assert {split: len(names) for split, names in layout.splits.items()} == {"exemplars": 11, "tuning": 5, "testing": 7}
    assert layout.splits["exemplars"][:2] == ("synthetic_0000", "synthetic_0001")
    for name, path in layout.landmarks.items():
        assert path.read_text().startswith(f"{name}\n")
    assert [path.stem for path in layout.landmarks.values()] != [str(number) for number in range(1, 24)]


def test_the_helen_folder_itself_is_accepted(data_root: Path) -> None:
    assert helen.find(data_root / "helen") == helen.find(data_root)


@pytest.mark.parametrize(
    ("removed", "named"),
    [
        ("", FACES),
        (FACES, FACES),
        ("annotation", "annotation"),
        (f"{FACES}/tuning.txt", "tuning.txt"),
        (f"{FACES}/images", "images"),
        (f"{FACES}/images/synthetic_0004.jpg", "synthetic_0004"),
        (f"{FACES}/labels/synthetic_0004", "synthetic_0004"),
    ],
)
def test_what_is_missing_is_named_with_its_path_and_its_source(copy: Path, removed: str, named: str) -> None:
    path = copy / "helen" / removed
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match=named) as error:
        helen.find(copy)
    assert str(copy / "helen") in str(error.value)
    assert ".zip" in str(error.value)


def test_a_missing_landmark_file_is_named(copy: Path) -> None:
    helen.find(copy).landmarks["synthetic_0009"].unlink()
    with pytest.raises(DataError, match=r"annotation lacks 1 of 23, first 'synthetic_0009'"):
        helen.find(copy)


def test_vouch(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert helen.find(copy).check() == helen.Vouch("synthetic", "23 faces: 11 / 5 / 7")
    (copy / "helen" / "SYNTHETIC.txt").unlink()
    assert helen.find(copy).check().status == "not official"
    monkeypatch.setattr(helen, "OFFICIAL_COUNTS", {"exemplars": 11, "tuning": 5, "testing": 7})
    assert helen.find(copy).check().status == "counts"
    note = copy / "helen" / FACES / "NOT_OFFICIAL.txt"
    note.write_text("made elsewhere")
    assert helen.find(copy).check().status == "not official"


def test_fingerprint_is_of_the_content_and_not_of_the_place(data_root: Path, copy: Path) -> None:
    fingerprint = helen.find(data_root).fingerprint()
    assert len(fingerprint) == 16
    assert int(fingerprint, 16) >= 0
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
    (copy / "helen" / FACES / "images" / ".DS_Store").write_text("left by a file manager")
    assert helen.find(copy).fingerprint() == fingerprint


@pytest.mark.parametrize("change", ["image", "label", "annotation", "list", "note"])
def test_fingerprint_follows_every_change(copy: Path, change: str) -> None:
    layout = helen.find(copy)
    before = layout.fingerprint()
    path = {
        "image": layout.image("synthetic_0001"),
        "label": layout.label("synthetic_0001", 3),
        "annotation": layout.landmarks["synthetic_0001"],
        "list": copy / "helen" / FACES / "testing.txt",
        "note": copy / "helen" / "NOT_OFFICIAL.txt",
    }[change]
    path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n")
    assert layout.fingerprint() != before


def test_other_faces_have_another_fingerprint(data_root: Path, tmp_path: Path) -> None:
    write_helen(tmp_path, exemplars=11, tuning=5, testing=7, size=64, seed=4)
    assert helen.find(tmp_path).fingerprint() != helen.find(data_root).fingerprint()


def test_read_image_is_rgb(tmp_path: Path) -> None:
    red = np.zeros((8, 6, 3), np.uint8)
    red[..., 2] = 255
    cv2.imwrite(str(tmp_path / "red.jpg"), red)
    pixels = helen.read_image(tmp_path / "red.jpg")
    assert pixels.shape == (8, 6, 3)
    assert pixels[4, 3, 0] > 240
    assert pixels[4, 3, 2] < 15


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_truncated_picture_is_refused(copy: Path, keep: float) -> None:
    path = helen.find(copy).image("synthetic_0002")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DataError, match=r"synthetic_0002\.jpg"):
        helen.read_image(path)


def test_probabilities(data_root: Path) -> None:
    layout = helen.find(data_root)
    maps = helen.read_probabilities(layout, "synthetic_0000")
    assert maps.dtype == np.uint8
    assert maps.shape == (len(helen.CLASSES), *helen.read_image(layout.image("synthetic_0000")).shape[:2])
    assert np.abs(maps.astype(int).sum(axis=0) - 255).max() <= 6  # rounding of up to 11 maps


def test_broken_maps_are_named(copy: Path) -> None:
    layout = helen.find(copy)
    path = layout.label("synthetic_0000", 7)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"_lbl07\.png is cut short"):
        helen.read_probabilities(layout, "synthetic_0000")
    cv2.imwrite(str(path), np.zeros((5, 4), np.uint8))
    with pytest.raises(DataError, match=r"_lbl07\.png is 4 x 5 pixels"):
        helen.read_probabilities(layout, "synthetic_0000")
    path.unlink()
    with pytest.raises(DataError, match=r"_lbl07\.png cannot be read"):
        helen.read_probabilities(layout, "synthetic_0000")


@pytest.mark.parametrize("line", ["", "1.0 , x\n", "1.0 , 2.0 , 3.0\n", "nan , 2.0\n"])
def test_broken_landmarks_are_refused(copy: Path, line: str) -> None:
    path = helen.find(copy).landmarks["synthetic_0000"]
    assert helen.read_landmarks(path).shape == (194, 2)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:-1], line]))
    with pytest.raises(DataError, match=f"annotation/{path.name}"):
        helen.read_landmarks(path)


@pytest.mark.parametrize(
    ("point", "said"),
    [("0 , 0", "from x, y"), ("7.5 , 7.5", "from x, y"), ("{x} , 3", "from x, y"), ("1e308 , {x}", "1e+308"), ("-2e5 , {x}", "-200000.0")],
)
def test_landmarks_that_no_face_has_are_refused_by_name(point: str, said: str, copy: Path) -> None:
    """All on one point or one line, or far outside any picture: they once gave a grey picture without an error."""
    path = helen.find(copy).landmarks["synthetic_0000"]
    first = path.read_text().splitlines()[0]
    path.write_text("\n".join([first, *(point.format(x=number) for number in range(194))]) + "\n")
    with pytest.raises(DataError, match=f"annotation/{path.name} are not those of a face: they reach from x, y = .* pixels") as error:
        helen.read_landmarks(path)
    assert said in str(error.value)


def test_looking_for_data_imports_nothing_heavy(data_root: Path) -> None:
    code = (
        "import sys, pathlib, datamodules.layouts.helen as h; l = h.find(pathlib.Path(sys.argv[1])); l.check(); l.fingerprint(); "
        "print([m for m in ('numpy', 'cv2', 'torch', 'lightning') if m in sys.modules])"
    )
    repository = Path(helen.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(data_root)], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
