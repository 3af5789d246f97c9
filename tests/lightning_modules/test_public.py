"""The names that packages export: all there are, each importable, and none that imports torch before it is used."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import lightning_modules

PACKAGES = ("lightning_modules", "lightning_modules.layers", "lightning_modules.metrics", "lightning_modules.networks")
# What modules share among themselves, and no user calls.
INNER = {
    "layers.deformable": {"chosen_sampling", "sample_grid", "sample_rows"},
    "layers.derivatives": {"filter_bands"},
    "layers.inflation": {"inflated_map", "scale_gradient"},
    "layers.njet_convolution": {"cheapest_evaluation"},
    "layers.separable": None,
    "networks.backbone": {"Backbone", "check_positive"},
    "networks.cifar_resnet": {"BasicBlock"},
    "networks.efficientnet": {"MBConv", "SqueezeExcitation", "Stage"},
    "networks.jet": {"block", "convolution", "global_average", "grid_average", "scaled"},
    "networks.multi_path_vgg": {"Path"},
    "networks.path": None,
    "networks.vgg": {"SameMaxPool2d", "imagenet_weights", "initialise", "start_weights", "windows"},
}


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(Path(lightning_modules.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths, **environment}, capture_output=True, text=True, check=False
    )


def public(module: ModuleType) -> set[str]:
    """Classes and functions that a module defines itself."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == module.__name__
    }


def test_importing_the_packages_imports_no_torch() -> None:
    done = run(f"import sys, {', '.join(PACKAGES)}; sys.exit(bool({{'torch', 'lightning', 'numpy'}} & set(sys.modules)))")
    assert done.returncode == 0, done.stderr


def test_a_recipe_needs_no_torch() -> None:
    done = run("import sys; from lightning_modules import SGD, Group, Inference, Optimization; sys.exit('torch' in sys.modules)")
    assert done.returncode == 0, done.stderr


def test_layers_and_networks_need_no_lightning() -> None:
    code = (
        "import sys; from lightning_modules import layers, networks\n"
        "for package in (layers, networks): [getattr(package, name) for name in dir(package)]\n"
        "sys.exit('lightning' in sys.modules)"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr


def test_every_name_of_the_stubs_is_there() -> None:
    done = run(f"import {', '.join(PACKAGES)}", EAGER_IMPORT="1")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_names_are_those_of_one_module_and_none_is_a_modules_own(package: str) -> None:
    """A function named as its module would be hidden by it: importing a module sets its package's attribute."""
    found = importlib.import_module(package)
    folder = Path(str(found.__file__)).parent
    modules = {path.stem for path in folder.iterdir() if path.suffix in (".py", "") and not path.name.startswith("_")}
    for name in found.__all__:
        value = getattr(found, name)
        assert name in dir(found)
        assert isinstance(value, ModuleType) == (name in modules), name


@pytest.mark.parametrize("package", ["layers", "networks"])
def test_what_a_user_would_want_is_exported(package: str) -> None:
    exporting = importlib.import_module(f"lightning_modules.{package}")
    for path in Path(str(exporting.__file__)).parent.glob("[!_]*.py"):
        inner = INNER.get(f"{package}.{path.stem}", set())
        defined = public(importlib.import_module(f"lightning_modules.{package}.{path.stem}"))
        if inner is not None:
            assert defined - inner <= set(exporting.__all__), path.name
            assert inner <= defined - set(exporting.__all__), path.name
