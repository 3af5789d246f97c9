"""Imports go one way, heavy ones stay where jobs run, and what must not be imported is not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for package in ("lightning_modules", "datamodules", "reproduce") for path in (ROOT / package).rglob("*.py"))
HEAVY = ("torch", "lightning", "torchmetrics", "cv2")
# What runs inside a job's own process, and what shows stored weights; a paper's own such modules besides.
WORKERS = tuple(f"reproduce/{name}.py" for name in ("building", "training", "stages", "speed", "callbacks", "prediction"))
OF_PAPERS = ("reproduce/papers/adaptive_rf/step_cost.py", "reproduce/papers/njet/filters.py")
# What only the papers' own folders may say. A name counts where it begins with one of these, or has it behind an underscore.
METHODS = re.compile(
    r"(?:\b|_)(inflat\w*|sigma\w*|n-?jet\w*|jet|jets|adaptive_?(?:rf|vgg)\w*|multi_?path\w*|(?-i:NiN)|all_?cnn)\b", re.IGNORECASE
)


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
    assert not heavy or name(path) in WORKERS + OF_PAPERS


GENERAL = [
    path for path in SOURCES if name(path).startswith("reproduce/") and not re.match(r"reproduce/papers/(?!common/)\w+/", name(path))
]


@pytest.mark.parametrize("path", GENERAL, ids=name)
def test_the_general_half_knows_no_method_by_name(path: Path) -> None:
    """Another paper, ours or anybody's, finds no special case there; nor does the general half import a paper."""
    said = {match.group(1) for match in METHODS.finditer(path.read_text())}
    assert not said
    papers = [module for module in imports(path) if re.match(r"reproduce\.papers\.(?!common)", module)]
    assert not papers
    assert name(path).startswith("reproduce/papers/") or not any(module.startswith("reproduce.papers") for module in imports(path))


def test_words_of_methods_are_found_where_they_are() -> None:
    for text in ("inflated", "f, an inflation factor", "sigma_1", "learned_sigma", "N-Jet", "njet", "jet=None", "AdaptiveVGG", "NiN"):
        assert METHODS.search(text), text
    for text in ("objet", "a factor of 2", "finite", "nine", "nin"):
        assert not METHODS.search(text), text


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_only_figures_import_matplotlib_and_none_its_global_state(path: Path) -> None:
    """Showing a table without a figure does not wait for it, and what another part of a program draws is left alone."""
    at_once = any(module.partition(".")[0] == "matplotlib" for module in imports(path, top_level=True))
    assert not at_once or re.match(r"reproduce/(figures/|papers/\w+/drawing\.py)", name(path))
    assert "matplotlib.pyplot" not in imports(path)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_lightning_goes_by_one_name(path: Path) -> None:
    assert not any(module.partition(".")[0] == "pytorch_lightning" for module in imports(path))


def test_tables_is_data_and_no_package() -> None:
    """A package of that name would shadow PyTables."""
    assert not list((ROOT / "tables").rglob("*.py"))
