"""A user's own rows beside the published rows, and the specs to build them from; `--with FILE` reads them."""

from reproduce.own.rows import OwnRow
from reproduce.specs import (
    SGD,
    VOC,
    Adam,
    Constant,
    Cosine,
    Group,
    Helen,
    Images,
    MadeFaces,
    MadeImages,
    MadeScenes,
    OwnData,
    OwnNetwork,
    Poly,
    Recipe,
    Start,
    Steps,
)

__all__ = [
    "SGD",
    "VOC",
    "Adam",
    "Constant",
    "Cosine",
    "Group",
    "Helen",
    "Images",
    "MadeFaces",
    "MadeImages",
    "MadeScenes",
    "OwnData",
    "OwnNetwork",
    "OwnRow",
    "Poly",
    "Recipe",
    "Start",
    "Steps",
]
