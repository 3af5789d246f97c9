import math
from dataclasses import replace
from typing import Any

import pytest

from reproduce.verdicts.compare import ComparedCell, compare
from reproduce.verdicts.measured import Sample
from reproduce.verdicts.published import PublishedTable, load

ROWS = ["baseline-4"]


@pytest.fixture(scope="module")
def table() -> PublishedTable:
    return load("table1")


def line(value: Any = None, *, seed: int = 0, **changes: Any) -> Sample:
    fields: dict[str, Any] = {
        "row_key": "baseline-4",
        "column": "f_score",
        "kind": "trained",
        "profile": "paper",
        "state": "todo" if value is None else "done",
        "seed": seed,
        "value": value,
        "job": f"job-{seed}",
        "data": "Helen",
        "verified": True,
        "device": "1 GPU",
    }
    return Sample(**fields | changes)


def receptive_field(value: float = 308.0) -> Sample:
    return line(value, column="rf_fc6", kind="exact", data="", job="rf")


def score(table: PublishedTable, *lines: Sample) -> ComparedCell:
    return next(cell for cell in compare(table, [receptive_field(), *lines], rows=ROWS) if cell.column == "f_score")


def test_a_cell_has_the_fields_of_the_json(table: PublishedTable) -> None:
    cell = score(table, line(0.9, seed=0), line(0.902, seed=2), line(0.901, seed=1))
    assert cell.row == "Baseline, dilation 4"
    assert (cell.published, cell.values, cell.mean, cell.std, cell.n) == (0.9012, [0.9, 0.901, 0.902], 0.901, 0.001, 3)
    assert (cell.seeds, cell.published_std) == ([0, 1, 2], None)
    assert cell.difference == -0.0002
    assert (cell.verdict, cell.data, cell.device) == ("within", "Helen", "1 GPU")
    assert cell.jobs == ["job-0", "job-1", "job-2"]


def test_one_seed_has_no_deviation(table: PublishedTable) -> None:
    cell = score(table, line(0.9))
    assert (cell.std, cell.n, cell.tolerance) == (None, 1, 0.01)


def test_partly_failed_cells_show_the_rest(table: PublishedTable) -> None:
    cell = score(table, line(0.9), line(seed=1, state="failed", reason="out of memory"), line(seed=2, state="running", reason="step 7"))
    assert (cell.n, cell.mean, cell.verdict, cell.seeds) == (1, 0.9, "failed", [0])
    assert cell.reason.endswith("seed 1: failed: out of memory; seed 2: running: step 7")
    assert cell.jobs == ["job-0", "job-1", "job-2"]


def test_a_result_that_is_not_finite_is_a_failure(table: PublishedTable) -> None:
    cell = score(table, line(math.nan))
    assert (cell.verdict, cell.mean, cell.reason) == ("failed", None, "ended without a finite number")


def test_unfinished_values_do_not_count(table: PublishedTable) -> None:
    cell = score(table, line(0.5, state="interrupted", reason="2 of 55,000 steps"))
    assert (cell.verdict, cell.values, cell.mean) == ("not run", [], None)
    assert cell.reason == "interrupted: 2 of 55,000 steps"


@pytest.mark.parametrize("values", [(0.9,), (0.5,), (0.900, 0.901, 0.902), (0.500, 0.501, 0.502), (0.85, 0.90, 0.95)])
def test_a_caveat_leaves_no_verdict_on_the_difference(table: PublishedTable, values: tuple[float, ...]) -> None:
    """Also on verified data in the profile `paper`; the note then names the caveat and nothing else."""
    without, caveat = (
        score(table, *(line(value, seed=seed, reason=why) for seed, value in enumerate(values))) for why in ("", "our reading")
    )
    assert without.verdict in ("within", "outside", "undecided")
    assert (caveat.verdict, caveat.reason) == ("not comparable", "our reading")
    assert (caveat.tolerance, caveat.cap, caveat.test) == (None, None, "")
    assert (caveat.mean, caveat.difference) == (without.mean, without.difference)


