"""States are files, and survive whoever wrote them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reproduce.jobs.job import Job
from reproduce.jobs.result import EMPTY
from reproduce.jobs.store import Store, read_json, write_atomically


def test_states_follow_the_files(store: Store, tiny: Callable[..., Job]) -> None:
    job = tiny()
    assert store.run(job).state == "todo"
    run = store.prepare(job)
    assert run.state == "todo"
    with run.lock() as mine:
        assert mine
        assert run.state == "running"
        with run.lock() as second:
            assert not second
    assert run.state == "interrupted"
    run.fail("no memory", "traceback")
    assert (run.state, run.error) == ("failed", "no memory")
    run.finish(EMPTY)
    assert (run.state, run.result) == ("done", EMPTY)


def test_a_lock_dies_with_its_process(store: Store, tiny: Callable[..., Job]) -> None:
    run = store.prepare(tiny())
    code = (
        "import sys, time; from pathlib import Path; from reproduce.jobs.store import Run\n"
        "with Run(Path(sys.argv[1])).lock(): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, run.folder], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert run.state == "running"
        process.kill()
    assert run.state == "interrupted"


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    write_atomically(path, '{"a": 1}', durable=True)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, '{"a": 2}', durable=True)
    assert read_json(path) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize("content", ["5", "[1]", '"x"', "null", "{", "[" * 5000])
def test_a_file_that_is_no_object_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "error.json").write_text(content)
    with pytest.raises(
        ValueError, match=r"Expected .*error\.json to be (JSON|a JSON object), but .*; remove it and run the same command again"
    ):
        read_json(tmp_path / "error.json")
