"""Figures 2 and 3: of the very runs of tables 1 and 2, drawn as they were logged, beside the runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.synthetic import write_helen
from lightning_modules.example import Example
from reproduce.cli import main
from reproduce.figures.style import styled
from reproduce.jobs.job import Job
from reproduce.jobs.store import Run, Store
from reproduce.papers.adaptive_rf import figure2, figure3, table1, table2
from reproduce.papers.adaptive_rf.values import factor_range, highest_factor, lowest_factor
from reproduce.plugins import table
from reproduce.table import Setting
from reproduce.verdicts.claims import check_claims
from reproduce.verdicts.compare import compare
from reproduce.verdicts.measured import measure
from reproduce.verdicts.published import load
from reproduce.worker import prediction

DEMO = Setting("demo", seeds=2)
FIGURES = ("adaptive_rf.figure2", "adaptive_rf.figure3")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPRODUCE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def finish(store: Store, job: Job, curve: Mapping[int, float], end: float = 1.0) -> Run:
    """Put a finished run into a store, with a curve of f."""
    run = store.prepare(job)
    lines = [{"step": step, "trajectory/f": f, "train/loss": 1.0} for step, f in curve.items()]
    (run.folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in [*lines, {"step": 550, "test/mean_iou": 0.5}]))
    name = type(job.data).__name__
    run.finish(
        {
            "metrics": {"f": end, "f_score": 0.5, "mean_iou": 0.25},
            "data": {"set": name, "status": "synthetic", "detail": f"some of {name}"},
            "provenance": {"device": "a processor"},
        }
    )
    return run


def jobs(setting: Setting) -> dict[str, tuple[Job, ...]]:
    """The jobs of figure 2 by row."""
    return {cell.row_key: cell.jobs for cell in figure2.cells(setting)}


def test_the_jobs_are_those_of_tables_1_and_2() -> None:
    theirs = {job.name for module in (table1, table2) for cell in module.cells(DEMO) for job in cell.jobs}
    for id in FIGURES:
        ours = {job.name for cell in table(id).cells(DEMO) for job in cell.jobs}
        assert ours <= theirs
    modified = {name for name in theirs if "-modified-" in name}
    assert {job.name for cell in figure2.cells(DEMO) for job in cell.jobs} == modified


def test_f_is_looked_at_before_the_learning_rate_falls() -> None:
    """The first half is the way there, and after the step, here at 80, f hardly can move."""
    metrics = {"curve": [{"step": step, "trajectory/f": step / 100} for step in range(4, 100, 5)] + [{"step": 100, "test/mean_iou": 0.5}]}
    assert (lowest_factor(80, metrics), highest_factor(80, metrics)) == (0.44, 0.79)
    assert factor_range(80, metrics) == pytest.approx(0.35)
    without = {"curve": metrics["curve"][-1:]}
    assert [value(80, without) for value in (lowest_factor, highest_factor, factor_range)] == [None, None, None]


def test_figure_2_draws_what_was_logged(store: Store) -> None:
    rows = jobs(DEMO)
    finish(store, rows["helen-modified-2"][0], {4: 1.0, 9: 0.9, 14: 0.8})
    finish(store, rows["helen-modified-2-late"][0], {4: 1.0, 9: 1.0, 14: 0.9})
    finish(store, rows["voc-modified-16"][0], {4: 1.0, 9: 1.2, 14: 1.4})
    finish(store, rows["voc-modified-16"][1], {9: 1.4, 14: 1.8, 19: 2.0})  # logged at other steps: what both have is drawn
    with styled():
        figure = figure2.figure(DEMO, store)
    assert figure is not None
    assert [axes.get_title("left") for axes in figure.axes] == ["Helen", "VOC"]
    drawn = {(index, line.get_label()): line for index, axes in enumerate(figure.axes) for line in axes.lines}
    for key, steps, values in (
        ((0, "2"), [4, 9, 14], [1.0, 0.9, 0.8]),
        ((0, "2*"), [4, 9, 14], [1.0, 1.0, 0.9]),
        ((1, "16"), [9, 14], [1.3, 1.6]),
    ):
        assert list(drawn[key].get_xdata()) == steps
        assert drawn[key].get_ydata() == pytest.approx(values)
    assert drawn[0, "2*"].get_linestyle() == "--"
    said = " ".join(figure.texts[-1].get_text().split())
    assert "*, dashed: f moves from step 100 on." in said
    assert "profile demo | data: made-up data in the layout of Helen: some of Helen; made-up data in the layout of VOC: some of VOC" in said
    assert said.endswith("seeds: 0, 1 | device: a processor")


def test_figure_2_has_no_panel_without_a_run_and_is_none_without_any(store: Store) -> None:
    assert figure2.figure(DEMO, store) is None
    finish(store, jobs(DEMO)["voc-modified-4"][0], {4: 1.0, 9: 1.1})
    with styled():
        figure = figure2.figure(DEMO, store)
    assert figure is not None
    assert [axes.get_title("left") for axes in figure.axes] == ["VOC"]
    assert "seeds: 0 |" in " ".join(figure.texts[-1].get_text().split())


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stand-ins for segmented pictures; the list fills with the slugs of the jobs that were asked for them."""
    asked: list[list[str]] = []

    def examples(jobs: list[Job], store: Store, number: int) -> list[Example]:
        asked.append([job.slug for job in jobs])
        mask = np.array([[0, 1], [10, 255]], np.uint8)
        return [Example(np.zeros((2, 2, 3), np.uint8), masks={str(index): mask for index in range(1 + len(jobs))})] * number

    monkeypatch.setattr(prediction, "examples", examples)
    return asked


