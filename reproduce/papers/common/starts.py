"""The published weights that experiments start from."""

from __future__ import annotations

from reproduce.jobs.weights import IMAGENET_VGG16
from reproduce.specs import Start
from reproduce.table import Setting


def imagenet_vgg16(setting: Setting, fresh: tuple[str, ...]) -> Start | None:
    """Return the stage that takes ImageNet's VGG-16 in the profile `paper`; None in the others, and where the file is not there.

    Args:
        setting: what the user chose.
        fresh: what the network has and the file does not.
    """
    weights = IMAGENET_VGG16.under(setting.data_root) if setting.profile == "paper" else None
    return None if weights is None else Start(weights, fresh=fresh)


def random_start(setting: Setting) -> str:
    """Return the caveat of numbers that lack ImageNet's VGG-16."""
    there = setting.data_root is not None and (setting.data_root / "weights" / IMAGENET_VGG16.name).exists()
    return "started from random weights" if setting.profile == "paper" and not there else ""
