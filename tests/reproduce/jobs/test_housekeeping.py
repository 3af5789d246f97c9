"""Keeping house: listing, removing, carrying results to another machine; nothing that is finished or running is lost by it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reproduce.cli import main
from reproduce.commands import runs
from reproduce.jobs import housekeeping
from reproduce.jobs.job import Job, earlier
from reproduce.jobs.store import Run, Store
from reproduce.plugins import table
from reproduce.table import PROFILES, Cell, Setting, Table
from reproduce.verdicts.measured import measure

RESULT = {
    "metrics": {"f_score": 0.5},
    "data": {"set": "Helen", "status": "synthetic", "detail": "made up"},
    "provenance": {"seconds": 90.0, "finished": "2026-01-01T00:00:00Z", "device": "a processor"},
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPRODUCE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def states(store: Store, tiny: Callable[..., Job]) -> dict[str, Run]:
    """A run in every state."""
    runs = {name: store.prepare(tiny(seed=seed)) for seed, name in enumerate(("done", "failed", "interrupted", "todo"))}
    runs["done"].finish(RESULT)
    (runs["done"].folder / "weights.safetensors").write_bytes(b"w" * 5000)
    runs["failed"].fail("no memory", "")
    (runs["interrupted"].folder / "lock").touch()
    assert [run.state for run in runs.values()] == list(runs)
    return runs


def finish(store: Store, job: Job) -> Run:
    run = store.prepare(job)
    run.finish(RESULT)
    return run


def table_job() -> Job:
    """A training of table 1."""
    return next(cell for cell in table("adaptive_rf.table1").cells(Setting("demo")) if cell.kind == "trained").jobs[0]


def test_the_list_has_every_run_and_the_totals(states: dict[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    for line, run in zip(lines[1:5], sorted(states.values(), key=lambda run: run.name), strict=True):
        assert run.name in line
        assert run.state in line
    assert "1 min 30 s" in next(line for line in lines if "done" in line)
    assert lines[5].startswith("4 runs in runs, 1 done; 1 min 30 s of computing, ")
    assert main(["runs", "list", "--runs-dir", "none"]) == 0
    assert "0 runs in none" in capsys.readouterr().out


def test_remove_takes_the_named_and_says_what_it_freed(states: dict[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    name = states["done"].name
    assert main(["runs", "remove", name, "--dry-run"]) == 0
    assert "Would remove 1 run" in capsys.readouterr().out
    assert states["done"].done
    freed = states["done"].disk_use
    assert main(["runs", "remove", name]) == 0
    out = capsys.readouterr().out
    assert f"Removed 1 run, {freed / 1024:.3g} KiB." in out
    assert not states["done"].folder.exists()
    assert all(run.folder.exists() for state, run in states.items() if state != "done")


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        (["--failed"], {"failed"}),
        (["--unfinished"], {"interrupted", "todo"}),
        (["--failed", "--unfinished"], {"failed", "interrupted", "todo"}),
        (["tiny-*"], {"done", "failed", "interrupted", "todo"}),
        (["tiny-*", "--failed", "--unfinished"], {"failed", "interrupted", "todo"}),
        (["tiny-s0-*", "tiny-s1-*", "--failed"], {"failed"}),
        (["tiny-s0", "--failed"], set()),
        (["tiny-s0"], {"done"}),
    ],
)
def test_remove_by_state_or_pattern(words: list[str], gone: set[str], states: dict[str, Run]) -> None:
    assert main(["runs", "remove", *words]) == 0
    assert {state for state, run in states.items() if not run.folder.exists()} == gone


def test_a_running_one_is_refused_and_nothing_else_goes(states: dict[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    with states["interrupted"].lock():
        assert main(["runs", "remove", "tiny-*"]) == 2
        assert f"{states['interrupted'].name} is running" in capsys.readouterr().err
        assert main(["runs", "rerun", states["interrupted"].name]) == 2
        assert main(["runs", "remove", "--unfinished"]) == 0  # of those it is none
        assert housekeeping.remove(states["interrupted"]) is None
    assert [state for state, run in states.items() if not run.folder.exists()] == ["todo"]


def test_a_beginning_names_a_run_only_where_one_begins_so(states: dict[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    names = sorted(run.name for run in states.values())
    for words in (["remove", "tiny"], ["rerun", "tiny"], ["mirror", "tiny"], ["remove", "tiny", "--failed"]):
        assert main(["runs", *words]) == 2
        assert f"but 'tiny' matches 4 runs ({', '.join(names)})" in capsys.readouterr().err
    assert all(run.folder.exists() for run in states.values())
    assert main(["runs", "rerun", "tiny-s0"]) == 0
    assert {state for state, run in states.items() if not run.folder.exists()} == {"done"}


def test_rerun_makes_a_job_one_to_do(states: dict[str, Run], store: Store, tiny: Callable[..., Job]) -> None:
    assert main(["runs", "rerun", states["done"].name]) == 0
    assert store.run(tiny(seed=0)).state == "todo"


def test_stale_are_those_whose_method_or_whose_parents_moved_on(
    store: Store, tiny: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = table_job()
    child = tiny(slug="a-users-own", start=old)
    current = replace(old, revision=2)
    kept = [finish(store, job) for job in (current, tiny())]
    removed = [finish(store, job) for job in (old, replace(old, seed=7), child)]
    assert main(["runs", "remove", "--stale"]) == 0
    assert all(run.folder.exists() for run in removed)  # nothing has moved
    monkeypatch.setattr("reproduce.papers.adaptive_rf.helen.REVISION", 2)
    capsys.readouterr()
    main(["runs"])
    assert capsys.readouterr().out.count("done, stale") == 3
    assert main(["runs", "remove", "--stale"]) == 0
    assert not any(run.folder.exists() for run in removed)
    assert all(run.folder.exists() for run in kept)


def test_known_jobs_are_also_those_that_the_jobs_of_tables_start_from(tiny: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    first = tiny(slug="first", revision=2)
    second = tiny(slug="second", start=tiny(slug="middle", start=first))
    cells = [Cell("a", "f_score", "trained", (second,), lambda metrics: metrics["f_score"])]
    monkeypatch.setattr("reproduce.commands.runs.all_tables", lambda: [Table("of.one", lambda setting: cells, (), lambda setting: [])])
    found = list(runs.known_jobs())
    expected = [("of.one", profile, slug) for profile in PROFILES for slug in ("first", "middle", "second")]
    assert [(table, profile, job.slug) for table, profile, job in found] == expected
    assert runs.revisions() == {"first": 2, "middle": 1, "second": 1}


def test_a_cell_says_that_an_older_result_is_stale(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(store, table_job())
    monkeypatch.setattr("reproduce.papers.adaptive_rf.helen.REVISION", 3)
    assert main(["show", "table1", "--format", "json"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    stale = [cell for cell in cells if "is stale" in cell["reason"]]
    assert {cell["row_key"] for cell in stale} == {"baseline-2"}
    (cell,) = (cell for cell in stale if cell["column"] == "f_score")  # the others are the json's own, of the same job
    assert (cell["row_key"], cell["column"], cell["verdict"], cell["mean"]) == ("baseline-2", "f_score", "not run", None)
    assert cell["reason"] == (
        "an older result (revision 1) is stale: `python -m reproduce adaptive_rf.table1 --profile demo` computes a new one"
    )


def test_earlier_goes_through_the_parents_too(tiny: Callable[..., Job]) -> None:
    parent = tiny(revision=2)
    child = tiny(seed=1, start=parent, revision=3)
    found = [(job.revision, job.start.source.revision) for job in earlier(child)]  # type: ignore[union-attr]
    assert found == [(2, 2), (1, 2), (3, 1), (2, 1), (1, 1)]
    assert not list(earlier(tiny()))


def test_results_travel_without_weights_and_count_as_done(
    states: dict[str, Run], store: Store, tiny: Callable[..., Job], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "export", "results.tar.gz"]) == 0
    with tarfile.open("results.tar.gz") as archive:
        names = set(archive.getnames())
        assert {(entry.uid, entry.uname) for entry in archive} == {(0, "")}
    assert names == {f"{states['done'].name}/{file}" for file in ("job.json", "manifest.json", "result.json")} | {
        f"{states['failed'].name}/{file}" for file in ("job.json", "error.json")
    }
    other = Store(Path("other"))
    interrupted = other.prepare(tiny(seed=0))
    (interrupted.folder / "lock").touch()
    (interrupted.folder / "checkpoints").mkdir()
    assert main(["runs", "import", "results.tar.gz", "--runs-dir", "other"]) == 0
    assert capsys.readouterr().out.endswith("2 added, 0 skipped.\n")
    assert (other.run(tiny(seed=0)).state, other.run(tiny(seed=1)).state) == ("done", "failed")
    assert not (interrupted.folder / "checkpoints").exists()
    cell = Cell("row", "f_score", "trained", (tiny(seed=0),), lambda metrics: metrics["f_score"])
    assert [line.value for line in measure([cell], other, "demo", "it")] == [0.5]
    # Again, and over a result of its own.
    assert main(["runs", "import", "results.tar.gz", "--runs-dir", "other"]) == 0
    assert "the same result is here already" in capsys.readouterr().out
    other.run(tiny(seed=0)).finish(RESULT | {"metrics": {"f_score": 0.7}})
    assert main(["runs", "import", "results.tar.gz", "--runs-dir", "other"]) == 0
    assert "another result is here and is kept" in capsys.readouterr().out
    assert other.run(tiny(seed=0)).result == RESULT | {"metrics": {"f_score": 0.7}}


def archive_of(files: dict[str, bytes | str]) -> None:
    """Write an archive; a text is what a link points to."""
    with tarfile.open("bad.tar.gz", "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))


BAD = {
    "a path upwards": {"../job.json": b"{}"},
    "a path upwards in a run": {"run/../../job.json": b"{}"},
    "an absolute path": {"/tmp/job.json": b"{}"},
    "a link": {"run/log.txt": "/etc/passwd"},
    "weights": {"run/weights.safetensors": b""},
    "a run without its job": {"run/result.json": b"{}"},
    "a job that is none": {"run/job.json": b"[1]"},
    "a job of another version": {"run/job.json": b'{"type": "Job", "future": 1}'},
}


@pytest.mark.parametrize("name", BAD)
def test_an_archive_of_anything_else_is_refused_whole(name: str, states: dict[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    good = states["done"]
    archive_of({f"{good.name}/job.json": (good.folder / "job.json").read_bytes(), **BAD[name]})
    assert main(["runs", "import", "bad.tar.gz", "--runs-dir", "new"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not Path("new").exists()


def test_a_run_under_another_name_is_refused(states: dict[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    archive_of({f"{states['todo'].name}/job.json": (states["done"].folder / "job.json").read_bytes()})
    assert main(["runs", "import", "bad.tar.gz", "--runs-dir", "new"]) == 2
    assert "is misnamed" in capsys.readouterr().err


def test_an_imported_job_names_no_folder_of_its_sender(states: dict[str, Run]) -> None:
    """Neither where its data lies nor a paper's folder, from which code could be run."""
    plain = json.loads((states["done"].folder / "job.json").read_text())
    plain["runtime"] |= {"papers": ["/somewhere/else"], "cache": "/somewhere/else"}
    archive_of({f"{states['done'].name}/job.json": json.dumps(plain).encode()})
    assert main(["runs", "import", "bad.tar.gz", "--runs-dir", "new"]) == 0
    assert "/somewhere/else" not in (Path("new") / states["done"].name / "job.json").read_text()


