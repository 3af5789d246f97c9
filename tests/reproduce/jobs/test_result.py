"""Results are checked when they are written and when they are read: nothing that is no finite number of its range is shown."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reproduce.cli import main
from reproduce.jobs.job import Job
from reproduce.jobs.result import EMPTY, BadResult, check_ranges, check_result, parsed
from reproduce.jobs.store import Run, Store
from reproduce.schedule.forecast import History
from reproduce.table import Cell
from reproduce.verdicts.measured import measure

GOOD: dict[str, Any] = {
    "metrics": {"f_score": 0.5, "f": [1.0, 2], "accuracy": None, "map_sizes": [[32, 16], [32, 8]], "memory_is": "of the process"},
    "provenance": {"device": "a processor", "seconds": 2.5},
    "data": {"set": "Helen", "status": "synthetic", "detail": "made up"},
    "images": 3,
    "counted": 12,
    "confusion": [[1, 2], [3, 4]],
    "start": None,
    "timing": {"step_seconds": 0.1},
}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "NaN": ({"metrics": {"f_score": math.nan}}, "the metric `f_score` of result.json of tiny to be a finite number, but got nan"),
    "infinity in a list": ({"metrics": {"f": [1.0, math.inf]}}, "the metric `f` of .* a finite number, but got inf"),
    "a text that looks like a number": ({"metrics": {"f_score": "0.5"}}, "the metric `f_score` of .* to be a number, but got '0.5'"),
    "a text that is NaN": ({"metrics": {"f_score": "nan"}}, "to be a number, but got 'nan'"),
    "true": ({"metrics": {"f_score": True}}, "a finite number, but got True"),
    "an object": ({"metrics": {"f_score": {"value": 0.5}}}, "a finite number, but got {'value': 0.5}"),
    "no metrics": ({"metrics": None}, "`metrics` of result.json of tiny to be an object, but got None"),
    "a list of provenances": ({"provenance": []}, r"`provenance` of .* to be an object, but got \[\]"),
    "no device": ({"provenance": {}}, "`device` of `provenance` of .* to be a text, but got None"),
    "data without a status": ({"data": {"set": "Helen"}}, "`status` of `data` of .* to be a text"),
    "a fraction of images": ({"images": 2.5}, "`images` of .* to be a whole number, but got 2.5"),
    "fewer pixels than none": ({"counted": -1}, "`counted` of .* to be a whole number, but got -1"),
    "a matrix of fractions": ({"confusion": [[0.5]]}, "a square matrix of counts"),
    "a matrix that is not square": ({"confusion": [[1, 2]]}, "a square matrix of counts"),
    "an integer beyond floats": ({"metrics": {"f_score": 10**400}}, "the metric `f_score` of .* a finite number"),
    "a negative time": ({"timing": {"step_seconds": -1.0}}, "`step_seconds` of .* to be a number from 0 on, but got -1.0"),
    "a time in words": ({"provenance": {"device": "", "seconds": "abc"}}, "`seconds` of .* to be a number from 0 on, but got 'abc'"),
    "an endless second": ({"timing": {"step_seconds": math.inf}}, "`step_seconds` of .* to be a number from 0 on, but got inf"),
}


def test_a_good_result_is_as_it_was() -> None:
    assert check_result(GOOD, "here") == GOOD
    assert parsed(json.dumps(GOOD).encode(), "here") == GOOD


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_result_is_neither_written_nor_read(name: str, store: Store, tiny: Callable[..., Job]) -> None:
    change, message = WRONG[name]
    with pytest.raises(BadResult, match=message):
        check_result(GOOD | change, "result.json of tiny")
    run = store.prepare(tiny())
    with pytest.raises(BadResult):
        run.finish(GOOD | change)  # type: ignore[arg-type]
    assert not run.done
    (run.folder / "result.json").write_text(json.dumps(GOOD | change))
    with pytest.raises(BadResult, match=f"of {run.name}"):
        _ = run.result


@pytest.mark.parametrize("metrics", [{"mean_iou": 1.2}, {"f_skin": -0.1}, {"f": 4.5}, {"f": [1.0, 0.1]}, {"receptive_field": -4}])
def test_a_number_outside_its_range_is_refused(metrics: dict[str, Any], tiny: Callable[..., Job]) -> None:
    """f declares its bounds; a score is a share."""
    job = tiny(inflated=True)
    check_ranges(job, {"mean_iou": 1.0, "f_skin": 0.0, "f": [0.25, 4.0], "receptive_field": 300, "classes_counted": 11.0}, "here")
    with pytest.raises(BadResult, match=f"the metric `{next(iter(metrics))}` of here to be from"):
        check_ranges(job, metrics, "here")


def test_sigma_is_positive(digits: Callable[..., Job]) -> None:
    check_ranges(digits(), {"sigma_1": 2.0, "accuracy": 0.5}, "here")
    with pytest.raises(BadResult, match="the metric `sigma_2` of here to be from 0 to inf, but got -1"):
        check_ranges(digits(), {"sigma_2": -1.0}, "here")


@pytest.fixture
def run(store: Store, tiny: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A finished run with a curve and weights."""
    monkeypatch.chdir(store.root.parent)
    run = store.prepare(tiny())
    (run.folder / "metrics.jsonl").write_text('{"step": 0, "train/loss": 2.0}\n')
    run.weights.write_bytes(b"weights")
    run.finish(GOOD)  # type: ignore[arg-type]
    return run


