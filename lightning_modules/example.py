"""What of an evaluation can be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Example:
    """One picture with what is true of it and what was predicted.

    Args:
        image: H W 3, or H W 1; bytes.
        caption: in words, such as "cat, predicted dog".
        masks: classes of pixels, H W, by what they are: "ground truth", "prediction"; 255 where ignored.
        classes: their names.
    """

    image: NDArray[np.uint8]
    caption: str = ""
    masks: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
