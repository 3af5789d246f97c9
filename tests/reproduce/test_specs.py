"""Specs name exactly the arguments of what they build."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from datamodules.synthetic import write_helen
from datamodules.synthetic_voc import write_voc
from datamodules.voc import VOCDataModule
from lightning_modules.networks.adaptive_vgg import AdaptiveVGG
from lightning_modules.networks.multi_path_vgg import MultiPathVGG
from lightning_modules.segmentation import SemanticSegmentation
from reproduce import specs

# What the spec has and the callable has not: the loop's own, and what only identifies.
OWN = {"steps", "batch_size", "revision", "fingerprint", "made"}
# What the callable has and the spec has not: given by the job.
GIVEN = {"self", "network", "num_classes", "ignore_index", "root", "batch_size", "steps", "seed", "cache", "workers"}


@pytest.mark.parametrize(
    ("spec", "target"),
    [
        (specs.AdaptiveVGG, AdaptiveVGG),
        (specs.MultiPathVGG, MultiPathVGG),
        (specs.Recipe, SemanticSegmentation),
        (specs.MadeFaces, write_helen),
        (specs.MadeScenes, write_voc),
        (specs.VOC, VOCDataModule),
    ],
)
def test_fields_are_the_arguments_with_their_defaults(spec: type, target: object) -> None:
    fields = {item.name: item.default for item in dataclasses.fields(spec) if item.name not in OWN}
    signature = inspect.signature(target.__init__ if inspect.isclass(target) else target)  # type: ignore[misc, arg-type]
    arguments = {name: value.default for name, value in signature.parameters.items() if name in fields or name not in GIVEN}
    assert fields.keys() == arguments.keys()
    for name, default in fields.items():
        if default is not dataclasses.MISSING and arguments[name] is not inspect.Parameter.empty:
            assert default == arguments[name], name
