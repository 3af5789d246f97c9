"""Archives carry results unchanged, or are refused: no flipped bit becomes a number."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reproduce.jobs.archive import export, import_runs
from reproduce.jobs.job import Job
from reproduce.jobs.store import Run, Store

FLIPS = 1500


@pytest.fixture
def runs(store: Store, tiny: Callable[..., Job]) -> list[Run]:
    """Finished runs with curves."""
    found = []
    for seed in range(3):
        run = store.prepare(tiny(seed=seed))
        lines = [json.dumps({"step": step, "train/loss": 2.0 / (step + 1 + seed)}) for step in range(20)]
        (run.folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
        data = {"set": "Helen", "status": "synthetic", "detail": "made up"}
        run.finish({"metrics": {"f_score": 0.027 + seed / 100}, "provenance": {"device": "a processor"}, "data": data})
        found.append(run)
    return found


def contents(store: Store) -> dict[str, bytes]:
    names = ("job.json", "metrics.jsonl", "manifest.json", "result.json")
    return {f"{run.name}/{name}": (run.folder / name).read_bytes() for run in store.runs() for name in names}


def test_no_flipped_bit_becomes_a_number(runs: list[Run], tmp_path: Path) -> None:
    """Every single-bit error is refused, or changes nothing that is imported: a date in gzip's header."""
    export(runs, tmp_path / "good.tar.gz")
    import_runs(tmp_path / "good.tar.gz", Store(tmp_path / "good"))
    expected = contents(Store(tmp_path / "good"))
    assert len(expected) == 12
    whole = (tmp_path / "good.tar.gz").read_bytes()
    draw = random.Random(0)
    positions = [*range(8 * 24), *draw.sample(range(8 * len(whole)), FLIPS - 8 * 40), *range(8 * len(whole) - 8 * 16, 8 * len(whole))]
    refused = 0
    for number, position in enumerate(positions):
        changed = bytearray(whole)
        changed[position // 8] ^= 1 << position % 8
        (tmp_path / "bad.tar.gz").write_bytes(changed)
        store = Store(tmp_path / f"new{number}")
        try:
            import_runs(tmp_path / "bad.tar.gz", store)
        except ValueError:
            refused += 1
            assert not store.root.exists()
        else:
            assert contents(store) == expected, position
    assert refused > 0.85 * len(positions)


def rewritten(source: Path, target: Path, change: Callable[[str, bytes], bytes | None], again: tuple[str, ...] = ()) -> None:
    """Write an archive anew, with valid checksums, and files changed, left out or written twice."""
    with tarfile.open(source) as archive, tarfile.open(target, "w:gz") as new:
        for entry in archive:
            file = archive.extractfile(entry)
            assert file is not None
            content = change(entry.name, file.read())
            for _ in range(0 if content is None else 1 + entry.name.endswith(again or ("/",))):
                assert content is not None
                entry.size = len(content)
                new.addfile(entry, io.BytesIO(content))


def replaced(old: bytes, new: bytes) -> Callable[[str, bytes], bytes]:
    return lambda _, content: content.replace(old, new)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "another score": ({"change": replaced(b"0.027", b"0.067")}, "Expected result.json of .* to be as it was written, but it"),
    "another loss": ({"change": replaced(b'"train/loss": 2.0', b'"train/loss": 3.0')}, "Expected metrics.jsonl of .* it has changed"),
    "NaN": ({"change": replaced(b"0.027", b"NaN")}, "Expected finite numbers in result.json of .*, but got NaN"),
    "a share beyond 1": ({"change": replaced(b"0.027", b"1.027")}, "the metric `f_score` of .* to be from 0 to 1, but got 1.027"),
    "no manifest": (
        {"change": lambda name, content: None if name.endswith("manifest.json") else content},
        "Expected .* to contain a manifest of .*; export it with this version",
    ),
    "a file twice": (
        {"change": replaced(b"", b""), "again": ("result.json",)},
        "to contain every file once, but got '.*result.json' twice",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_an_archive_that_was_changed_with_care_is_refused(name: str, runs: list[Run], tmp_path: Path) -> None:
    export(runs, tmp_path / "good.tar.gz")
    options, message = BAD[name]
    rewritten(tmp_path / "good.tar.gz", tmp_path / "bad.tar.gz", **options)
    with pytest.raises(ValueError, match=message):
        import_runs(tmp_path / "bad.tar.gz", Store(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_a_result_that_changed_is_not_exported(runs: list[Run], tmp_path: Path) -> None:
    path = runs[1].folder / "result.json"
    path.write_text(path.read_text().replace("0.037", "0.077"))
    with pytest.raises(ValueError, match=f"result.json of {runs[1].name} to be as it was written"):
        export(runs, tmp_path / "bad.tar.gz")
    assert not (tmp_path / "bad.tar.gz").exists()


def test_two_results_of_one_job_are_not_mixed(runs: list[Run], tmp_path: Path) -> None:
    """Two machines ran the same job: the first result stays, whole, and the command says so."""
    export(runs, tmp_path / "one.tar.gz")
    for run in runs:
        result = run.result
        assert result is not None
        run.finish({**result, "metrics": {"f_score": 0.5}})
    export(runs, tmp_path / "other.tar.gz")
    store = Store(tmp_path / "new")
    assert set(import_runs(tmp_path / "one.tar.gz", store).values()) == {"added"}
    assert set(import_runs(tmp_path / "other.tar.gz", store).values()) == {"skipped: another result is here and is kept"}
    assert [run.result["metrics"]["f_score"] for run in store.runs() if run.result] == pytest.approx([0.027, 0.037, 0.047])
