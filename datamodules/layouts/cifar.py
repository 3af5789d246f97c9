"""CIFAR-10 and CIFAR-100: the binary version and the Python version, which has pickles.

Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images", whose page describes both.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

from datamodules.layouts.image_set import File, ImageSet, Pictures, Version

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHAPE = (3, 32, 32)
_VALUES = 3 * 32 * 32
_LABELS = ("labels", "fine_labels")  # of CIFAR-10, of CIFAR-100

_FINE_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle caterpillar cattle chair
chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo
keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter
palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip
turtle wardrobe whale willow_tree wolf woman worm
"""


class Refused(pickle.UnpicklingError):
    """A pickle asks for something other than arrays and plain types."""


def read_binary(part: tuple[File, ...]) -> Pictures:
    """Read a binary file of CIFAR-10: per picture one byte of label and 3072 bytes of pixels, channel by channel.

    Raises:
        DataError: The file cannot be read, or ends within a picture.
    """
    return _records(part[0], 1)


def read_binary_fine(part: tuple[File, ...]) -> Pictures:
    """Read a binary file of CIFAR-100: like CIFAR-10's, but with a coarse label, which is ignored, before the fine one.

    Raises:
        DataError: The file cannot be read, or ends within a picture.
    """
    return _records(part[0], 2)


def _records(file: File, labels: int) -> Pictures:
    import numpy as np

    data = file.content()
    if not data or len(data) % (labels + _VALUES):
        raise file.error(f"has {len(data)} bytes, which is not a multiple of the {labels + _VALUES} of one picture")
    rows = np.frombuffer(data, np.uint8).reshape(-1, labels + _VALUES)
    return Pictures(rows[:, labels:].reshape(-1, *_SHAPE), rows[:, labels - 1])


def read_pickle(part: tuple[File, ...]) -> Pictures:
    """Read a file of the Python version: a pickled dictionary with `data`, N 3072, and `labels` or `fine_labels`.

    Only arrays of bytes and plain types are unpickled. A pickle that asks for anything else is refused: nothing that it names is imported
    or called.

    Raises:
        DataError: The file cannot be read, asks for something else, or has other content.
    """
    import numpy as np

    file = part[0]
    try:
        content = _Unpickler(io.BytesIO(file.content()), encoding="latin1").load()
    except Refused as error:
        raise file.error(f"asks for {error}, which is neither an array nor a plain type, and was refused") from error
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError, MemoryError) as error:
        raise file.error("is cut short or is not a pickle of arrays and plain types") from error
    fields = content if isinstance(content, dict) else {}
    data, labels = fields.get("data"), next((fields[name] for name in _LABELS if name in fields), None)
    pixels = data.values if isinstance(data, _Array) else None
    if pixels is None or pixels.shape[1:] != (_VALUES,):
        raise file.error(f"has no `data` of N x {_VALUES} bytes")
    if not isinstance(labels, list) or not all(type(label) is int and abs(label) < 2**31 for label in labels):
        raise file.error("has no list of integers `labels` or `fine_labels`")
    return Pictures(pixels.reshape(-1, *_SHAPE), np.array(labels, np.int64))


class _Array:
    """Replaces NumPy's array and its constructor while a pickle is read. It keeps the bytes and runs no code of NumPy for the pickle."""

    __slots__ = ("values",)

    values: NDArray[np.uint8] | None

    def __init__(self, *_: object) -> None:
        self.values = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        import numpy as np

        _, shape, _, fortran, data = state
        raw = data.encode("latin1") if isinstance(data, str) else data  # bytes of Python 2 are read as text
        self.values = np.frombuffer(raw, np.uint8).reshape(shape, order="F" if fortran else "C")


class _Byte:
    """Replaces NumPy's data type while a pickle is read. Only bytes are allowed."""

    __slots__ = ()

    def __init__(self, code: str, *_: object) -> None:
        if code != "u1":
            raise Refused(f"an array of {code!r}")

    def __setstate__(self, _: object) -> None: ...


class _Unpickler(pickle.Unpickler):
    """Unpickles arrays of bytes and plain types only; NumPy's names give harmless replacements."""

    _ALLOWED: dict[tuple[str, str], Any] = {  # noqa: RUF012 - never changed
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Byte,
        ("_codecs", "encode"): str.encode,  # how Python 3 writes bytes for Python 2
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise Refused(f"{module}.{name}")
        return self._ALLOWED[module, name]


# Source of CIFAR-10's mean and standard deviation: the public code of the N-Jet paper. Its deviation is the mean of the deviations of the
# pictures; that of all training pixels is (0.2470, 0.2435, 0.2616). Not in paper: CIFAR-100's, which are those of all training pixels.
CIFAR10 = ImageSet(
    title="CIFAR-10",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    shape=_SHAPE,
    official={"train": 50000, "test": 10000},
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2023, 0.1994, 0.2010),
    versions=(
        Version(
            places=("cifar10/cifar-10-batches-bin", "cifar-10-batches-bin"),
            parts={"train": tuple((f"data_batch_{number}.bin",) for number in range(1, 6)), "test": (("test_batch.bin",),)},
            get="unpack cifar-10-binary.tar.gz, from the page of CIFAR-10, so that it lies there",
            read=read_binary,
        ),
        Version(
            places=("cifar10/cifar-10-batches-py", "cifar-10-batches-py"),
            parts={"train": tuple((f"data_batch_{number}",) for number in range(1, 6)), "test": (("test_batch",),)},
            get="unpack cifar-10-python.tar.gz, from the page of CIFAR-10, so that it lies there",
            read=read_pickle,
            checksums={
                "data_batch_1": "c99cafc152244af753f735de768cd75f",
                "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                "data_batch_4": "634d18415352ddfa80567beed471001a",
                "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
                "test_batch": "40351d587109b95175f43aff81a1287e",
            },
        ),
    ),
)
CIFAR100 = ImageSet(
    title="CIFAR-100",
    classes=tuple(_FINE_CLASSES.split()),
    shape=_SHAPE,
    official={"train": 50000, "test": 10000},
    mean=(0.5071, 0.4865, 0.4409),
    std=(0.2673, 0.2564, 0.2762),
    versions=(
        Version(
            places=("cifar100/cifar-100-binary", "cifar-100-binary"),
            parts={"train": (("train.bin",),), "test": (("test.bin",),)},
            get="unpack cifar-100-binary.tar.gz, from the page of CIFAR-100, so that it lies there",
            read=read_binary_fine,
        ),
        Version(
            places=("cifar100/cifar-100-python", "cifar-100-python"),
            parts={"train": (("train",),), "test": (("test",),)},
            get="unpack cifar-100-python.tar.gz, from the page of CIFAR-100, so that it lies there",
            read=read_pickle,
            checksums={"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
        ),
    ),
)
