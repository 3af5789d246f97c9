import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from datamodules.cache import build_once

CONTEXT = multiprocessing.get_context("spawn")


def _slow(folder: Path, log: Path) -> None:
    def build(partial: Path) -> None:
        with log.open("a") as file:
            file.write("built\n")
        (partial / "first").write_text("1")
        time.sleep(0.3)
        (partial / "second").write_text("2")

    assert sorted(path.name for path in build_once(folder, build).iterdir()) == ["first", "second"]


def _hang(folder: Path) -> None:
    def build(partial: Path) -> None:
        (partial / "half").write_text("")
        time.sleep(60)

    build_once(folder, build)


def test_many_processes_build_once(tmp_path: Path) -> None:
    workers = [CONTEXT.Process(target=_slow, args=(tmp_path / "deep" / "set", tmp_path / "log")) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert (tmp_path / "log").read_text() == "built\n"


def test_a_killed_builder_leaves_nothing_that_looks_done(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    worker = CONTEXT.Process(target=_hang, args=(folder,))
    worker.start()
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob(".set.partial/half")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(10)
    assert not folder.exists()
    build_once(folder, lambda partial: (partial / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]
    assert not (tmp_path / ".set.partial").exists()


def test_a_failing_builder_is_heard_and_tried_again(tmp_path: Path) -> None:
    def fail(partial: Path) -> None:
        (partial / "half").touch()
        raise RuntimeError("no luck")

    with pytest.raises(RuntimeError, match="no luck"):
        build_once(tmp_path / "set", fail)
    assert not (tmp_path / "set").exists()
    assert not (tmp_path / ".set.partial").exists()
    assert build_once(tmp_path / "set", lambda partial: None).is_dir()
    assert build_once(tmp_path / "set", fail) == tmp_path / "set"
