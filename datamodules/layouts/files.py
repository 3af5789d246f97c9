"""What the layouts share: reading files so that a broken one is named with its remedy, and identifying content."""

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
        path: the file.
        owner: whose it is, as the sentence begins: "Helen's file".
        remedy: how to get another copy.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{owner} {path} cannot be read ({error.strerror}); {remedy}.") from error


def buffer(data: bytes) -> NDArray[np.uint8]:
    """View bytes as what OpenCV decodes."""
    import numpy as np

    return np.frombuffer(data, np.uint8)


def read_jpeg(path: Path, owner: str, remedy: str) -> NDArray[np.uint8]:
    """Read a picture as RGB, H W 3.

    Args:
        path: the file.
        owner: whose it is, as the sentence begins: "Helen's file".
        remedy: how to get another copy.

    Raises:
        DataError: the file is missing, cut short or no JPEG.
    """
    from datamodules.opencv import cv2

    data = read_bytes(path, owner, remedy)
    # A decoder fills the rest of a truncated JPEG with grey and carries on; what such a file lacks is the end marker after its last scan.
    cut = b"\xff\xda" in data[max(0, data.rfind(b"\xff\xd9")) :]
    # Labels were drawn on the pixels as stored, so a rotation that the file asks for must not be applied.
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels: NDArray[np.uint8] | None = None if cut or not data else cv2.imdecode(buffer(data), flags=flags)
    if pixels is None:
        raise DataError(f"The picture {path} is cut short or is no JPEG; {remedy}.")
    return pixels


def stems(folder: Path, suffix: str) -> set[str]:
    """Names, without `suffix`, of what in a folder ends with it; none where there is no folder."""
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        return {entry.name.removesuffix(suffix) for entry in entries if entry.name.endswith(suffix)}


def require(listed: Sequence[str], present: Collection[str], what: str, folder: Path, remedy: str) -> None:
    """Make sure that all that is listed is there.

    Args:
        listed: names.
        present: names, too.
        what: what they name and whose, as the sentence begins: "Helen's pictures".
        folder: where they should lie.
        remedy: how to get them.

    Raises:
        DataError: a name is not there; the first such is in the sentence.
    """
    missing = [name for name in listed if name not in present]
    if missing:
        raise DataError(f"{what} are incomplete: {folder} lacks {len(missing)} of {len(listed)}, first {missing[0]!r}; {remedy}.")


def feed(digest: hashlib._Hash, name: str, content: bytes) -> None:
    """Hash name and content with their lengths, so that no two lists of pairs read the same."""
    digest.update(f"{name}\n{len(content)}\n".encode())
    digest.update(content)
