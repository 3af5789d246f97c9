"""Several ranks a job: the same experiment as one process, whatever happens to a rank."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from reproduce.cli import main
from reproduce.jobs.job import Job
from reproduce.jobs.store import Run, Store
from reproduce.plugins import table
from reproduce.schedule.devices import gpus, launcher_for
from reproduce.schedule.local import LocalLauncher
from reproduce.specs import Helen, MadeFaces
from reproduce.table import Setting
from reproduce.worker.ranks import check

TWO_GPUS = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
ACCELERATORS = ["cpu", pytest.param("cuda", marks=TWO_GPUS)]
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def launcher() -> Iterator[LocalLauncher]:
    launcher = LocalLauncher(slots=1)
    yield launcher
    launcher.stop()


@pytest.fixture
def plain(tiny: Callable[..., Job]) -> Callable[..., Job]:
    """Builds jobs without batch norm and dropout: what ranks and one process must train to the same numbers."""
    return lambda **changes: tiny(**{"norm": False, "batch_norm": False, "dropout": 0.0, "learning_rate": 1e-5, **changes})


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def begin(launcher: LocalLauncher, store: Store, job: Job) -> tuple[Run, Any]:
    run = store.prepare(job)
    launcher.submit(run.folder)
    return run, launcher.processes[job.name]


def end(launcher: LocalLauncher, process: Any) -> int:
    wait_for(lambda: not process.is_alive())
    code: int = process.exitcode
    launcher.active()
    return code


def do(launcher: LocalLauncher, store: Store, job: Job) -> Run:
    run, process = begin(launcher, store, job)
    code = end(launcher, process)
    assert code == (1 if run.state == "failed" else 0), (run.folder / "log.txt").read_text()
    return run


def lines(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def close(run: Run, other: Run, rtol: float = 1e-4) -> None:
    """Two runs took the same steps up to rounding, and ended at the same scores."""
    ours, theirs = lines(run), lines(other)
    assert [line["step"] for line in ours] == [line["step"] for line in theirs]
    for line, expected in zip(ours, theirs, strict=True):
        assert line == pytest.approx(expected, rel=rtol, abs=rtol)
    matrix, expected_matrix = (torch.tensor(result["confusion"]) for result in (run.result or {}, other.result or {}))
    assert matrix.sum() == expected_matrix.sum()
    assert (matrix - expected_matrix).abs().sum() <= matrix.sum() * 0.002  # pixels whose best two classes are within rounding


def same(run: Run, other: Run) -> None:
    assert run.result is not None
    assert other.result is not None
    assert lines(run) == lines(other)
    assert run.result["confusion"] == other.result["confusion"]
    ours, theirs = load_file(run.folder / "weights.safetensors"), load_file(other.folder / "weights.safetensors")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def on(job: Job, **runtime: Any) -> Job:
    """The same job, run elsewhere."""
    return replace(job, runtime=replace(job.runtime, **runtime))


@pytest.mark.slow
@pytest.mark.parametrize("accelerator", ACCELERATORS)
@pytest.mark.parametrize("inflated", [False, True], ids=["baseline", "modified"])
def test_two_ranks_train_what_one_process_trains(
    accelerator: str, inflated: bool, tmp_path: Path, plain: Callable[..., Job], launcher: LocalLauncher
) -> None:
    job = on(plain(inflated=inflated, batch_size=4, factor_multiplier=100.0, factor_start=3), accelerator=accelerator)
    one, two = do(launcher, Store(tmp_path / "one"), job), do(launcher, Store(tmp_path / "two"), on(job, devices=2))
    assert one.name == two.name  # devices are no part of a job's identity
    assert two.result is not None
    assert two.result["provenance"]["devices"] == 2
    close(two, one)
    if inflated:
        moved = [line["trajectory/f"] != 1.0 for line in lines(two)[:-1]]
        assert moved == [False] * 4 + [True] * 8


@pytest.mark.slow
@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_equal_weights_are_evaluated_to_the_same_matrix(
    accelerator: str, tmp_path: Path, plain: Callable[..., Job], launcher: LocalLauncher
) -> None:
    """Five faces over two ranks: one rank has three, and none is counted twice."""
    parent = on(plain(seed=1), accelerator=accelerator)
    data = Helen(40, made=MadeFaces(exemplars=9, tuning=2, testing=5, size=64))
    job = on(plain(start=parent, steps=1, learning_rate=0.0, milestones=(), data=data), accelerator=accelerator)
    results = []
    for devices in (1, 2):
        store = Store(tmp_path / str(devices))
        do(launcher, store, parent)
        results.append(do(launcher, store, on(job, devices=devices)).result)
    one, two = results
    assert one is not None
    assert two is not None
    assert one["confusion"] == two["confusion"]
    assert one["images"] == two["images"] == 5
    assert sum(map(sum, two["confusion"])) == 5 * 40 * 40


@pytest.mark.slow
@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_two_ranks_train_pictures_as_one_process_does(
    accelerator: str, tmp_path: Path, digits: Callable[..., Job], launcher: LocalLauncher
) -> None:
    """Losses, sigmas and the matrix of 13 pictures, of which one rank has seven."""
    job = on(digits(learning_rate=0.02), accelerator=accelerator)
    one, two = do(launcher, Store(tmp_path / "one"), job), do(launcher, Store(tmp_path / "two"), on(job, devices=2))
    assert two.result is not None
    assert (two.result["provenance"]["devices"], two.result["images"]) == (2, 13)
    close(two, one)
    assert lines(two)[11]["trajectory/sigma_1"] != 1.0


@pytest.mark.slow
def test_a_rank_that_is_killed_or_terminated_ends_the_job_which_goes_on(
    tmp_path: Path, plain: Callable[..., Job], launcher: LocalLauncher
) -> None:
    """With dropout, which every rank draws for itself; the disturbed run is the undisturbed one to the last bit."""
    job = on(plain(steps=120, milestones=(90,), dropout=0.5, checkpoint_every=20), devices=2)
    undisturbed = do(launcher, Store(tmp_path / "undisturbed"), job)
    killed = Store(tmp_path / "killed")

    def disturb(steps: int, act: Callable[[int, list[int]], None]) -> tuple[Run, int]:
        run, process = begin(launcher, killed, job)
        curve = run.folder / "metrics.jsonl"
        wait_for(lambda: curve.exists() and curve.read_text().count("\n") >= steps)
        ranks = children(process.pid)
        assert len(ranks) == 2
        act(process.pid, ranks)
        code = end(launcher, process)
        wait_for(lambda: not run.locked)  # every rank has the lock: it is free when all have gone
        assert run.state == "interrupted", run.error
        return run, code

    run, code = disturb(22, lambda _, ranks: os.kill(ranks[1], signal.SIGKILL))
    assert code == 1
    assert "A rank was killed by signal 9" in (run.folder / "log.txt").read_text()
    run, code = disturb(42, lambda _, ranks: os.kill(ranks[0], signal.SIGKILL))
    assert code == 1
    disturb(62, lambda job, _: os.kill(job, signal.SIGKILL))
    run, code = disturb(80, lambda _, ranks: os.kill(ranks[1], signal.SIGTERM))  # all stop at the same step, with a checkpoint
    assert code == 0
    assert run.progress["step"] >= 80
    do(launcher, killed, on(job, stop_after=3))
    assert run.state == "interrupted"
    same(do(launcher, killed, job), undisturbed)


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_devices(tmp_path: Path, plain: Callable[..., Job], launcher: LocalLauncher) -> None:
    job, store = plain(), Store(tmp_path / "parts")
    for devices, step in ((2, 5), (1, 10)):
        run = do(launcher, store, on(job, devices=devices, stop_after=5))
        assert (run.state, run.progress["step"]) == ("interrupted", step)
    close(do(launcher, store, on(job, devices=2)), do(launcher, Store(tmp_path / "whole"), job))


@pytest.mark.slow
def test_twenty_runs_in_a_row_end_cleanly(tmp_path: Path, plain: Callable[..., Job], launcher: LocalLauncher) -> None:
    for seed in range(20):
        run, process = begin(launcher, Store(tmp_path), on(plain(seed=seed, steps=1, milestones=()), devices=2))
        assert (end(launcher, process), run.state) == (0, "done"), (run.folder / "log.txt").read_text()


@pytest.mark.slow
def test_a_failure_of_ranks_is_one_sentence(
    tmp_path: Path, tiny: Callable[..., Job], plain: Callable[..., Job], launcher: LocalLauncher
) -> None:
    store = Store(tmp_path)
    assert "Expected a finite training loss" in do(launcher, store, on(plain(learning_rate=1e6), devices=2)).error
    assert "Expected at most 3 devices, one a face of `testing`" in do(launcher, store, on(plain(batch_size=4), devices=4)).error
    assert "it has batch norm" in do(launcher, store, on(tiny(), devices=2)).error
    assert "divide the batch of 3" in do(launcher, store, on(plain(batch_size=3), devices=2)).error


@pytest.mark.slow
@pytest.mark.parametrize("how", ["torchrun", "two machines"])
def test_ranks_that_others_start_do_the_same(how: str, tmp_path: Path, plain: Callable[..., Job], launcher: LocalLauncher) -> None:
    job = plain()
    one = do(launcher, Store(tmp_path / "one"), job)
    job = on(job, devices=2) if how == "torchrun" else on(job, num_nodes=2)
    run = Store(tmp_path / "two").prepare(job)
    words = ["-m", "reproduce", "job", str(run.folder)]
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    meeting = os.environ | {"PYTHONPATH": str(ROOT), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    commands = [[sys.executable, *words]] * 2
    if how == "torchrun":
        commands = [[sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={port}", *words]]
    with (run.folder / "log.txt").open("wb") as log:
        started = [
            subprocess.Popen(command, stdout=log, stderr=log, env=meeting | {"NODE_RANK": str(node)})
            for node, command in enumerate(commands)
        ]
        assert [process.wait(timeout=120) for process in started] == [0] * len(started), (run.folder / "log.txt").read_text()
    close(run, one)


@pytest.mark.slow
@TWO_GPUS
@pytest.mark.parametrize(("precision", "rtol"), [("32-true", 1e-3), ("bf16-mixed", 5e-2)])
def test_two_gpus_share_batch_norm(precision: str, rtol: float, tmp_path: Path, tiny: Callable[..., Job], launcher: LocalLauncher) -> None:
    job = on(tiny(precision=precision, dropout=0.0, batch_size=4), accelerator="cuda")
    one, two = do(launcher, Store(tmp_path / "one"), job), do(launcher, Store(tmp_path / "two"), on(job, devices=2))
    assert [line["train/loss"] for line in lines(two)[:-1]] == pytest.approx([line["train/loss"] for line in lines(one)[:-1]], rel=rtol)


REFUSED = {
    "batch norm on processors": (["--devices", "2"], "because it has batch norm, which only GPUs compute over all ranks, but got 2"),
    "a batch that cannot be shared": (["--devices", "3"], "divide the batch of 2 of adaptive-rf-baseline-2-demo"),
    "half precision on a processor": (["--precision", "16-mixed"], "32-true or bf16-mixed on a processor, but got 16-mixed"),
    "no device": (["--devices", "0"], "--devices to be a positive integer, but got 0"),
    "no machine": (["--num-nodes", "0"], "--num-nodes to be a positive integer, but got 0"),
    "machines that cannot meet": (["--num-nodes", "2"], "Expected MASTER_ADDR and MASTER_PORT in the environment"),
    "an unknown precision": (["--precision", "8-true"], "invalid choice: '8-true'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_devices_cannot_do_is_refused_before_anything_starts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("REPRODUCE_DATA", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(variable, raising=False)
    words, expected = REFUSED[name]
    assert main(["table1", "--rows", "baseline-2", "--accelerator", "cpu", *words]) == 2
    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not list(tmp_path.rglob("job.json"))


def test_the_published_baselines_train_on_several_processors(tmp_path: Path) -> None:
    """They have no batch norm; the networks that learn f do."""
    jobs = {
        cell.row_key: cell.jobs for cell in table("adaptive_rf.table1").cells(Setting("paper", data_root=None)) if cell.kind == "trained"
    }
    (baseline,), (modified,) = jobs["baseline-8"], jobs["modified-8"]
    check(on(baseline, devices=2))
    with pytest.raises(ValueError, match="batch norm"):
        check(on(modified, devices=2))
    check(on(modified, devices=2, accelerator="cuda"))
    with pytest.raises(ValueError, match="divide the batch of 2"):
        check(on(modified, devices=4, accelerator="cuda"))


def test_precision_makes_another_run_of_trainings_only() -> None:
    found = table("adaptive_rf.table1")
    ours, theirs = (found.cells(Setting("demo", precision=precision)) for precision in ("bf16-mixed", "32-true"))
    for cell, other in zip(ours, theirs, strict=True):
        assert [job.digest == same.digest for job, same in zip(cell.jobs, other.jobs, strict=True)] == [cell.kind == "exact"] * len(
            cell.jobs
        )
    assert "precision" in {deviation.id for deviation in found.deviations(Setting("demo", precision="bf16-mixed"))}


def test_gpus_are_shared_out_in_groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7,9")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() == []  # whatever the variable says, without NVIDIA's tools there is none
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nfor gpu in 0 1 2 3 4 5 6 7 8 9; do echo GPU $gpu; done\n")
    tool.chmod(0o755)
    assert gpus() == ["4", "5", "6", "7", "9"]
    launcher, runtime = launcher_for("auto", None, devices=2)
    assert (launcher.slots, launcher.gpus) == (2, ["4,5", "6,7"])
    assert (runtime.accelerator, runtime.devices, runtime.world) == ("cuda", 2, 2)
    assert launcher_for("auto", 3, devices=2)[0].gpus == ["4,5", "6,7", "4,5"]
    assert launcher_for("auto", None)[0].gpus == ["4", "5", "6", "7", "9"]
    assert launcher_for("auto", None, num_nodes=2)[0].slots == 1
    with pytest.raises(ValueError, match="--devices to be at most 5"):
        launcher_for("cuda", None, devices=6)
