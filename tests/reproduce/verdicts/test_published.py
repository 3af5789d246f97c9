import csv
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reproduce.plugins import Plugin, plugin, plugins
from reproduce.verdicts import published
from reproduce.verdicts.published import PublishedCell, load, papers, resolve, resolve_all, table_ids


def test_bare_tables_are_adaptive_rf() -> None:
    assert resolve("table1") == resolve("adaptive_rf.table1") == "adaptive_rf.table1"


def test_unknown_table_is_one_sentence_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"Expected `table` to be one of .*adaptive_rf\.table1.*, but got 'tabel1'\."):
        resolve("tabel1")


def test_papers_list_their_tables() -> None:
    ids = [f"{paper.id}.{table}" for paper in papers() for table in paper.tables]
    assert ids == table_ids()
    assert "adaptive_rf.table1" in ids


@pytest.mark.parametrize("table_id", table_ids())
def test_every_table_loads_and_explains_itself(table_id: str) -> None:
    table = load(table_id)
    assert table.id == table_id
    assert all(cell.source for cell in table.cells)
    assert all(cell.printed or cell.note for cell in table.cells)
    assert all(column.tolerance is None or column.tolerance_reason for column in table.columns)
    assert {cell.column for cell in table.cells} == {column.key for column in table.columns}
    for cell in table.cells:
        column = table.column(cell.column)
        assert column is not None
        assert cell.unit == column.unit
        assert cell.digits is None or cell.digits <= column.digits  # quoted numbers have fewer


def test_table1_is_as_printed() -> None:
    table = load("table1")
    scores = {row: table.by_key[row, "f_score"].printed for row in table.rows}
    assert list(scores.items()) == [
        *(("baseline-2", "0.8995"), ("baseline-4", "0.9012"), ("baseline-6", "0.9001"), ("baseline-8", "0.8983")),
        *(("baseline-10", "0.8965"), ("baseline-12", "0.8924"), ("baseline-14", "0.8849")),
        *(("modified-2", "0.8964"), ("modified-2-late", "0.8952"), ("modified-6", "0.8995"), ("modified-8", "0.9021")),
        *(("modified-10", "0.9000"), ("modified-12", "0.9005")),
    ]
    assert len(table.cells) == 7 * 2 + 6 * 4


@pytest.mark.parametrize("dilation", [2, 4, 6, 8, 10, 12, 14])
def test_table1_baselines_follow_from_a_4x4_kernel(dilation: int) -> None:
    assert load("table1").by_key[f"baseline-{dilation}", "rf_fc6"].value == 212 + 24 * dilation


@pytest.mark.parametrize(
    ("row", "dilation"),
    [("modified-2", 2), ("modified-2-late", 2), ("modified-6", 6), ("modified-8", 8), ("modified-10", 10), ("modified-12", 12)],
)
def test_table1_follows_section_3_3_except_for_dilation_10(row: str, dilation: int) -> None:
    cells = load("table1").by_key
    f = cells[row, "f"].value
    assert isinstance(f, float)
    expected = 212 + 8 * (math.ceil((3 * dilation + 1 + 1) / f) - 1)
    assert (cells[row, "rf_fc6"].value == expected) is (row != "modified-10")
    assert cells[row, "rf_fc6"].printed == cells[row, "rf_fc6_learned"].printed


def test_printed_strings_keep_their_digits() -> None:
    def cell(printed: str) -> PublishedCell:
        return PublishedCell("row", "Row", "column", "1", printed, "table 1", "not found")

    assert (cell("0.9000").value, cell("0.9000").digits) == (0.9, 4)
    assert (cell("336").value, cell("336").digits) == (336.0, 0)
    assert (cell("3.32,1.27").value, cell("3.32,1.27").digits) == ([3.32, 1.27], 2)
    assert (cell("3.32,1.27").shown, cell("3.32,1.27").std) == (("3.32", "1.27"), None)
    assert (cell("").value, cell("").digits, cell("").std, cell("").shown) == (None, None, None, ())


