"""SBD's labels are MATLAB files, which are slow to read. They are decoded once to PNGs of indices.

Source: Hariharan et al. 2011, "Semantic contours from inverse detectors".
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.cache import build_once
from datamodules.errors import DataError
from datamodules.layouts import files
from datamodules.layouts.voc import Sample, VocLayout, check_labels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


REVISION = 1  # Raise it when the decoding changes: older decoded copies are then not used again.


def read_mat(path: Path) -> NDArray[np.uint8]:
    """Read the class labels of one `.mat` file of SBD: H W, 0 to 20.

    Raises:
        DataError: The file is broken, has no labels, or a label is not a class.
    """
    import numpy as np
    from scipy.io import loadmat

    remedy = f"to replace {path.name}, unpack benchmark.tgz, from the page of Hariharan et al. 2011 (SBD), so that it lies there"
    try:
        labels = loadmat(path)["GTcls"][0]["Segmentation"][0]
    except Exception as error:  # on broken files SciPy raises a dozen types, also of zlib and struct
        raise DataError(f"The labels {path} are cut short or are not a MATLAB file with `GTcls.Segmentation`; {remedy}.") from error
    if not isinstance(labels, np.ndarray) or labels.ndim != 2 or labels.dtype != np.uint8:
        raise DataError(f"The labels {path} are not H x W bytes; {remedy}.")
    check_labels(labels, path, "SBD")
    return labels


def decode(layout: VocLayout, cache: Path) -> Path:
    """Decode all of SBD's labels once, into a folder of the cache whose name depends on the files' names and sizes.

    Args:
        layout: The files of SBD.
        cache: The folder in which the decoded labels are kept.

    Returns:
        The folder of decoded labels: one `<name>.png` per picture, whose values are classes.

    Raises:
        DataError: A file of SBD is missing or broken, or the cache cannot be written to.
    """
    samples = [Sample("SBD", name) for name in dict.fromkeys(layout.names("SBD/train") + layout.names("SBD/val"))]
    digest = hashlib.sha256()
    try:
        lines = (f"{sample.name}\t{layout.label(sample).stat().st_size}" for sample in samples)
        files.feed(digest, "SBD", "\n".join(lines).encode())
    except OSError as error:
        raise DataError(f"SBD's file {error.filename} cannot be read ({error.strerror}); unpack benchmark.tgz again.") from error
    try:
        return build_once(cache / f"sbd-{digest.hexdigest()[:16]}-r{REVISION}", lambda folder: _write(layout, samples, folder))
    except OSError as error:
        raise DataError(f"Cannot write decoded labels to {cache} ({error.strerror}); set `cache` to another folder.") from error


def _write(layout: VocLayout, samples: list[Sample], folder: Path) -> None:
    from datamodules.opencv import cv2

    for sample in samples:
        # OpenCV's own writing reports no error on a full disk.
        png = cv2.imencode(".png", img=read_mat(layout.label(sample)))[1]
        (folder / f"{sample.name}.png").write_bytes(png.tobytes())
