"""What the README shows works as shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from datamodules.synthetic import write_helen
from reproduce.commands import plan, runs
from reproduce.render import FORMATS
from reproduce.verdict import Verdict

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.slow
def test_the_parts_work_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example, word for word, on made-up faces in the folder that it names."""
    write_helen(tmp_path / "data", exemplars=8, tuning=2, testing=2, size=64, seed=0)
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    trainer = names["trainer"]
    assert trainer.global_step == 20  # type: ignore[attr-defined]
    assert 0 <= trainer.callback_metrics["test/mean_iou"] <= 1  # type: ignore[attr-defined]


def test_every_option_of_the_examples_exists() -> None:
    known = {option for parser in (plan.parser(), runs.parser()) for action in parser._actions for option in action.option_strings}
    used = set(re.findall(r"(?<![-\w])--[a-z][a-z-]*", README))
    assert used - {"--help"} <= known


def test_every_verdict_and_format_is_explained() -> None:
    for verdict in Verdict:
        assert f"`{verdict}`" in README
    for format in FORMATS:
        assert format in README


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target
