"""What wandb is told of a run, read back from its own file, and what becomes of the run where wandb fails."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from datamodules.layouts import images
from datamodules.loading import normalise, pictures
from lightning_modules.segmentation import SemanticSegmentation
from reproduce.cli import main
from reproduce.commands import run as run_command
from reproduce.jobs.archive import EXPORTED, export, import_runs
from reproduce.jobs.job import Job, from_plain, in_order, placeless, to_plain
from reproduce.jobs.result import EMPTY
from reproduce.jobs.store import Run, Store
from reproduce.schedule.local import LocalLauncher
from reproduce.specs import Wandb
from reproduce.table import Cell, Setting
from reproduce.wandb_ import mirror

OFFLINE = Wandb("offline", "somewhere", "adaptive_rf.table1", "demo")
ONLINE = replace(OFFLINE, mode="online")
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def do(run: Run, broken: str = "") -> str:
    """Do a prepared job in a process of its own, forked as a launcher forks it, after running `broken` there; return what it printed."""
    printed = run.folder / "printed.txt"
    script = f"""
import os, sys
os.environ.clear()
os.environ.update({dict(os.environ)!r})
printed = os.open({str(printed)!r}, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
os.dup2(printed, 1)
os.dup2(printed, 2)
{broken}
from pathlib import Path
from reproduce.worker.process import work
sys.exit(work(Path({str(run.folder)!r})))
"""
    process = LocalLauncher(1).context.Process(target=exec, args=(script,))
    process.start()
    process.join(timeout=120)
    text = printed.read_text()
    assert process.exitcode == 0, text
    return text


def wandb_runs(run: Run) -> list[list[dict[str, Any]]]:
    """Return the records of every wandb run in a run's folder, as wandb itself reads them."""
    tool = Path(sys.executable).with_name("wandb")
    return [
        [
            json.loads(line)
            for line in subprocess.run(
                [tool, "leet", "inspect", file, "--json"], capture_output=True, text=True, check=True
            ).stdout.splitlines()
        ]
        for file in (run.folder / "wandb").glob("offline-run-*/*.wandb")
    ]


def only(records: list[dict[str, Any]], kind: str) -> list[Any]:
    return [record[kind] for record in records if record["type"] == kind]


def told(run: Run) -> list[dict[str, Any]]:
    """Return the lines that the one wandb run of a folder was told, in their order, as metrics.jsonl has them."""
    (records,) = wandb_runs(run)
    lines = []
    for history in only(records, "history"):
        item = {name: value for name, value in history["item"].items() if not name.startswith(("_", "examples"))}
        assert item["global_step"] == history["step"]["num"]
        lines.append({"step": item.pop("global_step"), **item})
    return lines


@pytest.mark.slow
def test_wandb_is_told_every_line_once_and_in_order(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    job = tiny(steps=30, dropout=0.5, wandb=OFFLINE)
    run, plain = Store(tmp_path / "mirrored").prepare(job), Store(tmp_path / "plain").prepare(replace(job, runtime=tiny().runtime))
    assert "wandb" not in do(run)  # which keeps quiet
    do(plain)
    assert run.name == plain.name  # how a job is mirrored is no part of its identity
    assert run.curve == plain.curve  # and changes none of its numbers
    assert told(run) == run.curve
    assert [line["step"] for line in run.curve] == list(range(31))
    assert len({line["trajectory/f"] for line in told(run)[:30]}) > 20
    (records,) = wandb_runs(run)
    (begun,) = only(records, "run")
    assert (begun["project"], begun["run_group"], begun["display_name"]) == ("somewhere", "adaptive_rf.table1", run.name)
    assert (begun["job_type"], begun["tags"]) == ("segmentation", ["demo", "seed 0"])
    config = begun["config"]["update"]
    assert config.pop("_wandb") == {}
    assert config == placeless(to_plain(job)) | {"profile": "demo"}
    assert {"glob_name": "*", "step_metric": "global_step"}.items() <= only(records, "metric")[1].items()
    summary: dict[str, Any] = {}
    for update in only(records, "summary"):
        summary |= update["update"]
    assert run.result is not None
    assert {name: value for name, value in run.result["metrics"].items() if value is not None}.items() <= summary.items()
    assert summary["test/mean_iou"] == run.curve[-1]["test/mean_iou"]
    assert (summary["data"], summary["provenance"]["device"]) == (run.result["data"], run.result["provenance"]["device"])
    assert only(records, "exit")[0].get("exit_code", 0) == 0


@pytest.mark.slow
def test_examples_have_their_labels_and_come_back_later(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    from datamodules.layouts import helen

    run = Store(tmp_path).prepare(tiny(wandb=OFFLINE))
    do(run)
    for attempt in ("in the job", "from the files"):
        (records,) = wandb_runs(run)
        shown = only(records, "history")[-1]["item"]
        assert shown["examples.count"] == 3, attempt  # faces in the evaluation
        assert [set(masks) for masks in shown["examples.all_masks"]] == [{"ground truth", "prediction"}] * 3
        labels = [update["update"]["_wandb"].get("mask/class_labels", {}) for update in only(records, "config")][-1]
        for mask in ("ground truth", "prediction"):
            assert labels[f"examples_wandb_delimeter_{mask}"]["value"] == {
                **{str(index): name for index, name in enumerate(helen.CLASSES)}, "255": "ignored",
            }  # fmt: skip
        folder = next((run.folder / "wandb").glob("offline-run-*")) / "files"
        for path in [*shown["examples.filenames"], *(mask["path"] for masks in shown["examples.all_masks"] for mask in masks.values())]:
            assert (folder / path).stat().st_size > 0
        # Again, by a mirror made from what is there.
        before = [told(run), folder]
        command = [sys.executable, "-m", "reproduce", "runs", "mirror", run.name, "--runs-dir", tmp_path]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == f"{run.name}: mirrored\n"
        assert told(run) == before[0]
        assert not before[1].exists()  # the one before is gone


@pytest.mark.slow
def test_pictures_are_captioned_and_every_sigma_is_told(tmp_path: Path, digits: Callable[..., Job]) -> None:
    run = Store(tmp_path).prepare(digits(wandb=OFFLINE))
    do(run)
    assert told(run) == run.curve
    assert all({"trajectory/sigma_1", "trajectory/sigma_2"} <= line.keys() for line in told(run)[:12])
    assert len({line["trajectory/sigma_1"] for line in told(run)[:12]}) > 10
    (records,) = wandb_runs(run)
    shown = only(records, "history")[-1]["item"]
    with np.load(run.folder / "examples.npz") as kept:
        captions = kept["captions"].tolist()
        assert kept["0/image"].shape == (28, 28, 1)
    # The classes of digits are their names; the labels are those of the first pictures of the test.
    assert shown["examples.captions"] == captions
    labels = [int(re.fullmatch(r"(\d), predicted \d", caption)[1]) for caption in captions]  # type: ignore[index]
    (made,) = Path(digits().runtime.cache).glob("made-images-mnist-45-13-*")
    assert labels == images.find(made, "mnist").splits["test"].labels[: mirror.EXAMPLES].tolist()
    assert "examples.all_masks" not in shown
    summary: dict[str, Any] = {}
    for update in only(records, "summary"):
        summary |= update["update"]
    assert run.result is not None
    assert {name: summary[name] for name in ("accuracy", "sigmas", "map_sizes")}.items() <= run.result["metrics"].items()


def test_examples_of_several_sizes_are_brought_to_one(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    """Wandb shows a step's pictures in one size; what is added is black, and no class."""
    job = tiny(wandb=OFFLINE)
    mirrored = mirror.Mirror(job, Store(tmp_path).prepare(job))
    for height, width in ((3, 5), (4, 2)):
        batch = {"image": normalise(torch.full((1, 3, height, width), 9, dtype=torch.uint8)), "mask": torch.ones(1, height, width)}
        task = SemanticSegmentation(nn.Identity(), 2)
        mirrored.keep(task.examples(batch, torch.ones(1, 2, height, width), SimpleNamespace(classes=("a", "b")), mirrored.wanted))
    mirrored._save_examples()
    shown = mirrored._examples()
    assert [image.image.size for image in shown] == [(5, 4), (5, 4)]
    for image, (height, width) in zip(shown, ((3, 5), (4, 2)), strict=True):
        inside = np.zeros((4, 5), bool)
        inside[:height, :width] = True
        assert (np.asarray(image.image) == 9 * inside[..., None]).all()
        for name, label in (("ground truth", 1), ("prediction", 0)):
            with PIL.Image.open(image._masks[name]._path) as mask:
                assert (np.asarray(mask) == np.where(inside, label, 255)).all()


@pytest.mark.slow
def test_a_resumed_job_is_mirrored_whole(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    store = Store(tmp_path)
    run = store.prepare(tiny(wandb=OFFLINE, stop_after=5))
    do(run)
    assert run.state == "interrupted"
    assert told(run) == run.curve
    assert [line["step"] for line in told(run)] == list(range(5))
    (records,) = wandb_runs(run)
    assert only(records, "exit")[0]["exit_code"] == 1
    do(store.prepare(tiny(wandb=OFFLINE)))
    assert told(run) == run.curve
    assert [line["step"] for line in told(run)] == list(range(13))
    (again,) = wandb_runs(run)
    assert only(again, "run")[0]["display_name"] == only(records, "run")[0]["display_name"]
    assert only(again, "run")[0]["run_id"] != only(records, "run")[0]["run_id"]  # whoever uploads both does not mix them


@pytest.mark.slow
def test_a_killed_job_holds_no_lock_and_is_mirrored_whole(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    run = Store(tmp_path).prepare(tiny(wandb=OFFLINE, steps=4000, milestones=(3000,)))
    process = subprocess.Popen([sys.executable, "-m", "reproduce", "job", run.folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(run.curve) < 10:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert run.state == "interrupted"  # wandb's own process, which may still live, does not hold the lock
    do(Store(tmp_path).prepare(tiny(wandb=OFFLINE, steps=4000, milestones=(3000,), stop_after=3)))
    assert told(run) == run.curve
    steps = [line["step"] for line in told(run)]
    assert steps == list(range(len(steps)))


@pytest.mark.slow
def test_the_first_rank_alone_speaks_to_wandb(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    job = tiny(norm=False, batch_norm=False, learning_rate=1e-5, wandb=OFFLINE, devices=2)
    run = Store(tmp_path).prepare(job)
    do(run)
    assert (run.result or {})["provenance"]["devices"] == 2
    assert told(run) == run.curve
    (records,) = wandb_runs(run)
    assert only(records, "history")[-1]["item"]["examples.count"] == 2  # the first rank's of three faces


FAILURES = {
    "it is absent": ("sys.modules['wandb'] = None", "ModuleNotFoundError"),
    "init raises": ("import wandb\ndef fail(*a, **k): raise RuntimeError('no\\n init')\nwandb.init = fail", "RuntimeError: no init"),
    "init exits": ("import wandb\nwandb.init = lambda *a, **k: sys.exit(3)", "SystemExit: 3"),
    "log raises": (
        "import wandb\ndef fail(*a, **k): raise OSError(28, 'No space left')\nwandb.Run.log = fail",
        "OSError: [Errno 28] No space",
    ),
    "images raise": ("import wandb\ndef fail(*a, **k): raise ValueError('no image')\nwandb.Image = fail", "ValueError: no image"),
    "finish raises": ("import wandb\ndef fail(*a, **k): raise TimeoutError('too long')\nwandb.Run.finish = fail", "TimeoutError: too long"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAILURES)
def test_a_job_does_without_wandb_where(name: str, tmp_path: Path, tiny: Callable[..., Job]) -> None:
    broken, expected = FAILURES[name]
    run = Store(tmp_path).prepare(tiny(wandb=OFFLINE))
    printed = do(run, broken)
    assert run.state == "done"
    assert len(run.curve) == 13
    (sentence,) = [line for line in printed.splitlines() if "wandb" in line]
    assert sentence.startswith(f"wandb is switched off from here on ({expected}")


@pytest.mark.slow
def test_without_a_login_nothing_is_asked_nor_waited_for(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    """In a terminal, where wandb would ask for a key."""
    run = Store(tmp_path).prepare(tiny(wandb=ONLINE))
    driver, terminal = pty.openpty()
    with os.fdopen(terminal) as stdin, os.fdopen(driver, "rb"):
        script = f"from pathlib import Path\nfrom reproduce.worker.process import work\nwork(Path({str(run.folder)!r}))"
        started = time.monotonic()
        with (run.folder / "printed").open("wb") as printed:
            subprocess.run([sys.executable, "-c", script], stdin=stdin, stdout=printed, stderr=stdin, timeout=60, check=True)
    assert run.state == "done"
    assert time.monotonic() - started < mirror.INIT_SECONDS
    assert "wandb is switched off from here on (UsageError: No API key configured" in (run.folder / "printed").read_text()


def test_a_wandb_that_fails_is_asked_no_more(
    tmp_path: Path, tiny: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    run = Store(tmp_path).prepare(tiny(wandb=OFFLINE))
    mirrored = mirror.Mirror(tiny(wandb=OFFLINE), run)
    for _ in range(2):
        mirrored.begin()
        mirrored.line({"step": 0})
        mirrored.end()
    assert capsys.readouterr().out.count("wandb is switched off") == 1


def test_off_and_other_ranks_do_not_import_it(tmp_path: Path, tiny: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    for job, on in ((tiny(), True), (tiny(wandb=OFFLINE), False)):
        silent = mirror.Mirror(job, Store(tmp_path).prepare(job), on=on)
        silent.begin()
        silent.end()
        assert silent.live is None


def test_the_first_table_that_asks_for_a_job_is_its_group(tiny: Callable[..., Job]) -> None:
    parent, child = tiny(), tiny(seed=1, start=tiny())
    cells = {job: Cell("row", "column", "trained", (job,), lambda metrics: None) for job in (parent, child)}
    chosen = {"a.table1": [cells[child]], "a.table2": [cells[parent], cells[child]]}
    options = run_command.parser().parse_args(["table1", "--wandb", "online", "--wandb-project", "P"])
    jobs = in_order(run_command.wanted(options, Setting("demo"), chosen))
    assert [job.digest for job in jobs] == [parent.digest, child.digest]
    assert [job.runtime.wandb for job in jobs] == [Wandb("online", "P", "a.table1", "demo")] * 2  # also of what is started from
    assert from_plain(to_plain(jobs[1])) == jobs[1]
    assert run_command.wanted(run_command.parser().parse_args(["table1"]), Setting("demo"), chosen) == [child, parent, child]


def test_a_table_without_wandb_says_so_and_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(run_command, "package_version", lambda package: "")
    run_command.check_wandb(run_command.parser().parse_args(["table1", "--wandb", "offline"]))
    assert capsys.readouterr().err == "wandb is not installed, so --wandb offline does nothing; `pip install wandb` adds it.\n"
    run_command.check_wandb(run_command.parser().parse_args(["table1"]))
    assert capsys.readouterr().err == ""


REFUSED = {
    "a project that wandb refuses": (["table1", "--wandb", "offline", "--wandb-project", "a/b"], "without / \\ # ? % and :, but got 'a/b'"),
    "no project": (["runs", "mirror", "x", "--wandb-project", ""], "Expected --wandb-project to be up to 128 characters"),
    "an unknown mode": (["table1", "--wandb", "sometimes"], "invalid choice: 'sometimes'"),
    "no run": (["runs", "mirror"], "Expected NAME after `runs mirror`"),
    "a run that is not there": (
        ["runs", "mirror", "x"],
        "Expected the name of a run in runs, or the beginning of one name, but 'x' matches none",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_input_is_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words, expected = REFUSED[name]
    assert main(words) == 2
    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.rglob("job.json"))


def test_runs_that_did_not_end_are_not_mirrored(tmp_path: Path, tiny: Callable[..., Job], capsys: pytest.CaptureFixture[str]) -> None:
    run = Store(tmp_path).prepare(tiny())
    assert main(["runs", "mirror", run.name, "--runs-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{run.name}: skipped, it is todo\n"


def test_pictures_are_what_was_normalised() -> None:
    image = torch.randint(0, 256, (2, 3, 5, 4), dtype=torch.uint8)
    assert torch.equal(pictures(normalise(image)), image.permute(0, 2, 3, 1))


def test_wandbs_files_are_removed_and_not_exported(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    run = Store(tmp_path / "runs").prepare(tiny(wandb=OFFLINE))
    run.finish(EMPTY)
    (run.folder / "wandb" / "offline-run-1").mkdir(parents=True)
    (run.folder / "wandb" / "offline-run-1" / "run.wandb").write_bytes(b"x" * 1000)
    (run.folder / "wandb" / "latest-run").symlink_to("offline-run-1", target_is_directory=True)
    (run.folder / "wandb" / "debug.log").symlink_to("nowhere")
    assert run.disk_use > 1000
    assert export([run], tmp_path / "results.tar.gz") == 1
    there = Store(tmp_path / "there")
    assert import_runs(tmp_path / "results.tar.gz", there) == {run.name: "added"}
    (imported,) = there.runs()
    assert {path.name for path in imported.folder.iterdir()} <= {*EXPORTED, "lock"}
    assert imported.job is not None
    assert imported.job.runtime.wandb is None