def test_figure_3_shows_networks_in_the_papers_order_and_leaves_out_what_has_no_weights(store: Store, pictures: list[list[str]]) -> None:
    assert figure3.figure(DEMO, store) is None
    for cell in figure3.cells(DEMO):
        run = finish(store, cell.jobs[0], {})
        if cell.row_key != "voc-baseline-20":  # as if imported
            run.weights.touch()
    with styled():
        figure = figure3.figure(DEMO, store)
    assert figure is not None
    assert pictures == [
        [f"adaptive-rf-{row}-demo" for row in ("baseline-4", "modified-8", "baseline-8")],
        [f"adaptive-rf-voc-{row}-demo" for row in ("baseline-12", "modified-20", "modified-4", "baseline-4")],
    ]
    texts = [text.get_text().replace("\n", " ") for text in figure.texts]
    assert texts[:6] == ["Helen", "image", "truth", "baseline, dilation 4", "modified, initial dilation 8", "baseline, dilation 8"]
    assert texts[6:11] == ["VOC", "image", "truth", "baseline, dilation 12", "modified, initial dilation 20"]
    assert texts[11:13] == ["modified, initial dilation 4", "baseline, dilation 4"]
    assert "profile demo | data: made-up data in the layout of Helen" in texts[13]
    legends = [[text.get_text() for text in legend.get_texts()] for legend in figure.legends]
    assert legends == [["background", "face skin", "hair", "ignored"], ["background", "aeroplane", "cow", "ignored"]]
    assert len(figure.axes) == 3 * 5 + 4 * 6


CLAIMED = {"helen-modified-2": 1.5, "helen-modified-2-late": 0.8, "voc-modified-4": 0.8, "voc-modified-6": 1.2}
REFUTED = {"helen-modified-2": 0.8, "helen-modified-2-late": 1.5, "voc-modified-4": 0.8, "voc-modified-6": 0.9}