@pytest.mark.parametrize("printed", ["91.16±0.120", " 91.16 ± 0.120"])
def test_a_printed_deviation_stands_beside_the_mean(printed: str) -> None:
    cell = PublishedCell("row", "Row", "column", "%", printed, "table 1", "")
    assert (cell.value, cell.std, cell.digits, cell.shown) == (91.16, 0.12, 2, ("91.16 ± 0.120",))
    several = replace(cell, printed="3.32±0.1,1.27±0.2")
    assert (several.value, several.std, several.shown) == ([3.32, 1.27], [0.1, 0.2], ("3.32 ± 0.1", "1.27 ± 0.2"))


def test_labels_and_digits() -> None:
    table = load("table1")
    assert table.label("baseline-2", "rf_fc6") == "rf-fc6"
    assert table.label("modified-2", "rf_fc6") == "rf-fc6 (printed f)"
    assert table.label("mine", "accuracy") == "accuracy"
    assert table.digits("mine", "f_score") == 4


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(plugin("adaptive_rf").published, tmp_path / "adaptive_rf")
    places = {found.id: found.published for found in plugins().values()} | {"adaptive_rf": tmp_path / "adaptive_rf"}
    monkeypatch.setattr(Plugin, "published", property(lambda self: places[self.id]))
    return tmp_path / "adaptive_rf" / "table1.csv"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("f_score,1,0.8995,table 1,", "f_score,1,,table 1,", "to say why no number is known"),
        ("f_score,1,0.8995,table 1,", "f_sore,1,0.8995,table 1,", "Expected `column` in `table1.csv` line 3 to be one of .*'f_sore'"),
        (
            "f_score,1,0.8995,table 1,",
            "f_score,1,ca. 0.9,table 1,",
            "to be one number, or several separated by commas, all with ± or all without, but got 'ca. 0.9'",
        ),
        ("f_score,1,0.8995,table 1,", 'f_score,1,"0.8995±0.1,0.9",table 1,', "all with ± or all without, but got '0.8995±0.1,0.9'"),
        ("f_score,1,0.8995,table 1,", "f_score,1,0.8995±,table 1,", "all with ± or all without, but got '0.8995±'"),
        ("f_score,1,0.8995,table 1,", "rf_fc6,1,0.8995,table 1,", "every cell of `table1.csv` once"),
        ("f_score,1,0.8995,table 1,", "f_score,1,0.8995,table 1", "Expected 7 fields in `table1.csv` line 3, but got 6"),
        ("row_key,row,", "row_id,row,", "to start with the header"),
        (
            "baseline-14,",
            "baseline-16,",
            r"Expected the groups of `adaptive_rf.table1` in paper.toml .* but only one of them has baseline-16, baseline-14",
        ),
    ],
)
def test_flawed_files_are_refused(broken: Path, old: str, new: str, message: str) -> None:
    text = broken.read_text(encoding="utf-8")
    assert old in text
    broken.write_text(text.replace(old, new, 1 if old.startswith("f_score") else -1), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load("table1")


def test_a_comparison_of_our_own_has_no_printed_numbers(broken: Path) -> None:
    paper = broken.with_name("paper.toml")
    paper.write_text(paper.read_text(encoding="utf-8").replace("[tables.table1]", "[tables.table1]\nown = true"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"Expected no printed number in `table1\.csv`, which `paper\.toml` marks as `own`"):
        load("table1")
    with broken.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    with broken.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, published.CSV_HEADER)
        writer.writeheader()
        writer.writerows(line | {"published": "", "note": "The paper has no such comparison."} for line in lines)
    assert load("table1").nature == "a comparison of our own"


def test_listing_starts_without_pandas_rich_or_torch() -> None:
    code = (
        "import sys, reproduce.render; from reproduce.verdicts import claims, compare, published, verdict; published.load('table1');"
        "print([name for name in ('pandas', 'numpy', 'rich', 'torch') if name in sys.modules])"
    )
    root = Path(published.__file__).parents[2]
    answer = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_papers_name_stands_for_all_of_its_tables() -> None:
    named = resolve_all(["table2", "adaptive_rf", "adaptive_rf.table1"])
    assert named[0] == "adaptive_rf.table2"
    assert sorted(named) == sorted(id for id in table_ids() if id.startswith("adaptive_rf."))
    with pytest.raises(ValueError, match="but got 'adaptive'"):
        resolve_all(["table1", "adaptive"])
