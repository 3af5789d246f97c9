"""Imports go one way, heavy ones stay where jobs run, and what must not be imported is not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for package in ("lightning_modules", "datamodules", "reproduce") for path in (ROOT / package).rglob("*.py"))
HEAVY = ("torch", "lightning", "torchmetrics", "cv2")
# What runs inside a job's own process, and `predict`.
WORKERS = tuple(f"reproduce/{name}.py" for name in ("building", "training", "cost", "speed", "callbacks", "prediction", "filters"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path, *, top_level: bool = False) -> Iterator[str]:
    """Modules that a file imports; `top_level`: only when it is itself imported."""
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize(
    ("inside", "never"),
    [
        ("lightning_modules/layers/", ("lightning_modules.networks", "lightning_modules.segmentation", "lightning_modules.metrics")),
        ("lightning_modules/networks/", ("lightning_modules.segmentation", "lightning_modules.metrics")),
        ("lightning_modules/", ("datamodules", "reproduce")),
        ("datamodules/", ("lightning_modules", "reproduce")),
        ("datamodules/layouts/", ("torch", "lightning")),
    ],
)
def test_imports_go_one_way(inside: str, never: tuple[str, ...]) -> None:
    files = [path for path in SOURCES if name(path).startswith(inside)]
    assert files
    for path in files:
        for module in imports(path):
            assert not module.startswith(never), f"{name(path)} imports {module}"


@pytest.mark.parametrize("path", [path for path in SOURCES if name(path).startswith("reproduce/")], ids=name)
def test_only_a_jobs_process_imports_torch(path: Path) -> None:
    heavy = [module for module in imports(path, top_level=True) if module.partition(".")[0] in HEAVY]
    assert not heavy or name(path) in WORKERS


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_only_figures_import_matplotlib_and_none_its_global_state(path: Path) -> None:
    """Showing a table without a figure does not wait for it, and what another part of a program draws is left alone."""
    at_once = any(module.partition(".")[0] == "matplotlib" for module in imports(path, top_level=True))
    assert not at_once or name(path).startswith("reproduce/figures/")
    assert "matplotlib.pyplot" not in imports(path)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_lightning_goes_by_one_name(path: Path) -> None:
    assert not any(module.partition(".")[0] == "pytorch_lightning" for module in imports(path))


def test_tables_is_data_and_no_package() -> None:
    """A package of that name would shadow PyTables."""
    assert not list((ROOT / "tables").rglob("*.py"))
