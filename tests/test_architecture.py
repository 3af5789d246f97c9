"""Imports go one way, from room to room; heavy ones stay where jobs run; and what must not be imported is not."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for package in ("lightning_modules", "datamodules", "reproduce") for path in (ROOT / package).rglob("*.py"))
HEAVY = ("torch", "lightning", "torchmetrics", "cv2")
# The rooms of `reproduce`, a folder or a file each, from the lowest to the highest, and those that each may import.
ROOMS = {
    "specs": (),
    "plugins": (),
    "jobs": ("plugins", "specs"),
    "table": ("jobs", "specs"),
    "verdicts": ("jobs", "plugins", "table"),
    "render": ("verdicts",),
    "figures": ("jobs", "verdicts"),
    "own": ("jobs", "specs", "table"),
    "wandb_": ("jobs",),
    "worker": ("jobs", "own", "plugins", "specs", "wandb_"),
    "schedule": ("jobs", "specs", "worker"),
    "papers": ("figures", "jobs", "specs", "table", "verdicts", "wandb_", "worker"),
    "dataframe": ("jobs", "plugins", "table", "verdicts"),
    "commands": ("figures", "jobs", "own", "plugins", "render", "schedule", "specs", "table", "verdicts", "wandb_", "worker"),
    "cli": ("commands", "plugins"),
    "__main__": ("cli",),
}
# What is imported in a job's own process alone; papers have modules of that kind besides.
HEAVY_IN = re.compile(r"reproduce/(worker/|papers/\w+/(step_cost|filters)\.py)")
# What only the papers' own folders may say. A name counts where it begins with one of these, or has it behind an underscore.
METHODS = re.compile(
    r"(?:\b|_)(inflat\w*|sigma\w*|n-?jet\w*|jet|jets|adaptive_?(?:rf|vgg)\w*|multi_?path\w*|(?-i:NiN)|all_?cnn)\b", re.IGNORECASE
)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path, *, top_level: bool = False) -> Iterator[str]:
    """Modules that a file imports, for types alone left out; `top_level`: only when it is itself imported."""
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in tree.body if top_level else ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "reproduce":
            yield from (f"reproduce.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("path", [path for path in SOURCES if name(path).startswith("reproduce/")], ids=name)
def test_a_room_imports_only_rooms_below_it(path: Path) -> None:
    here = path.relative_to(ROOT / "reproduce").parts[0].removesuffix(".py")
    if here == "__init__":
        assert set(imports(path)) == {"lazy_loader"}
        return
    allowed = {here, *ROOMS[here]}
    assert not [module for module in imports(path) if module.startswith("reproduce.") and room(module) not in allowed]


def test_rooms_have_an_order() -> None:
    """Then no two import each other, whatever is between them."""
    order = list(ROOMS)
    for here, allowed in ROOMS.items():
        assert all(order.index(other) < order.index(here) for other in allowed), here
    folders = {path.relative_to(ROOT / "reproduce").parts[0].removesuffix(".py") for path in SOURCES if name(path).startswith("reproduce/")}
    assert folders - {"__init__"} == set(order)


@pytest.mark.parametrize("here", ROOMS)
def test_what_a_room_may_import_it_does(here: str) -> None:
    """A rule that allows more than is needed holds nothing."""
    files = [path for path in SOURCES if re.match(rf"reproduce/{here}(/|\.py)", name(path))]
    found = {room(module) for path in files for module in imports(path) if module.startswith("reproduce.")}
    assert found - {here} == set(ROOMS[here])


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
    assert not heavy or HEAVY_IN.match(name(path))


def test_all_else_starts_without_torch() -> None:
    files = [path for path in SOURCES if name(path).startswith("reproduce/") and not HEAVY_IN.match(name(path)) and path.stem != "__main__"]
    modules = [
        name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in [*files, ROOT / "reproduce/worker/process.py"]
    ]
    code = "import sys\nfor name in sys.argv[1:]: __import__(name)\nprint({'torch', 'lightning', 'wandb'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code, *modules], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "set()\n"


GENERAL = [
    path for path in SOURCES if name(path).startswith("reproduce/") and not re.match(r"reproduce/papers/(?!common/)\w+/", name(path))
]


@pytest.mark.parametrize("path", GENERAL, ids=name)
def test_the_general_half_knows_no_method_by_name(path: Path) -> None:
    """Another paper, ours or anybody's, finds no special case there; nor does what papers share import one of them."""
    assert not {match.group(1) for match in METHODS.finditer(path.read_text())}
    assert not [module for module in imports(path) if re.match(r"reproduce\.papers\.(?!common)", module)]


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
