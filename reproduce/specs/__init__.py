"""Settings of jobs: frozen dataclasses of plain values. Each names the class or function that takes its values.

A worker calls the class or function that a spec's `target` names. A test checks the fields of every spec against the arguments of its
target. A job's identity leaves out defaults, so a new field with a default keeps every old run. A paper's specs are in its module `specs`.
"""

from lightning_modules.inference import Inference
from lightning_modules.quantity import Quantity
from lightning_modules.recipe import SGD, Adam, Constant, Cosine, Group, Poly, Steps
from reproduce.specs.data import VOC, Data, Helen, Images, OwnData
from reproduce.specs.made import Made, MadeFaces, MadeImages, MadeScenes
from reproduce.specs.networks import Network, OwnNetwork
from reproduce.specs.plain import NOT_IDENTITY, Spec
from reproduce.specs.runtime import Runtime, Wandb
from reproduce.specs.tasks import POSITIVE, SHARE, Classification, Describe, Measurement, Segmentation, Speed, Task, Training
from reproduce.specs.training import CAFFE, IMAGENET, Preprocessing, Recipe, Start, Weights

__all__ = [
    "CAFFE",
    "IMAGENET",
    "NOT_IDENTITY",
    "POSITIVE",
    "SGD",
    "SHARE",
    "VOC",
    "Adam",
    "Classification",
    "Constant",
    "Cosine",
    "Data",
    "Describe",
    "Group",
    "Helen",
    "Images",
    "Inference",
    "Made",
    "MadeFaces",
    "MadeImages",
    "MadeScenes",
    "Measurement",
    "Network",
    "OwnData",
    "OwnNetwork",
    "Poly",
    "Preprocessing",
    "Quantity",
    "Recipe",
    "Runtime",
    "Segmentation",
    "Spec",
    "Speed",
    "Start",
    "Steps",
    "Task",
    "Training",
    "Wandb",
    "Weights",
]
