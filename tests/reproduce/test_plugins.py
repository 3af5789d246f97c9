"""Papers are found: the installed ones, and those of folders; what is wrong with one is one sentence."""

from __future__ import annotations

import importlib
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reproduce import plugins
from reproduce.cli import main
from reproduce.dataframe import results
from reproduce.jobs.job import from_plain
from reproduce.plugins import Plugin
from reproduce.verdicts.published import resolve, resolve_all, table_ids

ENTRY = '[project.entry-points."reproduce.papers"]\n'
TOML = 'short = "S"\ntitle = "T"\nauthors = ["A"]\nvenue = "V"\nyear = 2026\n[tables.table1]\ntitle = "One"\ncolumns = []\n'
CSV = "row_key,row,column,unit,published,source,note\n"


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test adds is gone after it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(plugins, "_folders", {})
    known = set(sys.modules)
    plugins.plugins.cache_clear()
    yield
    plugins.plugins.cache_clear()
    for name in set(sys.modules) - known:
        if name.partition(".")[0].startswith("some_paper"):
            del sys.modules[name]


def write_paper(folder: Path, package: str = "some_paper", code: str = "TABLES = ()\n", id: str = "some", toml: str = TOML) -> Path:
    (folder / package / "tables").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(f'{ENTRY}{id} = "{package}"\n')
    (folder / package / "__init__.py").write_text(code)
    (folder / package / "tables" / "paper.toml").write_text(toml)
    (folder / package / "tables" / "table1.csv").write_text(CSV)
    return folder


def test_our_own_papers_are_plug_ins_like_anybodys() -> None:
    found = {entry.name: entry.value for entry in importlib.metadata.entry_points(group="reproduce.papers")}
    assert found == {id: plugin.package for id, plugin in plugins.plugins().items()}
    assert {"adaptive_rf", "njet"} <= found.keys()
    for id in found:
        assert {table.partition(".")[2] for table in plugins.tables(id)} == {
            name.partition(".")[2] for name in table_ids() if name.startswith(f"{id}.")
        }


def test_a_folder_adds_its_paper(tmp_path: Path) -> None:
    plugins.add([write_paper(tmp_path / "a")])
    assert plugins.added() == (str(tmp_path / "a"),)
    assert plugins.plugin("some") == Plugin("some", "some_paper", str(tmp_path / "a"))
    assert "some.table1" in table_ids()
    assert plugins.tables("some") == {}
    plugins.add([tmp_path / "a"])  # twice is once
    assert plugins.added() == (str(tmp_path / "a"),)


def test_bare_names_are_the_one_table_or_that_of_the_paper_that_says_so(tmp_path: Path) -> None:
    assert resolve("table1") == "adaptive_rf.table1"
    plugins.add([write_paper(tmp_path / "a", toml=TOML.replace("tables.table1", "tables.sweep"))])
    assert resolve("table1") == "adaptive_rf.table1"
    assert resolve("sweep") == "some.sweep"
    assert resolve_all(["some", "some.sweep"]) == ["some.sweep"]


def test_two_papers_that_claim_bare_names_are_told_apart_by_their_own(tmp_path: Path) -> None:
    plugins.add([write_paper(tmp_path / "a", toml=f"bare = true\n{TOML}")])
    with pytest.raises(ValueError, match=r"Expected `table` to be one of adaptive_rf.table1, njet.table1, some.table1, but got 'table1'"):
        resolve("table1")
    assert resolve("some.table1") == "some.table1"


def test_specs_are_known_by_their_papers_name_wherever_the_package_lies(tmp_path: Path) -> None:
    code = (
        "from dataclasses import dataclass\nfrom reproduce.specs import Network\n\n"
        "@dataclass(frozen=True)\nclass Net(Network):\n    depth: int = 3\n    target = 'torch.nn:Identity'\n"
    )
    folder = write_paper(tmp_path / "a")
    (folder / "some_paper" / "specs.py").write_text(code)
    plugins.add([folder])
    made = from_plain({"type": "some.Net", "depth": 4})
    assert (made.depth, plugins.name_of(type(made))) == (4, "some.Net")
    with pytest.raises(LookupError):
        from_plain({"type": "some.Network2"})
    with pytest.raises(LookupError, match="Expected the paper other to be known, but it is not; install it, or name its folder with"):
        from_plain({"type": "other.Net"})


def test_specs_lie_where_a_later_process_looks_for_them(tmp_path: Path) -> None:
    folder = write_paper(tmp_path / "a")
    (folder / "some_paper" / "nets.py").write_text("from reproduce.specs import Network\n\nclass Net(Network):\n    pass\n")
    plugins.add([folder])
    (kind,) = [importlib.import_module("some_paper.nets").Net]
    with pytest.raises(ValueError, match=r"Expected the spec Net of some in the module `some_paper.specs`, but got `some_paper.nets`"):
        plugins.name_of(kind)


