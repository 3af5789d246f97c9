"""Published weight files: names, contents, paths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from reproduce.jobs.store import sha256_of
from reproduce.specs import IMAGENET, Preprocessing, Weights


@dataclass(frozen=True)
class PublishedWeights:
    """A published weight file.

    Args:
        name: Name of the file under `<data root>/weights`.
        sha256: First digits of its SHA-256.
        layout: See `Weights`.
        preprocessing: See `Weights`.
    """

    name: str
    sha256: str
    layout: str
    preprocessing: Preprocessing = IMAGENET

    def under(self, data_root: Path | None) -> Weights | None:
        """Return the spec of the file under a data root, or None if it is not there."""
        path = None if data_root is None else data_root / "weights" / self.name
        if path is None or not path.exists():
            return None
        return Weights(self.name, _sha256(path), self.layout, self.preprocessing, self.sha256)


IMAGENET_VGG16 = PublishedWeights("vgg16-397923af.pth", "397923af", "torchvision VGG-16")  # torchvision's


@lru_cache
def _sha256(path: Path) -> str:
    return sha256_of(path)
