"""Published files of weights: what they are called, what they hold, and where they lie."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from reproduce.specs import IMAGENET, Preprocessing, Weights


@dataclass(frozen=True)
class Published:
    """A published file.

    Args:
        name: under `<data root>/weights`.
        sha256: its first digits.
        layout: see `Weights`.
        preprocessing: see `Weights`.
    """

    name: str
    sha256: str
    layout: str
    preprocessing: Preprocessing = IMAGENET

    def under(self, data_root: Path | None) -> Weights | None:
        """Return the file as it is under a data root, or None where there is none."""
        path = None if data_root is None else data_root / "weights" / self.name
        if path is None or not path.exists():
            return None
        return Weights(self.name, _sha256(path), self.layout, self.preprocessing, self.sha256)


IMAGENET_VGG16 = Published("vgg16-397923af.pth", "397923af", "torchvision VGG-16")  # torchvision's


@lru_cache
def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
