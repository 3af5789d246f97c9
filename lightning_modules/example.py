"""What of an evaluation can be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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


def pictures_of(data: Any, image: Any) -> Any:
    """Bring normalised pictures, tensors B C H W, back to bytes that can be looked at, B H W C, as the datamodule normalised them.

    One that does not say how (a method `pictures`) is taken to normalise by ImageNet's mean and deviation.
    """
    if hasattr(data, "pictures"):
        return data.pictures(image).cpu().numpy()
    mean, std = (image.new_tensor(values).view(-1, 1, 1) * 255 for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return (image * std + mean).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
