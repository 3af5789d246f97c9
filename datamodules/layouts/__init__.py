"""The official files of each data set: where they lie and how they are read.

Nothing here imports torch; numpy and OpenCV are imported when a file is read, so that looking for data costs little. The modules that specs
ask for are imported when they are first asked.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datamodules.layouts import helen as helen
    from datamodules.layouts import images as images
    from datamodules.layouts import voc as voc


def __getattr__(name: str) -> Any:
    if name not in ("helen", "images", "voc"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")