COLUMN = '{key = "a", label = "A", unit = "1", digits = 2'
KEYS = {
    "an unknown one": (f"columns = [{COLUMN}, metrik = 'a'}}]", "a column of some.table1", "but got `metrik`"),
    "a missing one": ('columns = [{key = "a"}]', "a column of some.table1", "but got no `label`"),
    "of a group": ('columns = []\ngroups = [{name = "a"}]', "a group of some.table1", "but got `name`"),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_wrong_key_of_a_table_is_named(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml, where, said = KEYS[name]
    folder = write_paper(tmp_path / "a", code=CODE, toml=TOML.replace("columns = []", toml))
    assert main(["show", "some.table1", "--paper", str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert where in line
    assert said in line


TOMLS = {
    "no TOML": ("x = [", "some_paper/tables/paper.toml to be TOML, but it is not ("),
    "no title": (TOML.replace('title = "T"\n', ""), "Expected the paper.toml of some to have `title`, but it does not."),
    "no columns": (TOML.replace("columns = []\n", ""), "some_paper/tables/paper.toml to have `columns`, but it does not."),
}


@pytest.mark.parametrize("name", TOMLS)
def test_a_broken_paper_toml_is_one_sentence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml, said = TOMLS[name]
    assert main(["show", "some.table1", "--paper", str(write_paper(tmp_path / "a", code=CODE, toml=toml))]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_table_without_its_csv_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_paper(tmp_path / "a", code=CODE)
    (folder / "some_paper" / "tables" / "table1.csv").unlink()
    assert main(["show", "some.table1", "--paper", str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{folder}/some_paper/tables/table1.csv" in line


CODE = (
    "from reproduce.verdicts.claims import Claim\nfrom reproduce.table import Table\n\n"
    "CLAIM = Claim('c', 'a text', 'section 1', 'a sentence', lambda evidence: evidence.greater(('no', 'a'), ('row', 'a')))\n"
    "TABLES = (Table('some.table1', lambda setting: (), (CLAIM,), lambda setting: ()),)\n"
)


@pytest.mark.parametrize("verb", [(), ("show",), ("plan",)])
def test_what_fails_in_the_code_of_a_paper_is_said_with_its_place(
    verb: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = CODE.replace("lambda setting: (), (CLAIM,)", "lambda setting: {}['absent'], ()")
    folder = write_paper(tmp_path / "a", code=code)
    assert main([*verb, "some.table1", "--paper", str(folder), "--runs-dir", str(tmp_path / "runs")]) == 2
    captured = capsys.readouterr()
    place = f"({folder}/some_paper/__init__.py, line 5)"
    assert captured.err == f"The code of the paper some failed: KeyError: 'absent' {place}.\n"


def test_a_claim_on_a_cell_that_there_is_not_is_refused_before_anything_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_paper(tmp_path / "a", code=CODE)
    assert main(["some.table1", "--paper", str(folder), "--runs-dir", str(tmp_path / "runs")]) == 2
    assert capsys.readouterr().err == "Expected a claim's cell to be in the table, but got ('no', 'a'): correct the claim.\n"
    assert not (tmp_path / "runs").exists()


def test_results_come_from_a_folder_too(tmp_path: Path) -> None:
    folder = write_paper(tmp_path / "a", code=CODE.replace("(CLAIM,)", "()"))
    assert results("some.table1", runs_dir=tmp_path / "runs", papers=[folder]).empty


WRONG: dict[str, tuple[str | None, str]] = {
    "no folder": (None, "Expected --paper to be a folder with a pyproject.toml, but got {folder} (No such file or directory)."),
    "no TOML": ("x = [", "Expected {folder}/pyproject.toml to be TOML, but it is not ("),
    "no paper": (
        "[project]\nname = 'a'\n",
        'to declare a paper under [project.entry-points."reproduce.papers"], as `short_name = "package"`',
    ),
    "a name with capitals": (f'{ENTRY}Some = "some_paper"\n', "but got {{'Some': 'some_paper'}}."),
    "no package": (
        f'{ENTRY}some = "no_such_package"\n',
        "to be the package `no_such_package`, but it does not exist; correct its entry point.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_folder_is_one_sentence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, expected = WRONG[name]
    folder = tmp_path / "a"
    if text is not None:
        folder.mkdir()
        (folder / "pyproject.toml").write_text(text)
    assert main(["show", "some.table1", "--paper", str(folder)]) == 2
    captured = capsys.readouterr()
    assert expected.format(folder=folder) in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


BROKEN = {
    "code that fails": ("1 / 0\n", "`some_paper` fails: ZeroDivisionError: division by zero."),
    "no tables": ("", "to have `TABLES`, a tuple of tables, but it does not."),
    "a table that is not mapped": ("TABLES = ()\n", "to have some.table1, which paper.toml declares, but it does not."),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_paper_is_one_sentence_and_the_others_go_on(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, expected = BROKEN[name]
    folder = str(write_paper(tmp_path / "a", code=code))
    assert main(["show", "some.table1", "--paper", folder]) == 2
    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.err.count("\n") == 1
    assert main(["show", "adaptive_rf.table4", "--paper", folder, "--format", "csv", "--runs-dir", str(tmp_path / "runs")]) == 0


def test_two_distributions_of_one_paper_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [importlib.metadata.EntryPoint("some", package, plugins.GROUP) for package in ("one", "other")]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entries)
    with pytest.raises(ValueError, match=r"Expected one paper with the name some, but .* both have one; remove one"):
        plugins.plugins()


def test_naming_a_paper_imports_no_torch(tmp_path: Path) -> None:
    folder = write_paper(tmp_path / "a")
    code = (
        "import sys; from reproduce.cli import main;"
        f"code = main(['--paper', {str(folder)!r}, '--runs-dir', {str(tmp_path / 'runs')!r}]);"
        "sys.exit(code or bool({'torch', 'lightning', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode in (0, 2), done.stderr
