"""Faults that gave wrong numbers: NaN in an evaluation, changed checkpoints, curves that depended on interruptions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.metrics.confusion import ConfusionMatrix
from lightning_modules.segmentation import SemanticSegmentation
from reproduce.jobs.job import Job
from reproduce.jobs.store import Run, Store
from reproduce.plugins import all_tables
from reproduce.specs import Group
from reproduce.table import PROFILES, Setting
from reproduce.worker.process import work

pytestmark = pytest.mark.slow


def done(run: Run) -> Run:
    assert work(run.folder) == 0, run.error
    return run


def stopped(store: Store, job: Job, *steps: int) -> Run:
    """A run that was stopped after so many further steps, each time anew, and then finished."""
    for number in steps:
        run = store.prepare(replace(job, runtime=replace(job.runtime, stop_after=number)))
        assert work(run.folder) == 0, run.error
        assert run.state == "interrupted"
    return done(store.prepare(job))


@pytest.mark.parametrize("kind", ["tiny", "digits"])
def test_a_step_that_breaks_the_weights_fails_the_run(kind: str, store: Store, request: pytest.FixtureRequest) -> None:
    """The loss of the only step is finite: the evaluation is the first to see the broken weights."""
    job = request.getfixturevalue(kind)(learning_rate=1e30, steps=1, milestones=())
    run = store.prepare(replace(job, recipe=replace(job.recipe, groups=(Group("sigma", 0.0),) if kind == "digits" else ())))
    assert work(run.folder) == 1
    assert run.error.startswith("Expected finite outputs of the network, but ")
    assert " in batch 0 are not, the first in its image 0, '" in run.error
    assert "lower the learning rate" in run.error
    assert run.state == "failed"


class Broken(nn.Module):
    """A network whose scores of the second picture are NaN, in evaluations alone."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, image: Tensor) -> Tensor:
        scores = image * self.weight[:, None, None]
        if not self.training:
            scores = scores.clone()
            scores[1, 0, 2] = torch.nan
        return scores


@pytest.mark.parametrize("step", ["test_step", "validation_step", "predict_step"])
def test_an_evaluation_names_batch_picture_and_count(step: str) -> None:
    task = SemanticSegmentation(Broken(), 3).eval()
    batch = {"image": torch.rand(2, 3, 4, 5), "mask": torch.zeros(2, 4, 5, dtype=torch.int64), "name": ["first", "second"]}
    with pytest.raises(FloatingPointError, match="but 5 of 120 in batch 7 are not, the first in its image 1, 'second'"):
        getattr(task, step)(batch, 7)
    assert isinstance(task.metric, ConfusionMatrix)
    assert int(task.metric.matrix.sum()) == 0


def test_a_training_loss_that_is_nan_names_what_was_learned(store: Store, tiny: Callable[..., Job]) -> None:
    run = store.prepare(tiny(learning_rate=1e6, batch_norm=False, inflated=True, norm=False))
    assert work(run.folder) == 1
    # A step that is too large may spoil f itself; then the next map has no size, before there is a loss.
    assert re.match(r"Expected (a finite training loss, but got .* with f = |`factor` to be finite, but got nan)", run.error)


def spoiled(content: bytearray, how: str) -> bytes:
    middle = len(content) // 2
    if how == "64 bytes":
        for offset in range(64):
            content[middle + offset] ^= 0xFF
    elif how == "a block of zeros":
        content[middle : middle + 4096] = bytes(4096)
    elif how == "cut":
        del content[middle:]
    else:
        content.clear()
    return bytes(content)


@pytest.mark.parametrize(
    "how", ["64 bytes", "a block of zeros", "cut", "empty", "no seal", "another run's", "a hole in the curve", "another curve"]
)
def test_a_changed_checkpoint_is_left_for_the_one_before(
    how: str, tmp_path: Path, tiny: Callable[..., Job], capfd: pytest.CaptureFixture[str]
) -> None:
    job = tiny(dropout=0.5)
    whole = done(Store(tmp_path / "whole").prepare(job))
    store = Store(tmp_path / "spoiled")
    run = store.prepare(replace(job, runtime=replace(job.runtime, stop_after=10)))
    assert work(run.folder) == 0
    folder = run.folder / "checkpoints"
    names = sorted(path.name for path in folder.glob("*.ckpt"))
    assert names == ["step-00000008.ckpt", "step-00000010.ckpt"]
    seal, curve = folder / "step-00000010.ckpt.seal", run.folder / "metrics.jsonl"
    lines = curve.read_text().splitlines(keepends=True)
    if how == "no seal":
        seal.unlink()
    elif how == "another run's":
        seal.write_text(seal.read_text().replace(run.name, "tiny-s0-01234567"))
    elif how == "a hole in the curve":  # behind the checkpoint of step 8, which can be resumed from
        curve.write_text("".join([*lines[:8], *lines[9:]]))
    elif how == "another curve":
        curve.write_text("".join([*lines[:8], lines[8].replace('"step": 8', '"step": 8, "a": 1'), *lines[9:]]))
    else:
        path = folder / "step-00000010.ckpt"
        path.write_bytes(spoiled(bytearray(path.read_bytes()), how))
    capfd.readouterr()
    done(store.prepare(job))
    assert "step-00000010.ckpt is not used, because" in capfd.readouterr().out
    assert (run.folder / "metrics.jsonl").read_bytes() == (whole.folder / "metrics.jsonl").read_bytes()
    assert run.result is not None
    assert whole.result is not None
    assert run.result["metrics"] == whole.result["metrics"]