def test_the_manifest_has_the_digests_of_result_curve_and_weights(run: Run) -> None:
    files = ("result.json", "metrics.jsonl", "weights.safetensors")
    assert run.manifest == {name: hashlib.sha256((run.folder / name).read_bytes()).hexdigest() for name in files}


def test_a_digit_that_changed_on_disk_costs_its_own_cell(run: Run, store: Store, tiny: Callable[..., Job]) -> None:
    path = run.folder / "result.json"
    path.write_text(path.read_text().replace("0.5", "0.6"))
    jobs = {"a": tiny(), "b": tiny(seed=1)}
    cells = [Cell(row, "f_score", "trained", (job,), lambda metrics: metrics["f_score"]) for row, job in jobs.items()]
    store.prepare(tiny(seed=1)).finish(GOOD)  # type: ignore[arg-type]
    bad, good = measure(cells, store, "demo", "run")
    assert (bad.state, bad.value, good.value) == ("failed", None, 0.5)
    assert f"Expected result.json of {run.name} to be as it was written, but it has changed (SHA-256 " in bad.reason
    assert History(store, "a processor").forecast(tiny()).seconds is None  # nothing is forecast from it


def test_a_curve_that_changed_on_disk_is_not_read(run: Run, store: Store, tiny: Callable[..., Job]) -> None:
    cell = Cell("a", "loss", "trained", (tiny(),), lambda metrics: metrics["curve"][0]["train/loss"], curve=True)
    assert measure([cell], store, "demo", "run")[0].value == 2.0
    (run.folder / "metrics.jsonl").write_text('{"step": 0, "train/loss": 3.0}\n')
    (sample,) = measure([cell], store, "demo", "run")
    assert (sample.state, sample.value) == ("failed", None)
    assert f"metrics.jsonl of {run.name}" in sample.reason


def test_a_run_of_an_earlier_version_is_read_without_a_manifest(run: Run) -> None:
    (run.folder / "manifest.json").unlink()
    assert run.result == GOOD
    run.ensure_manifest()
    assert run.manifest is not None


@pytest.mark.parametrize("name", ["result.json", "metrics.jsonl", "weights.safetensors", "manifest.json", "job.json"])
def test_runs_check_finds_what_changed(name: str, run: Run, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "check"]) == 0
    assert capsys.readouterr().out == "1 finished run checked, 0 bad.\n"
    path = run.folder / name
    if name == "manifest.json":
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert main(["runs", "check", run.name]) == 1
    *faults, last = capsys.readouterr().out.splitlines()
    if name == "manifest.json":
        assert last == "1 finished run checked, 0 bad, 1 without a manifest to compare with: an earlier version wrote them."
    else:
        assert last == "1 finished run checked, 1 bad."
        assert name.removesuffix(".json") in faults[0]
        assert run.name in faults[0]
    assert main(["runs"]) == 0
    assert ("done, but bad: see `runs check`" in capsys.readouterr().out) == (name == "result.json")


