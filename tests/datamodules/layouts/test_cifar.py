import argparse
import io
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.layouts import cifar
from datamodules.layouts.image_set import File, find

BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def python_2(data: np.ndarray[Any, Any], labels: list[int], key: str) -> bytes:
    """Pickle a batch as Python 2 did, whose text is bytes: so are the published files."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"tR"
    kind = b"cnumpy\ndtype\n(" + text(b"u1") + number(0) + number(1) + b"tR(" + number(3) + text(b"|") + b"NNN" + number(-1) * 2
    kind += number(0) + b"tb"
    shape = number(data.shape[0]) + number(data.shape[1]) + b"\x86"
    array += b"(" + number(1) + shape + kind + b"\x89" + text(data.tobytes()) + b"tb"
    listed = b"](" + b"".join(number(label) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(key.encode()) + listed + text(b"batch_label") + text(b"training \xff") + b"u."


def written(folder: Path, data: bytes) -> File:
    (folder / "batch").write_bytes(data)
    return File(folder / "batch", "CIFAR-10", "get it")


@pytest.mark.parametrize("by", ["Python 2", 2, 3, 4])
def test_pickles_are_the_binary_files(images_root: Path, tmp_path: Path, by: str | int) -> None:
    binary = find(images_root, cifar.CIFAR10)
    folder = tmp_path / "cifar10" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in BATCHES:
        images, labels = cifar.read_binary((binary.file(f"{name}.bin"),))
        data, classes = images.reshape(len(images), -1), labels.tolist()
        content = {"data": data, "labels": classes, "filenames": [f"{name}.png"]}
        (folder / name).write_bytes(python_2(data, classes, "labels") if by == "Python 2" else pickle.dumps(content, protocol=int(by)))
    layout = find(tmp_path, cifar.CIFAR10)
    assert layout.place == "cifar10/cifar-10-batches-py"
    for split in ("train", "test"):
        np.testing.assert_array_equal(layout.splits[split].images, binary.splits[split].images)
        np.testing.assert_array_equal(layout.splits[split].labels, binary.splits[split].labels)
    assert layout.check().status == "not official"


def test_cifar100_has_fine_labels(images_root: Path, tmp_path: Path) -> None:
    layout = find(images_root, cifar.CIFAR100)
    images, labels = layout.splits["train"]
    rows = np.fromfile(layout.file("train.bin").path, np.uint8).reshape(-1, 3074)
    np.testing.assert_array_equal(labels, rows[:, 1])
    np.testing.assert_array_equal(images.reshape(-1, 3072), rows[:, 2:])
    coarse = pickle.dumps({"data": rows[:, 2:], "coarse_labels": rows[:, 0].tolist(), "fine_labels": labels.tolist()}, protocol=2)
    for data in (coarse, python_2(rows[:, 2:], labels.tolist(), "fine_labels")):
        theirs = cifar.read_pickle((written(tmp_path, data),))
        np.testing.assert_array_equal(theirs.images, images)
        np.testing.assert_array_equal(theirs.labels, labels)
    assert len(set(cifar.CIFAR100.classes)) == 100
    assert list(cifar.CIFAR100.classes) == sorted(cifar.CIFAR100.classes)


def test_an_array_may_lie_column_by_column(tmp_path: Path) -> None:
    data = np.arange(2 * 3072).reshape(2, 3072).astype(np.uint8)
    file = written(tmp_path, pickle.dumps({"data": np.asfortranarray(data), "labels": [4, 2]}, protocol=2))
    np.testing.assert_array_equal(cifar.read_pickle((file,)).images.reshape(2, -1), data)


def test_binary_files_that_end_within_a_picture(images_root: Path, tmp_path: Path) -> None:
    data = find(images_root, cifar.CIFAR10).file("test_batch.bin").path.read_bytes()
    for broken in (b"", data[:-1], data[:3000]):
        with pytest.raises(DataError, match=rf"batch has {len(broken)} bytes, which is not a multiple of the 3073 of one picture"):
            cifar.read_binary((written(tmp_path, broken),))


class Call:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_calls_is_refused_and_nothing_is_called(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    good = {"data": np.zeros((1, 3072), np.uint8), "labels": [0]}
    for call in (Call(Path.touch, trace), Call(exec, f"open({str(trace)!r}, 'w')"), Call(eval, "1"), Call(np.load, str(trace))):
        file = written(tmp_path, pickle.dumps(good | {"more": call}, protocol=protocol))
        with pytest.raises(DataError, match=r"batch asks for \S+, which is neither an array nor a plain type, and was refused; to replace"):
            cifar.read_pickle((file,))
    assert not trace.exists()
    # What it would have done where nothing is refused.
    pickle.loads(pickle.dumps(Call(exec, f"open({str(trace)!r}, 'w').close()"), protocol=protocol))
    assert trace.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cos\nsystem\n(U\x04exitR.",
        b"\x80\x02cnumpy\nndarray.tofile\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.__class__\x93.",
        b"\x80\x02cdatamodules.layouts.cifar\nos\n.",
        b"\x82\x01.",  # by a registered extension
        b"Pname\n.",  # by a persistent name
    ],
)
def test_other_ways_out_are_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match=r"batch (asks for|is cut short)"):
        cifar.read_pickle((written(tmp_path, data),))


@pytest.mark.parametrize("kind", [np.float32, np.object_, np.uint16])
def test_arrays_of_other_types_are_refused(tmp_path: Path, kind: Any) -> None:
    data = pickle.dumps({"data": np.zeros((1, 3072), kind), "labels": [0]}, protocol=2)
    with pytest.raises(DataError, match="asks for an array of"):
        cifar.read_pickle((written(tmp_path, data),))


def test_what_is_let_in_cannot_be_changed_by_a_pickle() -> None:
    def attack(module: str, name: str) -> io.BytesIO:
        return io.BytesIO(f"\x80\x02c{module}\n{name}\nN}}U\x05stainK\x01s\x86b.".encode("latin1"))

    pickle.Unpickler(attack("argparse", "ngettext")).load()  # it works where a function is let in as it is
    assert argparse.ngettext.stain == 1  # type: ignore[attr-defined]
    del argparse.ngettext.stain  # type: ignore[attr-defined]
    for (module, name), stand_in in cifar._Unpickler._ALLOWED.items():
        with pytest.raises((TypeError, AttributeError)):
            cifar._Unpickler(attack(module, name), encoding="latin1").load()
        assert not hasattr(stand_in, "stain")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "has no `data` of N x 3072 bytes"),
        ({"labels": [0]}, "has no `data`"),
        ({"data": [0] * 3072, "labels": [0]}, "has no `data`"),
        ({"data": np.zeros((1, 3071), np.uint8), "labels": [0]}, "has no `data`"),
        ({"data": np.zeros((1, 3072), np.uint8)}, "has no list of integers"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": ["cat"]}, "has no list of integers"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [2**80]}, "has no list of integers"),
    ],
)
def test_pickles_of_other_things_are_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"batch {message}"):
        cifar.read_pickle((written(tmp_path, pickle.dumps(content, protocol=2)),))


def test_a_pickle_cut_short_anywhere_is_named(tmp_path: Path) -> None:
    data = python_2(np.zeros((1, 3072), np.uint8), [3], "labels")
    assert cifar.read_pickle((written(tmp_path, data),)).labels.tolist() == [3]
    for length in [*range(0, 260), 3000, len(data) - 1]:
        with pytest.raises(DataError, match="batch is cut short or is not a pickle"):
            cifar.read_pickle((written(tmp_path, data[:length]),))
