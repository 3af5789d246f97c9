"""The parts of a recipe refuse what makes no sense, in one sentence that names the argument and what it got."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from lightning_modules.recipe import SGD, Adam, Constant, Cosine, Group, Optimization, Poly, Steps


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        (lambda: SGD(-0.1), "`learning_rate` to be zero or a positive number, but got -0.1"),
        (lambda: SGD(float("nan")), "`learning_rate` to be zero or a positive number, but got nan"),
        (lambda: SGD(0.1, weight_decay=-1.0), "`weight_decay` to be zero or a positive number, but got -1.0"),
        (lambda: Adam(float("inf")), "`learning_rate` to be zero or a positive number, but got inf"),
        (lambda: Adam(0.1, betas=(0.9, 1.0)), r"`betas` to be two numbers, at least 0 and below 1, but got \(0.9, 1.0\)"),
        (lambda: Adam(0.1, betas=(0.9,)), r"`betas` to be two numbers, at least 0 and below 1, but got \(0.9,\)"),
        (lambda: Steps((3, 2)), r"`milestones` to be steps in ascending order, but got \(3, 2\)"),
        (lambda: Poly(0.0), "`power` to be positive, but got 0.0"),
        (lambda: Cosine(lowest=1.5), "`lowest` to be from 0 to 1 and `warmup` to be 0 or more steps, but got 1.5 and 0"),
        (lambda: Cosine(warmup=-1), "`lowest` to be from 0 to 1 and `warmup` to be 0 or more steps, but got 0.0 and -1"),
        (lambda: Group("f", rate=-1.0), "`rate` of group 'f' to be zero or a positive number, but got -1.0"),
        (lambda: Group("f", rate=float("nan")), "`rate` of group 'f' to be zero or a positive number, but got nan"),
        (lambda: Group("f", start=-1), "`start` of group 'f' to be zero or a positive integer, but got -1"),
        (lambda: Group("f", clip=0.0), "`clip` of group 'f' to be positive, but got 0.0"),
        (lambda: Optimization(SGD(0.1), clip_norm=0.0), "`clip_norm` to be positive, but got 0.0"),
        (lambda: Optimization(SGD(0.1), clip_norm=float("nan")), "`clip_norm` to be positive, but got nan"),
    ],
)
def test_what_makes_no_sense_is_refused(part: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"Expected {sentence}"):
        part()


def test_the_borders_are_allowed() -> None:
    group = Group("f", rate=0.0, weight_decay=0.0, start=0, clip=1e-9)
    assert Optimization(SGD(0.0, weight_decay=0.0), Cosine(1.0, 0), (group,), clip_norm=1e-9).groups == (group,)
    assert Optimization(Adam(0.1, betas=(0.0, 0.0)), Steps(())).frozen == ()


def test_parts_are_values() -> None:
    first, second = (Optimization(SGD(0.1), Steps((2, 3)), (Group("biases", 2.0),), ("features",)) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert Optimization(SGD(0.1)).schedule == Constant()


def test_it_needs_no_torch() -> None:
    modules = "lightning_modules.recipe, lightning_modules.quantity, lightning_modules.inference"
    script = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
