"""The paper in CONTRIBUTING works as shown, word for word."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from datamodules.synthetic_images import write_images

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
PAGE = PAGE[PAGE.index("## Bring your paper") : PAGE.index("## Rules")]


@pytest.mark.slow
def test_the_paper_of_the_page_runs_from_its_folder(tmp_path: Path) -> None:
    files = dict(re.findall(r"```\w*\n# (my_paper/\S+)\n(.*?)```", PAGE, re.DOTALL))
    assert len(files) == 6
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    write_images(tmp_path / "data", "mnist", train=40, test=10, seed=0)
    environment = {name: value for name, value in os.environ.items() if name != "REPRODUCE_DATA"}
    found = {}
    for line in re.findall(r"^python -m (reproduce .*--paper my_paper.*)$", PAGE, re.MULTILINE):
        words = line.replace("DATA", str(tmp_path / "data")).split()
        words += ["--no-probe"] if "plan" in words else ["--format", "json"]
        done = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + done.stdout
        found[words[1]] = done.stdout
    cells = {cell["row_key"]: cell for cell in json.loads(found["mine.table1"])["cells"]}
    assert {row: cell["verdict"] for row, cell in cells.items()} == {"width-4": "not comparable", "width-16": "unpublished"}
    assert all(5 < cell["mean"] <= 100 for cell in cells.values())
    assert found["plan"].count(" todo ") == 2
    assert "MNIST" in found["plan"]
