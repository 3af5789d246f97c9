"""The data: one LightningDataModule per data set, reading its official layout.

Importing this package imports neither torch nor lightning, so that listing and planning tables stay fast:
each datamodule is loaded at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from datamodules.errors import DataError
from datamodules.vouch import Vouch

if TYPE_CHECKING:
    from datamodules.helen import HelenDataModule
    from datamodules.images import ImagesDataModule
    from datamodules.voc import VOCDataModule

__all__ = ["DataError", "HelenDataModule", "ImagesDataModule", "VOCDataModule", "Vouch"]


def __getattr__(name: str) -> object:
    """Load a datamodule, and torch with it, when it is first asked for."""
    if name == "HelenDataModule":
        from datamodules.helen import HelenDataModule

        return HelenDataModule
    if name == "ImagesDataModule":
        from datamodules.images import ImagesDataModule

        return ImagesDataModule
    if name == "VOCDataModule":
        from datamodules.voc import VOCDataModule

        return VOCDataModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
