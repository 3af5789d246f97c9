"""Every spec, of the suite and of its papers, names what takes it and has exactly its arguments."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import pytest

from lightning_modules.recipe import Optimization
from reproduce import specs
from reproduce.jobs.job import from_plain, to_plain
from reproduce.papers.njet.specs import Jet
from reproduce.plugins import kind_of, name_of, plugins
from reproduce.worker.building import made_up, resolve

# What a target takes and its spec does not have: what the job gives.
OF_A_DATAMODULE = {"root", "batch_size", "steps", "seed", "cache", "workers", "progress"}
OF_A_TASK = {"network", "num_classes", "optimization", "inference", "ignore_index"}
OF_A_LAYER = {"in_channels", "out_channels", "stride", "padding", "groups", "bias"}  # what a network says of its layers itself


def all_specs() -> Iterator[type[specs.Spec]]:
    """Every spec that names what takes it: of the suite, and of each of its papers."""
    modules = [specs, *(importlib.import_module(f"{plugin.package}.specs") for plugin in plugins().values())]
    for module in modules:
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, specs.Spec) and kind.target:
                yield kind


KINDS = sorted(set(all_specs()), key=name_of)


def given(kind: type[specs.Spec]) -> set[str]:
    if issubclass(kind, specs.Data):
        return OF_A_DATAMODULE
    if issubclass(kind, specs.Training):
        return OF_A_TASK
    if issubclass(kind, specs.Made):
        return {"root"}
    return OF_A_LAYER if kind is Jet else set()


def arguments_of(kind: type[specs.Spec]) -> dict[str, object]:
    """What the target takes; what a network hands on to its base by `**name` is in the signature of its class."""
    parameters = inspect.signature(resolve(kind.__new__(kind))).parameters
    assert not any(each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in parameters.values())
    return {name: value.default for name, value in parameters.items()}


def test_there_are_specs_of_every_kind() -> None:
    assert {name_of(kind) for kind in KINDS} >= {"VOC", "MadeFaces", "Segmentation", "adaptive_rf.AdaptiveVGG", "njet.NiN", "Speed"}


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_fields_are_the_arguments_with_their_defaults(kind: type[specs.Spec]) -> None:
    if issubclass(kind, specs.Measurement):  # a function of the job, which finds its own spec in it
        assert list(arguments_of(kind)) == ["job", "run", "store", "mirror"]
        return
    fields = {item.name: item.default for item in dataclasses.fields(kind) if item.name not in kind.beside}
    arguments = {name: default for name, default in arguments_of(kind).items() if name in fields or name not in given(kind)}
    assert fields.keys() == arguments.keys()
    for name, default in fields.items():
        if default is not dataclasses.MISSING and arguments[name] is not inspect.Parameter.empty:
            assert default == arguments[name], name


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_a_spec_is_found_by_its_name_and_is_frozen_and_typed(kind: type[specs.Spec]) -> None:
    assert kind_of(name_of(kind)) is kind
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert {item.name for item in dataclasses.fields(kind)} <= get_type_hints(kind).keys()


def test_a_recipe_has_the_parts_of_an_optimization_with_their_defaults() -> None:
    recipe = {item.name: item.default for item in dataclasses.fields(specs.Recipe)}
    parts = {item.name: item.default for item in dataclasses.fields(Optimization)}
    assert parts.items() <= recipe.items()
    assert recipe.keys() - parts.keys() == {"steps", "batch_size", "accumulate"}


@pytest.mark.parametrize("name", ["NoSuch", "njet.NoSuch", "nobody.NiN", "os", "njet.get_type_hints", "Any"])
def test_only_specs_are_read_from_files(name: str) -> None:
    with pytest.raises(LookupError):
        from_plain({"type": name})


def test_parts_of_a_recipe_come_back_from_files() -> None:
    recipe = specs.Recipe(5, 2, specs.Adam(0.1), specs.Cosine(0.1, 2), (specs.Group("f", clip=1.0),), ("norms",), 2, 1.0)
    assert from_plain(to_plain(recipe)) == recipe
    assert from_plain(to_plain(dataclasses.replace(recipe, schedule=specs.Poly()))) == dataclasses.replace(recipe, schedule=specs.Poly())


def test_a_made_up_set_without_a_kind_lies_in_a_folder_of_its_specs_name(tmp_path: Path) -> None:
    class Letters(specs.MadeImages):
        kind = ""

    class Signs(specs.MadeImages):
        kind = ""

    found = [made_up(kind("mnist", 2, 2), tmp_path).name for kind in (Letters, Signs, specs.MadeImages)]
    assert found == ["made-Letters-mnist-2-2-0-1", "made-Signs-mnist-2-2-0-1", "made-images-mnist-2-2-0-1"]
