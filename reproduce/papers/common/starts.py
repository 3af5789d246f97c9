"""Published weights that experiments start from."""

from __future__ import annotations

from reproduce.jobs.weights import IMAGENET_VGG16
from reproduce.specs import Start
from reproduce.table import Setting


def imagenet_vgg16(setting: Setting, fresh: tuple[str, ...]) -> Start | None:
    """Return the start from ImageNet's VGG-16 in the profile `paper`; None in other profiles, or if the file is missing.

    Args:
        setting: Choices of the user.
        fresh: Names of the modules that the network has and the file lacks.
    """
    weights = IMAGENET_VGG16.under(setting.data_root) if setting.profile == "paper" else None
    return None if weights is None else Start(weights, fresh=fresh)


def random_start(setting: Setting) -> str:
    """Return the caveat if the profile is `paper` and the VGG-16 file is missing; else an empty string."""
    there = setting.data_root is not None and (setting.data_root / "weights" / IMAGENET_VGG16.name).exists()
    return "started from random weights" if setting.profile == "paper" and not there else ""
