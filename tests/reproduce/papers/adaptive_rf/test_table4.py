"""Table 4: quoted rows, and rows that are table 1's jobs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reproduce.jobs.store import Store
from reproduce.papers.adaptive_rf.table4 import CLAIMS
from reproduce.plugins import table
from reproduce.table import PROFILES, Setting
from reproduce.verdicts.claims import ClaimResult, check_claims
from reproduce.verdicts.compare import compare
from reproduce.verdicts.measured import measure
from reproduce.verdicts.published import load
from reproduce.verdicts.verdict import Verdict

TABLE = table("adaptive_rf.table4")


@pytest.mark.parametrize("profile", PROFILES)
def test_its_jobs_are_table_1s(profile: str) -> None:
    setting = Setting(profile, seeds=2)  # type: ignore[arg-type]
    single = {cell.row_key: cell.jobs for cell in table("adaptive_rf.table1").cells(setting) if cell.column == "f_score"}
    ours = {cell.row_key: cell.jobs for cell in TABLE.cells(setting) if cell.jobs}
    assert ours.pop("ours") == single["modified-8"]
    assert ours == {row: jobs for row, jobs in single.items() if row.startswith("baseline")}


def checked(tmp_path: Path, verdict: str, score: float) -> dict[str, ClaimResult]:
    """Test the claims as if ours had been measured with five seeds."""
    published = load(TABLE.id)
    cells = [
        replace(cell, mean=score, values=[score + 0.001 * step for step in range(-2, 3)], seeds=list(range(5)), verdict=Verdict(verdict))
        if cell.row_key == "ours"
        else cell
        for cell in compare(published, measure(TABLE.cells(Setting("demo")), Store(tmp_path), "demo", "run"))
    ]
    return {result["id"]: result for result in check_claims(CLAIMS, published, cells)}


def test_quoted_rows_are_published_only(tmp_path: Path) -> None:
    published = load(TABLE.id)
    cells = compare(published, measure(TABLE.cells(Setting("demo")), Store(tmp_path), "demo", "run"))
    assert [cell.verdict for cell in cells] == ["published only"] * 3 + ["not run"] * 29


def test_claims_on_the_printed_numbers(tmp_path: Path) -> None:
    printed = {id: result["printed"] for id, result in checked(tmp_path, "within", 0.9).items()}
    assert printed.pop("state-of-the-art") == "yes"
    assert set(printed.values()) == {"not tested"}  # the numbers per class were not found


@pytest.mark.parametrize(
    ("verdict", "score", "holds"), [("within", 0.9, "yes"), ("outside", 0.83, "no"), ("not comparable", 0.9, "not tested")]
)
def test_ours_is_held_against_quoted_numbers_only_where_comparable(verdict: str, score: float, holds: str, tmp_path: Path) -> None:
    assert checked(tmp_path, verdict, score)["state-of-the-art"]["holds"] == holds
