"""The settings of jobs: frozen dataclasses of plain values, each named after the class or function that takes them.

A worker builds `lightning_modules.networks` and `datamodules` classes from them by name; a test holds their fields to those
classes' arguments. Defaults are left out of a job's identity, so a new field with a default keeps every old run.
"""

from reproduce.specs.data import VOC, Data, Helen, Images, MadeFaces, MadeImages, MadeScenes, OwnData
from reproduce.specs.networks import (
    AdaptiveVGG,
    AllCNN,
    CIFARResNet,
    EfficientNetB0,
    ImageNetwork,
    Jet,
    MultiPathVGG,
    Network,
    NiN,
    OwnNetwork,
    ToyCNN,
)
from reproduce.specs.plain import NOT_IDENTITY
from reproduce.specs.runtime import Runtime, Wandb
from reproduce.specs.training import InflationSweep, Recipe, Weights

__all__ = [
    "NOT_IDENTITY",
    "VOC",
    "AdaptiveVGG",
    "AllCNN",
    "CIFARResNet",
    "Data",
    "EfficientNetB0",
    "Helen",
    "ImageNetwork",
    "Images",
    "InflationSweep",
    "Jet",
    "MadeFaces",
    "MadeImages",
    "MadeScenes",
    "MultiPathVGG",
    "Network",
    "NiN",
    "OwnData",
    "OwnNetwork",
    "Recipe",
    "Runtime",
    "ToyCNN",
    "Wandb",
    "Weights",
]
