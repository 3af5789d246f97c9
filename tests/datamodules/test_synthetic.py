from pathlib import Path

import numpy as np
import pytest

from datamodules.layouts import helen
from datamodules.synthetic import write_helen


def test_the_same_seed_gives_the_same_files(data_root: Path, tmp_path: Path) -> None:
    write_helen(tmp_path, exemplars=11, tuning=5, testing=7, size=64, seed=3)
    first = {path.relative_to(data_root): path for path in data_root.rglob("*") if path.is_file()}
    again = {path.relative_to(tmp_path): path for path in tmp_path.rglob("*") if path.is_file()}
    assert first.keys() == again.keys()
    assert all(first[name].read_bytes() == again[name].read_bytes() for name in first)


def test_every_face_has_every_class_and_no_two_are_alike(data_root: Path) -> None:
    layout = helen.find(data_root)
    seen = set()
    missing = 0
    for name in layout.landmarks:
        labels = helen.read_probabilities(layout, name).argmax(axis=0)
        missing += len(set(range(11)) - {8} - set(np.unique(labels).tolist()))  # a mouth may be closed
        seen.add(helen.read_image(layout.image(name)).tobytes())
    assert missing == 0
    assert len(seen) == len(layout.landmarks)


def test_landmarks_are_in_pixels_of_larger_originals(data_root: Path) -> None:
    layout = helen.find(data_root)
    reach = [helen.read_landmarks(path).mean(axis=0)[0] for path in layout.landmarks.values()]
    assert np.std(reach) > 5  # each by a factor of its own
    assert min(reach) > 20


@pytest.mark.parametrize(("argument", "value"), [("exemplars", 0), ("size", 31), ("seed", -1)])
def test_bad_arguments(tmp_path: Path, argument: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` to be at least .*, but got {value}"):
        write_helen(tmp_path, **{"exemplars": 1, "tuning": 1, "testing": 1, "size": 64, "seed": 0, argument: value})
