"""What the layouts share: reading files with errors that name the remedy, and fingerprints."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray


def read_bytes(path: Path, owner: str, remedy: str) -> bytes:
    """Read a file.

    Args:
        path: The file.
        owner: Beginning of the error message: "Helen's file".
        remedy: End of the error message: how to get another copy.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{owner} {path} cannot be read ({error.strerror}); {remedy}.") from error


def buffer(data: bytes) -> NDArray[np.uint8]:
    """View bytes as the array that OpenCV decodes."""
    import numpy as np

    return np.frombuffer(data, np.uint8)


def read_jpeg(path: Path, owner: str, remedy: str) -> NDArray[np.uint8]:
    """Read a picture as RGB, H W 3.

    Args:
        path: The file.
        owner: Beginning of the error message: "Helen's file".
        remedy: End of the error message: how to get another copy.

    Raises:
        DataError: The file is missing, cut short or not a JPEG.
    """
    from datamodules.opencv import cv2

    data = read_bytes(path, owner, remedy)
    # A decoder fills the rest of a truncated JPEG with grey. Such a file lacks the end marker after its last scan.
    cut = b"\xff\xda" in data[max(0, data.rfind(b"\xff\xd9")) :]
    # Labels belong to the pixels as stored: a rotation in the file's metadata must not be applied.
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels: NDArray[np.uint8] | None = None if cut or not data else cv2.imdecode(buffer(data), flags=flags)
    if pixels is None:
        raise DataError(f"The picture {path} is cut short or is not a JPEG; {remedy}.")
    return pixels


def stems(folder: Path, suffix: str) -> set[str]:
    """Return the names, without `suffix`, of a folder's entries that end with it; none if there is no folder."""
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        return {entry.name.removesuffix(suffix) for entry in entries if entry.name.endswith(suffix)}


def require(listed: Sequence[str], present: Collection[str], what: str, folder: Path, remedy: str) -> None:
    """Check that all listed names are present.

    Args:
        listed: Required names.
        present: Names that are there.
        what: Beginning of the error message: "Helen's pictures".
        folder: The folder that should have them.
        remedy: End of the error message: how to get them.

    Raises:
        DataError: Names are missing; the message has the first one.
    """
    missing = [name for name in listed if name not in present]
    if missing:
        raise DataError(f"{what} are incomplete: {folder} lacks {len(missing)} of {len(listed)}, first {missing[0]!r}; {remedy}.")


def feed(digest: hashlib._Hash, name: str, content: bytes) -> None:
    """Add name and content to a hash, with the length of the content: different lists of pairs never give the same bytes."""
    digest.update(f"{name}\n{len(content)}\n".encode())
    digest.update(content)
