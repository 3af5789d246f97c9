"""Import `cv2` from here: if OpenCV does not load, the error says how to repair it."""

from __future__ import annotations

try:
    import cv2
except ImportError as error:
    raise ImportError(
        f"OpenCV does not load ({error}): install what it needs of the system (Debian, Ubuntu: `apt-get install libgl1 libglib2.0-0`), "
        "or replace the package opencv-python by opencv-python-headless."
    ) from error

__all__ = ["cv2"]
