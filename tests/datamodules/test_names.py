import os
import subprocess
import sys

import pytest

import datamodules
from datamodules import layouts

HEAVY = ("torch", "lightning", "numpy", "cv2")


def python(code: str, **environment: str) -> str:
    return subprocess.run([sys.executable, "-c", code], env=os.environ | environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("package", [datamodules, layouts])
def test_every_name_is_found_and_no_other(package: object) -> None:
    names = package.__all__  # type: ignore[attr-defined]
    assert names == sorted(names)
    assert set(names) <= set(dir(package))
    for name in names:
        assert getattr(package, name).__name__.rpartition(".")[2] == name
    with pytest.raises(AttributeError, match="Nothing"):
        package.Nothing  # type: ignore[attr-defined]  # noqa: B018


def test_every_name_can_be_imported_at_once() -> None:
    said = python("import datamodules, datamodules.layouts; print(*datamodules.__all__, *datamodules.layouts.__all__)", EAGER_IMPORT="1")
    assert said.split() == [*datamodules.__all__, *layouts.__all__]


def test_nothing_heavy_is_imported_before_a_datamodule_is_asked_for() -> None:
    look = f"import sys; print([name for name in {HEAVY} if name in sys.modules])"
    light = "import datamodules, datamodules.layouts; datamodules.DataError; datamodules.Vouch; [*map(datamodules.layouts.__getattr__, {})]"
    assert python(light.format(layouts.__all__) + ";" + look).strip() == "[]"
    assert python("import datamodules; datamodules.VOCDataModule;" + look).strip() == str([*HEAVY])