@pytest.mark.parametrize(("values", "width", "holds"), [(CLAIMED, 0.1, "yes"), (REFUTED, 0.001, "no")])
def test_claims_are_tested_on_the_curves(store: Store, values: dict[str, float], width: float, holds: str) -> None:
    """f of made-up curves at the full rate; `width` is that on VOC, and on Helen 0.01."""
    setting = Setting("demo", seeds=3)
    for row, seeds in jobs(setting).items():
        for seed, job in enumerate(seeds):
            assert job.recipe is not None
            first = job.recipe.milestones[0]
            low = values.get(row, 2.0) + 0.001 * seed
            high = low + (width if row.startswith("voc") else 0.01) * (1 + 0.01 * seed)
            finish(store, job, {4: 4.0, first // 2 + 1: low, first - 1: high, first + 1: 4.0}, 4.0)
    published = load("adaptive_rf.figure2")
    compared = compare(published, measure(figure2.cells(setting), store, "demo", "run"))
    assert {cell.verdict for cell in compared} == {"unpublished"}
    results = {result["id"]: result for result in check_claims(figure2.CLAIMS, published, compared)}
    assert {result["printed"] for result in results.values()} == {"not tested"}
    assert {id: result["holds"] for id, result in results.items()} == {
        "dilation-2-stays-above-1": holds,
        "late-f-falls-short": holds,
        "voc-small-trapped": holds,
        "voc-f-keeps-moving": holds,
    }


def test_claims_of_figure_3_hold_in_print(store: Store) -> None:
    published = load("adaptive_rf.figure3")
    compared = compare(published, measure(figure3.cells(DEMO), store, "demo", "run"))
    assert {result["printed"] for result in check_claims(figure3.CLAIMS, published, compared)} == {"yes"}


@pytest.mark.parametrize("id", FIGURES)
def test_published_numbers_are_those_of_tables_1_and_2(id: str) -> None:
    for (row, column), cell in load(id).by_key.items():
        name, _, key = row.partition("-")
        theirs = load({"helen": "table1", "voc": "table2"}[name])
        if cell.printed:
            assert (cell.printed, cell.unit) == (theirs.by_key[key, column].printed, theirs.by_key[key, column].unit)
        else:
            assert column.startswith("f")


def test_deviations_have_ids_of_their_own() -> None:
    for profile in ("paper", "small", "demo"):
        listed = figure2.deviations(Setting(profile))  # type: ignore[arg-type]
        assert len({deviation.id for deviation in listed}) == len(listed)
    ids = {deviation.id for deviation in figure2.deviations(DEMO)}
    assert {"floor", "helen-demo-recipe", "voc-demo-recipe"} <= ids


def test_a_set_that_is_missing_leaves_the_other_its_figure(tmp_path: Path) -> None:
    write_helen(tmp_path / "data", exemplars=3, tuning=1, testing=1, size=64, seed=0)
    for id in FIGURES:
        missing = {cell.row_key.partition("-")[0]: cell.missing for cell in table(id).cells(Setting("small", data_root=tmp_path / "data"))}
        assert missing["helen"] == ""
        assert missing["voc"].startswith("VOC2012 is missing: ")
        (tmp_path / "nothing").mkdir(exist_ok=True)
        with pytest.raises(DataError, match="Helen"):
            table(id).cells(Setting("small", data_root=tmp_path / "nothing"))


def test_showing_writes_the_figure_beside_the_runs_and_nothing_else_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path / "runs")
    finish(store, jobs(DEMO)["helen-modified-8"][0], {4: 1.0, 9: 1.1})
    words = ["show", "adaptive_rf.figure2", "--format", "json"]
    drawn = []
    for _ in range(2):
        assert main(words) == 0
        captured = capsys.readouterr()
        assert json.loads(captured.out)["table"] == "adaptive_rf.figure2"
        assert captured.err == (
            "adaptive_rf.figure2: figure runs/figures/adaptive_rf.figure2-demo.png and runs/figures/adaptive_rf.figure2-demo.svg\n"
        )
        written = sorted((tmp_path / "runs" / "figures").iterdir())
        assert [path.name for path in written] == ["adaptive_rf.figure2-demo.png", "adaptive_rf.figure2-demo.svg"]
        drawn.append([path.read_bytes() for path in written])
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("format", "shown"),
    [
        ("md", "\n![adaptive_rf.figure2](runs/figures/adaptive_rf.figure2-demo.png)\n"),
        ("html", "</svg>"),
        ("tex", "\\includegraphics{\\detokenize{runs/figures/adaptive_rf.figure2-demo.png}}"),
    ],
)
def test_a_document_shows_the_figure_that_was_just_drawn(
    format: str, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(Store(tmp_path / "runs"), jobs(DEMO)["helen-modified-8"][0], {4: 1.0, 9: 1.1})
    assert main(["show", "adaptive_rf.figure2", "--format", format]) == 0
    captured = capsys.readouterr()
    assert captured.out.count(shown) == 1
    assert captured.err.count("\n") == 1
    assert (tmp_path / "runs/figures/adaptive_rf.figure2-demo.png").is_file()


@pytest.mark.parametrize("id", FIGURES)
def test_without_runs_there_is_no_figure_and_one_line_says_so(id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", id]) == 0
    assert capsys.readouterr().err == f"{id}: no figure yet, because runs or weights that it needs are missing.\n"
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path / "runs")
    finish(store, jobs(DEMO)["helen-modified-8"][0], {4: 1.0, 9: 1.1})
    (tmp_path / "runs" / "figures").write_text("")
    assert main(["show", "adaptive_rf.figure2"]) == 2
    assert capsys.readouterr().err == "Expected to write figures into runs/figures, but the folder cannot be written (File exists).\n"