def test_a_caveat_stands_beside_other_obstacles_and_missing_seeds(table: PublishedTable) -> None:
    waiting = score(table, line(0.9, reason="our reading"), line(seed=1))
    assert (waiting.verdict, waiting.reason) == ("not comparable", "our reading; seed 1: not started")
    other = score(table, line(0.9, verified=False, reason="our reading"))
    assert other.reason == "data or start weights not verified (Helen); our reading"


def test_equal_reasons_of_several_seeds_are_said_once(table: PublishedTable) -> None:
    lines = [line(seed=seed, state="failed", reason="out of memory") for seed in (0, 1)]
    assert score(table, *lines).reason == "failed: out of memory"
    assert score(table, *lines, line(0.9, seed=2)).reason.endswith("seeds 0, 1: failed: out of memory")


def test_one_unverified_seed_makes_the_cell_not_comparable(table: PublishedTable) -> None:
    cell = score(table, line(0.9), line(0.9, seed=1, verified=False))
    assert cell.verdict == "not comparable"


def test_rows_come_in_the_papers_order_and_own_rows_last(table: PublishedTable) -> None:
    own = line(0.95, row_key="mine", row="My own network")
    extra = line(0.93, column="f_score_skin")
    cells = compare(table, [own, extra, line(0.9), receptive_field()], rows=["baseline-4", "mine"])
    assert [(cell.row_key, cell.column) for cell in cells] == [
        ("baseline-4", "rf_fc6"),
        ("baseline-4", "f_score"),
        ("baseline-4", "f_score_skin"),
        ("mine", "f_score"),
    ]
    assert [cell.verdict for cell in cells[2:]] == ["unpublished", "unpublished"]
    assert cells[3].row == "My own network"


