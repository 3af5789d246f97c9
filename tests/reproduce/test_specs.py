"""Specs name exactly the arguments of what they build."""

from __future__ import annotations

import dataclasses
import inspect
from typing import get_args

import pytest

from datamodules.images import ImagesDataModule
from datamodules.synthetic import write_helen
from datamodules.synthetic_images import write_images
from datamodules.synthetic_voc import write_voc
from datamodules.voc import VOCDataModule
from lightning_modules.classification import ImageClassification
from lightning_modules.layers.njet import NJetConv2d
from lightning_modules.networks.adaptive_vgg import AdaptiveVGG
from lightning_modules.networks.all_cnn import AllCNN
from lightning_modules.networks.cifar_resnet import CIFARResNet
from lightning_modules.networks.efficientnet import EfficientNetB0
from lightning_modules.networks.multi_path_vgg import MultiPathVGG
from lightning_modules.networks.nin import NiN
from lightning_modules.networks.toy_cnn import ToyCNN
from lightning_modules.segmentation import SemanticSegmentation
from reproduce import specs
from reproduce.building import MADE, NETWORKS
from reproduce.job import SPECS

# What the spec has and the callable has not: the loop's own, and what only identifies.
OWN = {"steps", "batch_size", "revision", "fingerprint", "made"}
# What the callable has and the spec has not: given by the job.
GIVEN = {"self", "network", "num_classes", "ignore_index", "root", "batch_size", "steps", "seed", "cache", "workers"}
# What a network says of its N-Jet layers itself.
OF_A_LAYER = {"in_channels", "out_channels", "stride", "padding", "groups", "bias"}
TASKS = (SemanticSegmentation, ImageClassification)


def arguments_of(target: object) -> dict[str, object]:
    signature = inspect.signature(target.__init__ if inspect.isclass(target) else target)  # type: ignore[misc, arg-type]
    return {name: value.default for name, value in signature.parameters.items()}


def fields_of(spec: type) -> dict[str, object]:
    return {item.name: item.default for item in dataclasses.fields(spec) if item.name not in OWN}


def same_defaults(fields: dict[str, object], arguments: dict[str, object]) -> None:
    for name in fields.keys() & arguments.keys():
        if fields[name] is not dataclasses.MISSING and arguments[name] is not inspect.Parameter.empty:
            assert fields[name] == arguments[name], name


@pytest.mark.parametrize(
    ("spec", "target"),
    [
        (specs.AdaptiveVGG, AdaptiveVGG),
        (specs.MultiPathVGG, MultiPathVGG),
        (specs.NiN, NiN),
        (specs.AllCNN, AllCNN),
        (specs.CIFARResNet, CIFARResNet),
        (specs.EfficientNetB0, EfficientNetB0),
        (specs.ToyCNN, ToyCNN),
        (specs.MadeFaces, write_helen),
        (specs.MadeScenes, write_voc),
        (specs.MadeImages, write_images),
        (specs.VOC, VOCDataModule),
        (specs.Images, ImagesDataModule),
    ],
)
def test_fields_are_the_arguments_with_their_defaults(spec: type, target: object) -> None:
    fields = fields_of(spec)
    arguments = {name: default for name, default in arguments_of(target).items() if name in fields or name not in GIVEN}
    assert fields.keys() == arguments.keys()
    same_defaults(fields, arguments)


def test_a_jet_is_what_a_network_does_not_say_of_its_layers() -> None:
    fields = fields_of(specs.Jet)
    arguments = {name: default for name, default in arguments_of(NJetConv2d).items() if name not in OF_A_LAYER | {"self"}}
    assert fields.keys() == arguments.keys()
    same_defaults(fields, arguments)


def test_a_recipe_is_what_the_tasks_take() -> None:
    fields = fields_of(specs.Recipe)
    taken = [{name: default for name, default in arguments_of(task).items() if name not in GIVEN} for task in TASKS]
    assert fields.keys() == taken[0].keys() | taken[1].keys()
    for arguments in taken:
        same_defaults(fields, arguments)


def test_everything_that_a_job_may_name_is_built() -> None:
    assert set(get_args(specs.Network)) - {specs.OwnNetwork} == set(NETWORKS)
    assert set(MADE) == {specs.MadeFaces, specs.MadeScenes, specs.MadeImages}
    assert set(SPECS) >= {kind.__name__ for kind in (*get_args(specs.Network), *get_args(specs.Data), *MADE, specs.Jet)}
