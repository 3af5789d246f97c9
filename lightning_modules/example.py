"""Samples of an evaluation, for people to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Example:
    """One picture with its ground truth and its prediction.

    Args:
        image: Picture, H W 3 or H W 1; bytes.
        caption: Caption, such as "cat, predicted dog".
        masks: Classes of the pixels, H W, by name of the mask: "ground truth", "prediction"; 255 for ignored pixels.
        classes: Names of the classes.
    """

    image: NDArray[np.uint8]
    caption: str = ""
    masks: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()


def pictures_of(data: Any, image: Any) -> Any:
    """Convert normalised pictures, tensors B C H W, back to bytes, B H W C.

    The datamodule's method `pictures` undoes its normalisation. Without this method, assume ImageNet's mean and standard deviation.
    """
    if hasattr(data, "pictures"):
        return data.pictures(image).cpu().numpy()
    mean, std = (image.new_tensor(values).view(-1, 1, 1) * 255 for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return (image * std + mean).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
