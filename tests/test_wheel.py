"""What is installed from a wheel works outside a checkout, published numbers included, beside an installed PyTables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without isolation: what builds it is among the development dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    code = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, folder], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_it_holds_the_packages_and_the_published_numbers_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"lightning_modules", "datamodules", "reproduce"}
    assert "reproduce/tables/adaptive_rf/table1.csv" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_it_shows_tables_outside_the_checkout_beside_pytables(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    # PyTables' package is called `tables`.
    (site / "tables").mkdir()
    (site / "tables" / "__init__.py").write_text("PYTABLES = True\n")
    code = (
        "import sys, tables; assert tables.PYTABLES; from reproduce.cli import main;"
        "import reproduce; assert reproduce.__file__.startswith(sys.argv.pop(1)); sys.exit(main(sys.argv[1:]))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "REPRODUCE_DATA"} | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", code, site, "show", "table1", "--format", "json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    cells = {(cell["row_key"], cell["column"]): cell for cell in json.loads(done.stdout)["cells"]}
    assert cells["modified-10", "rf_fc6"]["verdict"] == "paper inconsistent"