def test_weights_that_changed_are_not_started_from(run: Run, tmp_path: Path) -> None:
    run.weights.write_bytes(b"weightS")
    with pytest.raises(BadResult, match=rf"weights\.safetensors of {run.name} to be as it was written, but it has changed"):
        run.unchanged("weights.safetensors")


def test_an_empty_result_is_a_result() -> None:
    assert check_result(EMPTY, "here") == EMPTY


def test_the_result_of_another_run_is_not_shown(run: Run, store: Store, tiny: Callable[..., Job]) -> None:
    """A folder that was copied under the name of another job."""
    run.finish({**GOOD, "job": run.name})  # type: ignore[typeddict-item]
    other = store.prepare(tiny(seed=5))
    for name in ("result.json", "metrics.jsonl", "manifest.json"):
        (other.folder / name).write_bytes((run.folder / name).read_bytes())
    (sample,) = measure([Cell("a", "f_score", "trained", (tiny(seed=5),), lambda metrics: metrics["f_score"])], store, "demo", "run")
    assert (sample.state, sample.value) == ("failed", None)
    assert f"to be its own, but it is that of {run.name}" in sample.reason


@pytest.mark.parametrize("manifest", ["", "{", "[]", "5", "{}", '{"result.json": 5}', "[" * 5000])
def test_a_manifest_that_is_none_switches_no_check_off(manifest: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (run.folder / "manifest.json").write_text(manifest)
    with pytest.raises(BadResult, match=r"manifest\.json of .* to have the digests of its files"):
        _ = run.result
    assert main(["runs", "check"]) == 1
    assert "1 bad" in capsys.readouterr().out


CURVES = {
    "no step": '{"f": 1}',
    "the same step twice": '{"step": 1}\n{"step": 1}',
    "a number": "5",
    "f out of its bounds": '{"step": 1, "trajectory/f": 99.0}',
    "a text": '{"step": 1, "trajectory/f": "1.5"}',
    "true": '{"step": 1, "trajectory/f": true}',
    "no JSON": '{"step": 1',
    "a deep line": "[" * 5000,
}


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_that_is_none_is_refused(name: str, store: Store, tiny: Callable[..., Job]) -> None:
    run = store.prepare(tiny(inflated=True))
    (run.folder / "metrics.jsonl").write_text(CURVES[name] + "\n")
    run.finish(GOOD)  # type: ignore[arg-type]
    cell = Cell("a", "f", "trained", (tiny(inflated=True),), lambda metrics: float(len(metrics["curve"])), curve=True)
    (sample,) = measure([cell], store, "demo", "run")
    assert (sample.state, sample.value) == ("failed", None)
    assert "metrics.jsonl" in sample.reason


def test_a_curve_that_is_gone_is_missed(run: Run) -> None:
    (run.folder / "metrics.jsonl").unlink()
    with pytest.raises(BadResult, match=r"Expected metrics\.jsonl of .*, but it is missing"):
        _ = run.curve


ODD: list[Any] = [[], [None], [[1.0]], "high", {"a": 1.0}, [1.0, "a"]]


@pytest.mark.parametrize("value", ODD)
def test_a_value_that_is_no_number_costs_its_own_cell(value: Any, run: Run, store: Store, tiny: Callable[..., Job]) -> None:
    (sample,) = measure([Cell("a", "f_score", "trained", (tiny(),), lambda metrics: value)], store, "demo", "run")
    assert (sample.state, sample.value) == ("failed", None)
    assert "to be a number or a list of numbers" in sample.reason


def test_a_job_of_another_name_is_not_exported_or_segmented_with(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    path = run.folder / "job.json"
    path.write_text(path.read_text().replace('"dilation": 2', '"dilation": 4'))
    for words in (["export", run.name, "--format", "pt2"], ["predict", run.name, "face.jpg"]):
        assert main(words) == 2
        assert f"Expected job.json of {run.name} to hold its job, but it holds another" in capsys.readouterr().err