def test_lists_keep_their_numbers(table: PublishedTable) -> None:
    lists = [line([3.0, 1.0], seed=0, column="fs"), line([4.0, 1.0], seed=1, column="fs")]
    cell = compare(table, [receptive_field(), line(0.9), *lists], rows=ROWS)[2]
    assert (cell.values, cell.mean) == ([[3.0, 1.0], [4.0, 1.0]], [3.5, 1.0])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line(0.9)], r"one per cell, but got none for \[\('baseline-4', 'rf_fc6'\)\]"),
        ([receptive_field(), line(0.9, profile="demo")], "of one profile, but got demo, paper"),
    ],
)
def test_flawed_input_is_refused(table: PublishedTable, lines: list[Sample], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(table, lines, rows=ROWS)


def test_a_number_without_its_data_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`profile` and `data` of \('baseline-4', 'f_score'\) to say what its number was measured on"):
        line(0.9, data="")


def test_rows_that_counted_otherwise_are_not_put_side_by_side(table: PublishedTable) -> None:
    """An evaluation that lost a picture looks like the others."""
    keys = ("baseline-2", "baseline-4", "baseline-6")
    fields = [line(308.0, row_key=key, column="rf_fc6", kind="exact", data="", job="rf") for key in keys]
    scores = [line(0.9, row_key=key, counted=(99, 5000) if key == "baseline-4" else (100, 5050)) for key in keys]
    cells = {cell.key: cell for cell in compare(table, [*fields, *scores], rows=keys)}
    assert [cells[key, "f_score"].verdict for key in keys] == ["within", "failed", "within"]
    assert cells["baseline-4", "f_score"].reason == (
        "failed: its evaluation counted 99 images with 5,000 labels, those of other rows 100 images with 5,050 labels"
    )
    assert cells["baseline-4", "f_score"].values == []


def test_rows_of_other_data_may_count_otherwise(table: PublishedTable) -> None:
    """A user's own row on data of their own; and where the paper compares splits, its column says so."""
    own = line(0.9, row_key="mine", data="my faces", counted=(7, 9))
    cells = compare(table, [receptive_field(), line(0.9, counted=(100, 5050)), own], rows=["baseline-4", "mine"])
    assert [cell.verdict for cell in cells] == ["exact", "within", "unpublished"]
    columns = tuple(replace(column, counts_differ=True) for column in table.columns)
    splits = [receptive_field(), line(0.9, counted=(100, 5050)), line(0.9, row_key="mine", counted=(50, 60))]
    assert [cell.verdict for cell in compare(replace(table, columns=columns), splits, rows=["baseline-4", "mine"])] == [
        "exact",
        "within",
        "unpublished",
    ]


def test_where_no_count_has_a_majority_no_row_is_trusted(table: PublishedTable) -> None:
    keys = ("baseline-2", "baseline-4")
    fields = [line(308.0, row_key=key, column="rf_fc6", kind="exact", data="", job="rf") for key in keys]
    scores = [line(0.9, row_key=key, counted=(100 - number, None)) for number, key in enumerate(keys)]
    cells = [cell for cell in compare(table, [*fields, *scores], rows=keys) if cell.column == "f_score"]
    assert [cell.verdict for cell in cells] == ["failed", "failed"]


def test_a_list_where_one_number_is_printed_is_a_failure(table: PublishedTable) -> None:
    cell = score(table, line([0.5, 0.9]))
    assert (cell.verdict, cell.mean, cell.reason) == ("failed", None, "failed: it has 2 values, and the paper prints 1")


@pytest.mark.parametrize(
    ("right", "wrong", "expected"), [(3, 1, "paper inconsistent"), (2, 1, "mismatch"), (3, 3, "mismatch"), (0, 4, "mismatch")]
)
def test_a_formula_is_trusted_by_what_it_gives(right: int, wrong: int, expected: str, table: PublishedTable) -> None:
    """Read with k instead of k + 1, the formula of section 3.3 would make every printed number the paper's mistake."""
    rows = [row for row in table.rows if row.startswith("modified")][: right + wrong]
    fields = {row: float(table.by_key[row, "rf_fc6"].printed) + (0 if number < right else 8) for number, row in enumerate(rows)}
    samples = [line(value, row_key=row, column="rf_fc6", kind="exact", data="", job="", audit=True) for row, value in fields.items()]
    others = [line(None, row_key=row, column=column) for row, column in table.by_key if row in rows and column != "rf_fc6"]
    cells = [cell for cell in compare(table, [*samples, *others], rows=rows) if cell.column == "rf_fc6"]
    assert [cell.verdict for cell in cells] == ["exact"] * right + [expected] * wrong
    assert all((f"it gives {right} of {right + wrong} numbers" in cell.reason) == (expected == "mismatch") for cell in cells[right:])
    # Only the last row is shown; the others still count.
    (last,) = (cell for cell in compare(table, [*samples, *others], rows=rows[-1:]) if cell.column == "rf_fc6")
    assert last.verdict == expected


def test_a_number_beside_one_that_contradicts_the_paper_gets_no_verdict(table: PublishedTable) -> None:
    """336 is printed for modified-10, whose printed f gives 316: ours is neither within nor outside of it."""
    rows = [row for row in table.rows if row.startswith("modified")]
    audits = {row: 316.0 if row == "modified-10" else float(table.by_key[row, "rf_fc6"].printed) for row in rows}
    samples = [line(value, row_key=row, column="rf_fc6", kind="exact", data="", job="", audit=True) for row, value in audits.items()]
    samples += [line(316.0, row_key=row, column="rf_fc6_learned", audited_by="rf_fc6") for row in rows]
    samples += [line(None, row_key=row, column=column) for row, column in table.by_key if row in rows and column in ("f", "f_score")]
    cells = {cell.row_key: cell for cell in compare(table, samples, rows=rows) if cell.column == "rf_fc6_learned"}
    assert cells["modified-10"].verdict == "not comparable"
    assert cells["modified-10"].reason == (
        "the printed number contradicts the paper itself: the paper's own formula gives 316 where 336 is printed"
    )
    assert {cells[row].verdict for row in rows if row != "modified-10"} == {"outside"}