def test_a_checkpoint_never_lacks_its_seal(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    """Killed between the two, a process leaves a seal without a checkpoint, and no checkpoint without a seal."""
    from reproduce.worker.checkpoints import SealedCheckpoints, newest_intact

    class Killed(Exception):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    folder, saver = tmp_path / "checkpoints", SealedCheckpoints(tmp_path)
    folder.mkdir()
    target = folder / "step-00000002.ckpt"
    saver.save_checkpoint({"a": torch.ones(2)}, folder / "step-00000001.ckpt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pathlib.Path.replace", partial(killed))
        with pytest.raises(Killed):
            saver.save_checkpoint({"a": torch.ones(2)}, target)
    assert not target.exists()
    assert newest_intact(tmp_path, 10) == folder / "step-00000001.ckpt"
    saver.remove_checkpoint(folder / "step-00000001.ckpt")
    assert newest_intact(tmp_path, 10) is None


@pytest.mark.parametrize(
    ("kind", "every", "stops"), [("tiny", 3, (4, 1, 3)), ("tiny", 1, (5,)), ("digits", 5, (1, 2, 4)), ("digits", 4, (3, 5))]
)
def test_a_curve_is_a_function_of_the_steps_alone(
    kind: str, every: int, stops: tuple[int, ...], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Stopped on and off the grid of logged steps, it has the undisturbed run's bytes; so has all that tables make of it."""
    job = request.getfixturevalue(kind)(log_every=every)
    whole, parts = done(Store(tmp_path / "whole").prepare(job)), stopped(Store(tmp_path / "parts"), job, *stops)
    assert (parts.folder / "metrics.jsonl").read_bytes() == (whole.folder / "metrics.jsonl").read_bytes()
    steps = [line["step"] for line in whole.curve]
    assert steps == [*range(every - 1, 12, every), 12]
    read = 0
    for table in all_tables():
        for profile in PROFILES:
            for cell in (cell for cell in table.cells(Setting(profile)) if cell.curve):  # type: ignore[arg-type]
                values = [_value(cell.value, run) for run in (whole, parts)]
                assert values[0] == values[1], (table.id, cell.row_key, cell.column)
                read += 1
    assert read > 20


def _value(value: Callable[[Any], Any], run: Run) -> str:
    """What a cell makes of a run's curve; a curve of another kind of network is an error, the same for both."""
    assert run.result is not None
    try:
        return json.dumps(value(run.result["metrics"] | {"curve": run.curve}))
    except (KeyError, ValueError, ArithmeticError) as error:
        return repr(error)


def test_a_curve_that_is_lost_is_trained_anew(store: Store, tmp_path: Path, tiny: Callable[..., Job]) -> None:
    """It was resumed with a hole before, which the finished run then kept."""
    whole = done(Store(tmp_path / "whole").prepare(tiny()))
    run = store.prepare(tiny(stop_after=10))
    assert work(run.folder) == 0
    (run.folder / "metrics.jsonl").unlink()
    done(store.prepare(tiny()))
    assert (run.folder / "metrics.jsonl").read_bytes() == (whole.folder / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize("kind", ["tiny", "digits"])
def test_a_run_that_dies_between_training_and_evaluation_has_the_undisturbed_curve(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The checkpoint of the last step is the periodic one, after which Lightning counts one step less."""
    job = request.getfixturevalue(kind)()
    assert job.recipe.steps % job.runtime.checkpoint_every == 0
    whole, run = done(Store(tmp_path / "whole").prepare(job)), Store(tmp_path / "died").prepare(job)

    def died(*_: Any, **__: Any) -> None:
        raise OSError("died")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lightning.pytorch.Trainer.test", died)
        assert work(run.folder) == 1
    done(run)
    assert (run.folder / "metrics.jsonl").read_bytes() == (whole.folder / "metrics.jsonl").read_bytes()
