"""Wrong command lines and broken files: one sentence, the right exit code, and nothing lost that was computed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from datamodules.layouts import helen
from datamodules.synthetic import write_helen
from reproduce.cli import main
from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.specs import Helen, Weights
from reproduce.worker.process import work

DEMO = ["table1", "--profile", "demo", "--accelerator", "cpu"]
# Words, and a part of the sentence. Files are those of `broken_files`, beside which the command is given.
WRONG: list[tuple[list[str], str]] = [
    (["tabel1"], "but got 'tabel1'"),
    (["adaptive_rf.table9"], "but got 'adaptive_rf.table9'"),
    (["adaptive"], "but got 'adaptive'"),
    (["table1", "tabel2"], "but got 'tabel2'"),
    (["table1", "--rows", "baseline-3"], "but got 'baseline-3'"),
    (["table1", "--rows", ""], "but got ''"),
    (["table1", "--rows", "baseline-8,,modified-8"], "but got ''"),
    (["table1", "--seeds", "1001"], "--seeds to be from 1 to 1000, but got 1001"),
    (["table1", "--seeds", "0"], "--seeds to be from 1 to 1000, but got 0"),
    (["table1", "--seeds", "-3"], "--seeds to be from 1 to 1000, but got -3"),
    (["table1", "--seeds", "three"], "invalid int value: 'three'"),
    (["table1", "--seeds"], "--seeds: expected one argument"),
    (["table1", "--jobs", "0"], "--jobs to be a positive integer, but got 0"),
    (["table1", "--profile", "big"], "invalid choice: 'big'"),
    (["table1", "--format", "xml"], "invalid choice: 'xml'"),
    (["table1", "--bogus"], "--bogus"),
    (["table1", "--stop-after", "-1"], "--stop-after to be a positive integer, but got -1"),
    (["table1", "--stop-after", "0"], "--stop-after to be a positive integer, but got 0"),
    (["plan", "table1", "--stop-after", "0"], "--stop-after to be a positive integer, but got 0"),
    (["table1", "--max-hours", "0"], "--max-hours to be a positive number of hours, but got 0"),
    (["table1", "--max-hours", "nan"], "--max-hours to be a positive number of hours, but got nan"),
    (["table1", "--max-hours", "inf"], "--max-hours to be a positive number of hours, but got inf"),
    (["table1", "--max-hours", "soon"], "invalid float value: 'soon'"),
    (["table1", "--devices", "0"], "--devices to be a positive integer, but got 0"),
    (["table1", "--num-nodes", "0"], "--num-nodes to be a positive integer, but got 0"),
    (["table1", "--num-nodes", "2"], "Expected MASTER_ADDR and MASTER_PORT"),
    ([*DEMO, "--devices", "2"], "because it has batch norm"),
    ([*DEMO, "--devices", "3"], "to divide the batch of 2"),
    ([*DEMO, "--precision", "16-mixed"], "but got 16-mixed; use one of them, or a GPU"),
    (["table1", "--precision", "8"], "invalid choice: '8'"),
    (["table1", "--accelerator", "tpu"], "invalid choice: 'tpu'"),
    (["table1", "--profile", "small"], "Expected --data-root or REPRODUCE_DATA"),
    (["table1", "--profile", "paper"], "Expected --data-root or REPRODUCE_DATA"),
    (["table1", "--data-root", "nowhere"], "but got nowhere"),
    (["table1", "--data-root", "text.txt"], "but got text.txt"),
    (["table1", "--data-root", ".", "--profile", "small"], "SmithCVPR2013_dataset_resized is not a folder"),
    (["table1", "--data-root", "no-landmarks", "--profile", "small"], "landmarks are missing"),
    (["table1", "--data-root", "no-list", "--profile", "small"], "tuning.txt"),
    (["table1", "--data-root", "bad-list", "--profile", "small"], "tuning.txt"),
    (["table1", "--data-root", "no-picture", "--profile", "small"], "lacks 1 of"),
    (["table1", "--data-root", "no-labels", "--profile", "small"], "label folders are incomplete"),
    (["table1", "--data-root", "twice", "--profile", "small"], "more than once"),
    (["table1", "--data-root", ""], "--data-root to be a folder of data sets, but got ''"),
    (["prepare", "vgg16", "--data-root", ""], "--data-root to be a folder of data sets, but got ''"),
    ([*DEMO, "--runs-dir", "/dev/null/x"], "but got /dev/null/x, and /dev/null is a file"),
    ([*DEMO, "--runs-dir", "text.txt"], "but got text.txt, and text.txt is a file"),
    (["--runs-dir", "text.txt"], "but got text.txt, and text.txt is a file"),
    (["show", "table1", "--runs-dir", "text.txt"], "but got text.txt, and text.txt is a file"),
    (["show", "table1", "--runs-dir", "text.txt/x"], "but got text.txt/x, and text.txt is a file"),
    (["show", "table1", "--runs-dir", ""], "--runs-dir to be a folder, but got ''"),
    (["plan", "table1", "--runs-dir", "text.txt"], "but got text.txt, and text.txt is a file"),
    (["runs", "--runs-dir", "text.txt"], "but got text.txt, and text.txt is a file"),
    (["predict", "x", "y.png", "--runs-dir", "text.txt"], "but got text.txt, and text.txt is a file"),
    (["dashboard", "table1", "--dry-run", "--output", "d.json"], "not allowed with argument"),
    ([*DEMO, "--with", "nowhere.py"], "nowhere.py"),
    ([*DEMO, "--with", "syntax.py"], "syntax.py"),
    ([*DEMO, "--with", "no-rows.py"], "no-rows.py"),
    ([*DEMO, "--with", "raises.py"], "raises.py"),
    ([*DEMO, "--with", "."], "."),
    (["show"], "Expected a table after `show`"),
    (["show", "tabel1"], "but got 'tabel1'"),
    (["show", "table1", "--rows", "x"], "but got 'x'"),
    (["show", "table1", "--jobs", "2"], "--jobs"),
    (["plan"], "Expected a table after `plan`"),
    (["plan", "tabel1"], "but got 'tabel1'"),
    (["plan", "table1", "--seeds", "0"], "--seeds to be from 1 to 1000, but got 0"),
    (["job"], "required: RUN_DIR"),
    (["job", "a", "b"], "Unrecognized arguments: b"),
    (["job", "."], "Expected a run folder with a job.json"),
    (["job", "garbage"], "job.json"),
    (["predict"], "required"),
    (["predict", "nothing", "text.txt"], "nothing"),
    (["runs", "bogus"], "bogus"),
    (["runs", "remove"], "remove"),
    (["runs", "remove", "nothing"], "nothing"),
    (["runs", "rerun", "nothing"], "nothing"),
    (["runs", "import", "nothing.tar.gz"], "nothing.tar.gz"),
    (["runs", "import", "text.txt"], "text.txt"),
]


@pytest.fixture(scope="module")
def broken_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of everything that can be wrong."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "text.txt").write_text("just text\n")
    (folder / "garbage").mkdir()
    (folder / "garbage" / "job.json").write_text('{"type": "Job", ')
    (folder / "syntax.py").write_text("def rows(:\n")
    (folder / "no-rows.py").write_text("x = 1\n")
    (folder / "raises.py").write_text("raise RuntimeError('broken')\n")
    for name in ("no-landmarks", "no-list", "bad-list", "no-picture", "no-labels", "twice"):
        write_helen(folder / name, exemplars=2, tuning=1, testing=1, size=64, seed=0)
    faces = "helen/SmithCVPR2013_dataset_resized"
    (folder / "no-landmarks/helen/annotation").rename(folder / "no-landmarks/helen/elsewhere")
    (folder / "no-list" / faces / "tuning.txt").unlink()
    (folder / "bad-list" / faces / "tuning.txt").write_text("nothing that is a line of a list\n")
    next((folder / "no-picture" / faces / "images").iterdir()).unlink()
    labels = next((folder / "no-labels" / faces / "labels").iterdir())
    labels.rename(folder / "moved")
    lists = folder / "twice" / faces
    (lists / "tuning.txt").write_text((lists / "testing.txt").read_text())
    return folder


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REPRODUCE_DATA", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("words", "part"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_wrong_input_is_one_sentence_and_exit_code_2(
    words: list[str], part: str, broken_files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(broken_files)
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert part in captured.err
    assert captured.err.count("\n") == 1
    assert captured.err.rstrip().endswith((".", "`"))
    assert "Traceback" not in captured.err


def test_there_are_sixty() -> None:
    assert len({tuple(words) for words, _ in WRONG}) >= 60


@pytest.mark.parametrize("verb", ["show", "plan", "predict", "prepare", "runs", "dashboard", "job"])
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert "usage: python -m reproduce" in capsys.readouterr().out


FACES = "helen/SmithCVPR2013_dataset_resized"


def cut_picture(root: Path) -> str:
    path = sorted((root / FACES / "images").iterdir())[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path.name


def other_size(root: Path) -> str:
    from datamodules.opencv import cv2

    path = sorted((root / FACES / "labels").rglob("*_lbl06.png"))[0]
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path), flags=cv2.IMREAD_GRAYSCALE), dsize=(32, 32)))
    return path.name


def cut_label(root: Path) -> str:
    path = sorted((root / FACES / "labels").rglob("*_lbl03.png"))[0]
    path.write_bytes(path.read_bytes()[:40])
    return path.name


def short_landmarks(root: Path) -> str:
    path = sorted((root / "helen/annotation").iterdir())[0]
    path.write_text("\n".join(path.read_text().splitlines()[:100]))
    return path.name


@pytest.mark.parametrize("breaks", [cut_picture, other_size, cut_label, short_landmarks])
def test_a_broken_file_of_the_data_fails_the_job_by_its_name(
    breaks: Callable[[Path], str], tmp_path: Path, tiny: Callable[..., Job], capfd: pytest.CaptureFixture[str]
) -> None:
    write_helen(tmp_path / "data", exemplars=3, tuning=1, testing=1, size=64, seed=0)
    name = breaks(tmp_path / "data")
    data = Helen(40, fingerprint=helen.find(tmp_path / "data").fingerprint())
    job = tiny(data=data, data_root=str(tmp_path / "data"), cache=str(tmp_path / "cache"))
    run = Store(tmp_path / "runs").prepare(job)
    assert work(run.folder) == 1
    assert name in run.error
    assert "\n" not in run.error


def test_start_weights_that_are_none_fail_the_job_by_a_sentence(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "vgg16-397923af.pth").write_bytes(b"not a file of weights")
    job = replace(tiny(data_root=str(tmp_path)), start=Weights("vgg16-397923af.pth", "00"))
    run = Store(tmp_path / "runs").prepare(job)
    assert work(run.folder) == 1
    assert "vgg16-397923af.pth" in run.error


def test_a_full_disk_fails_the_job_and_keeps_its_checkpoints(
    tmp_path: Path, tiny: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Store(tmp_path).prepare(tiny(stop_after=8))
    assert work(run.folder) == 0
    kept = sorted(path.name for path in (run.folder / "checkpoints").glob("*.ckpt"))
    run = Store(tmp_path).prepare(tiny())

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("safetensors.torch.save_model", full)
        assert work(run.folder) == 1
    assert "No space left on device" in run.error
    assert set(kept) & {path.name for path in (run.folder / "checkpoints").glob("*.ckpt")}
    # With room again, the same job goes on from there to the undisturbed result.
    assert work(run.folder) == 0
    whole = Store(tmp_path / "whole").prepare(tiny())
    assert work(whole.folder) == 0
    assert run.result is not None
    assert whole.result is not None
    assert run.result["metrics"] == whole.result["metrics"]


def test_a_result_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from reproduce.plugins import table
    from reproduce.table import Setting

    monkeypatch.chdir(tmp_path)
    (job, *_) = table("adaptive_rf.table1").cells(Setting("demo"))[0].jobs
    run = Store(tmp_path / "runs").prepare(job)
    (run.folder / "result.json").write_text(json.dumps({"metrics": {"receptive_field": 260}})[:20])
    assert main(["show", "table1", "--format", "json"]) == 0
    cells = {cell["verdict"]: cell for cell in json.loads(capsys.readouterr().out)["cells"]}
    assert cells["failed"]["reason"].startswith(f"failed: Expected result.json of {run.name} to be JSON, but it is not (")
    assert cells["failed"]["values"] == []


NOISY = """
print("imported")
from dataclasses import replace
from reproduce.own import OwnRow

def rows(published):
    print("asked for rows")
    return [OwnRow("mine", "12.5", replace(published.network, dilation=3))]
"""


@pytest.mark.parametrize("format", ["json", "csv"])
@pytest.mark.parametrize("verb", [["show"], []])
def test_a_file_that_prints_does_not_spoil_the_result(
    format: str, verb: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a user's file prints is for the user; a label that looks like a number stays a text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.py").write_text(NOISY)
    words = [*verb, "table1", "--with", "rows.py", "--rows", "baseline-2,mine", "--format", format]
    if not verb:
        monkeypatch.setattr("reproduce.commands.runner.Runner.run", lambda *_: print("running") or [])
    assert main(words) in (0, 1)
    captured = capsys.readouterr()
    assert "imported" in captured.err
    assert "asked for rows" in captured.err
    if format == "json":
        labels = {cell["row_key"]: cell["row"] for cell in json.loads(captured.out)["cells"]}
        assert labels["mine"] == "12.5"
    else:
        assert captured.out.startswith("table,profile,row,")
        assert all(text.startswith(("table,", "adaptive_rf.table1,")) for text in captured.out.splitlines())