def test_an_archive_cut_off_is_refused(states: dict[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "export", "results.tar.gz"]) == 0
    whole = Path("results.tar.gz").read_bytes()
    Path("cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    assert main(["runs", "import", "cut.tar.gz", "--runs-dir", "new"]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert not Path("new").exists()


WRONG = {
    "an unknown action": ["runs", "clean"],
    "an unknown option": ["runs", "--bogus"],
    "a name to list": ["runs", "list", "x"],
    "nothing to remove": ["runs", "remove"],
    "an unknown run": ["runs", "remove", "x"],
    "a path": ["runs", "remove", "../runs"],
    "nothing to run again": ["runs", "rerun"],
    "a flag of another action": ["runs", "rerun", "x", "--failed"],
    "a dry list": ["runs", "--dry-run"],
    "no archive": ["runs", "export"],
    "an archive of another kind": ["runs", "export", "x.zip"],
    "an archive in no folder": ["runs", "export", "no/x.tar.gz"],
    "an archive that exists": ["runs", "export", "old.tar.gz"],
    "nothing to export": ["runs", "export", "x.tar.gz", "--runs-dir", "empty"],
    "no archive to import": ["runs", "import", "x.tar.gz"],
    "an archive that is none": ["runs", "import", "old.tar.gz"],
    "no table to plan": ["plan"],
    "an unknown table to plan": ["plan", "tabel1"],
    "no jobs at a time": ["plan", "table1", "--jobs", "0"],
    "no time": ["table1", "--max-hours", "0"],
    "no number of hours": ["table1", "--max-hours", "nan"],
    "hours in words": ["table1", "--max-hours", "two"],
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_sentence_and_exit_code_2(name: str, states: dict[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.tar.gz").write_bytes(b"no archive")
    assert main(WRONG[name]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.rstrip().endswith(".")
    assert all(run.folder.exists() for run in states.values())


def test_an_export_names_no_folder_of_this_machine(states: dict[str, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (states["failed"].folder / "log.txt").write_text(f"{tmp_path}/secret\n")
    assert main(["runs", "export", str(tmp_path / "out.tar.gz")]) == 0
    capsys.readouterr()
    with tarfile.open(tmp_path / "out.tar.gz") as archive:
        contents = [file.read() for member in archive if (file := archive.extractfile(member)) is not None]
    assert contents
    assert not any(str(tmp_path).encode() in content or b"cache" in content for content in contents)
