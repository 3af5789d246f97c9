"""Tables of other kinds than a plain one: lists in a cell, printed deviations, quoted rows, comparisons of our own, figures."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reproduce.figures.overlay import picture_png
from reproduce.render import ComparedTable, Drawing, Screen, render
from reproduce.verdicts.claims import Claim, check_claims
from reproduce.verdicts.compare import compare
from reproduce.verdicts.measured import Sample
from reproduce.verdicts.published import Column, Paper, PublishedCell, PublishedTable, RowGroup

GOLDEN = Path(__file__).parent / "golden"
PAPER = Paper("made", "Doe et al. 2020", "A Made-up Paper", ("Jane Doe",), "JMLR", 2020, ("mixed", "speed", "figure1"))
COLUMNS = (
    Column("rf", "receptive field", "px", 0),
    Column("f", "f", "1", 2, tolerance=0.2, tolerance_reason="made up"),
    Column("miou", "mean IoU", "%", 2, tolerance=1.0, tolerance_reason="made up"),
)
COUNTED = "The paper has no such comparison."
LINE: dict[str, Any] = {
    "state": "done",
    "profile": "paper",
    "data": "VOC 2012 val",
    "verified": True,
    "device": "1 GPU",
}


def cell(row: str, label: str, column: str, printed: str, note: str = "") -> PublishedCell:
    unit = next(known.unit for known in COLUMNS if known.key == column)
    return PublishedCell(row, label, column, unit, printed, "made up", note)


MIXED = PublishedTable(
    "made.mixed",
    PAPER,
    "Numbers of every form",
    COLUMNS,
    (RowGroup("Quoted from elsewhere", ("quoted",)), RowGroup("Networks of several paths", ("two", "three"))),
    (
        cell("quoted", "A method that the paper quotes", "miou", "89.3"),
        cell("two", "Two paths", "rf", "268,372"),
        cell("two", "Two paths", "f", "3.32,1.27"),
        cell("two", "Two paths", "miou", "91.16±0.12"),
        cell("three", "Three paths", "rf", "340,396,396"),
        cell("three", "Three paths", "f", "1.61,1.12,1.11"),
        cell("three", "Three paths", "miou", "90.80 ± 0.20"),
    ),
)
SPEED = PublishedTable(
    "made.speed",
    PAPER,
    "What the layer costs",
    COLUMNS,
    (),
    tuple(
        cell(row, label, column, "", COUNTED)
        for row, label in (("plain", "Without the layer"), ("layer", "With the layer"), ("late", "With the layer, begun late"))
        for column in ("rf", "miou")
    ),
    own=True,
)


def measured(kinds: dict[tuple[str, str], dict[str, Any]], values: dict[tuple[str, str], list[Any]]) -> list[Sample]:
    """A line a seed; None stands for a seed without a number."""
    lines = []
    for (row, column), seeds in values.items():
        base = LINE | {"row_key": row, "column": column, "kind": "trained"} | kinds.get((row, column), {})
        lines += [Sample(**base, seed=seed, value=value, job=f"{row}-s{seed}") for seed, value in enumerate(seeds)]
    return lines


def rendered(table: PublishedTable, lines: list[Sample], *claims: Claim) -> ComparedTable:
    cells = compare(table, lines)
    return ComparedTable(table, "paper", "VOC 2012 val", (0, 1, 2), "1 GPU", cells, check_claims(claims, table, cells))


@pytest.fixture(scope="module")
def mixed() -> ComparedTable:
    exact = {"kind": "exact", "data": "", "device": ""}
    kinds = {
        ("quoted", "miou"): {"kind": "published", "state": "todo"},
        ("two", "rf"): exact,
        ("three", "rf"): exact | {"audit": True},
        ("three", "miou"): {"state": "interrupted", "reason": "2 of 30 steps"},
    }
    values = {
        ("quoted", "miou"): [None],
        ("two", "rf"): [[268.0, 372.0]],
        ("two", "f"): [[3.31, 1.25], [3.35, 1.31], [3.30, 1.22]],
        ("two", "miou"): [91.0, 91.2, 91.3],
        ("three", "rf"): [[340.0, 396.0, 388.0]],
        ("three", "f"): [[1.60, 1.10, 1.10]],
        ("three", "miou"): [None],
    }
    return rendered(MIXED, measured(kinds, values))


SPEED_VALUES = {
    ("plain", "rf"): [212.0],
    ("plain", "miou"): [70.1, 70.4, 70.3],
    ("layer", "rf"): [252.0],
    ("layer", "miou"): [71.8, 71.9, 72.0],
    ("late", "rf"): [252.0],
    ("late", "miou"): [71.0, 71.1, 71.4],
}
SPEED_KINDS = {(row, "rf"): {"kind": "exact", "data": "", "device": ""} for row in ("plain", "layer", "late")}
BETTER = Claim("better", "the layer helps", "section 5", "it does", lambda all: all.greater(("layer", "miou"), ("plain", "miou")))


@pytest.fixture(scope="module")
def speed() -> ComparedTable:
    lines = measured(SPEED_KINDS, SPEED_VALUES)
    for index, line in enumerate(lines):
        if line.key == ("late", "miou"):
            lines[index] = replace(line, state="todo", value=None, reason="`python -m reproduce made.speed` computes it")
        if (*line.key, line.seed) == ("layer", "miou", 1):
            lines[index] = replace(line, state="failed", value=None, reason="out of memory")
    return rendered(SPEED, lines, BETTER)


@pytest.fixture(scope="module")
def complete() -> ComparedTable:
    return rendered(SPEED, measured(SPEED_KINDS, SPEED_VALUES), BETTER)


@pytest.mark.parametrize(
    ("name", "format", "width"),
    [
        *(("several_wide.txt", "terminal", 110), ("several_narrow.txt", "terminal", 80)),
        *((f"several.{format}", format, 110) for format in ("md", "html", "tex", "csv", "json")),
    ],
)
def test_several_tables_are_one_golden_document(mixed: ComparedTable, speed: ComparedTable, name: str, format: str, width: int) -> None:
    text = render([mixed, speed], format, Screen(width))
    path = GOLDEN / name
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{name} has changed: REWRITE_GOLDEN=1 accepts it"
    if format == "terminal":
        assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("format", ["terminal", "md", "html", "tex"])
def test_a_comparison_of_our_own_has_no_printed_side(speed: ComparedTable, format: str) -> None:
    text = render([speed], format).lower()
    assert "what the layer costs (a comparison of our own)" in text
    for word in ("published", "difference", "diff.", "unpublished", "verdict", COUNTED.lower(), "printed:"):
        assert word not in text[text.index("<main>") if format == "html" else 0 :]
    assert "not run" in text
    assert "out of memory" in text
    assert "state" in text


@pytest.mark.parametrize("format", ["terminal", "md", "html", "tex"])
def test_where_every_run_is_done_there_is_no_state(complete: ComparedTable, format: str) -> None:
    text = render([complete], format).lower()
    assert "state" not in text[text.index("<main>") if format == "html" else 0 :]
    assert "6 cells" in text
    assert "6 measured" in text


SVG = """<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 2 2" xmlns="http://www.w3.org/2000/svg">
 <metadata><dc:title>https://example.org/</dc:title></metadata>
 <defs><path id="glyph" d="M 0 0"/><clipPath id="clip"><rect width="2" height="2"/></clipPath></defs>
 <!-- text -->
 <g clip-path="url(#clip)"><use xlink:href="#glyph"/></g>
</svg>
"""


def test_figures_stand_on_the_page_itself_and_their_ids_once(mixed: ComparedTable, speed: ComparedTable) -> None:
    figure = Drawing(Path("runs/figures/made.png"), SVG)
    page = render([replace(mixed, figure=figure), replace(speed, figure=figure)], "html")
    assert page.count("<svg") == page.count("</svg>") == 2
    for id in ("made.mixed", "made.speed"):
        for part in (f' id="{id}-glyph"', f' xlink:href="#{id}-glyph"', f' id="{id}-clip"', f"url(#{id}-clip)"):
            assert page.count(part) == 1
    ids = re.findall(r" id=['\"]([^'\"]+)", page)
    assert len(ids) == len(set(ids))
    assert not re.search(r"https?:|<\?xml|<!--|metadata|made\.png", page)


def test_markdown_links_the_figures_file(speed: ComparedTable) -> None:
    text = render([replace(speed, figure=Drawing(Path("my runs/figures/made.speed-demo.png"), SVG))], "md")
    assert "\n\n![made.speed](my%20runs/figures/made.speed-demo.png)\n\n" in text


@pytest.mark.parametrize("format", ["terminal", "csv", "json"])
def test_other_formats_are_the_same_with_a_figure(speed: ComparedTable, format: str) -> None:
    assert render([replace(speed, figure=Drawing(Path("made.png"), SVG))], format) == render([speed], format)


def test_a_page_is_named_after_its_table_or_tables(mixed: ComparedTable, speed: ComparedTable) -> None:
    assert "<title>made.mixed: Numbers of every form</title>" in render([mixed], "html")
    assert "<title>made.mixed, made.speed</title>" in render([mixed, speed], "html")


def test_one_cell_is_not_plural(speed: ComparedTable) -> None:
    assert "\n1 cell: 1 measured.\n" in render([replace(speed, cells=speed.cells[:1])], "terminal")


def test_the_summary_counts_what_was_measured(speed: ComparedTable) -> None:
    assert "6 cells: 4 measured, 1 failed, 1 not run.\n" in render([speed], "terminal")


def test_a_figure_says_that_the_paper_prints_no_numbers(complete: ComparedTable) -> None:
    figure = replace(complete, table=replace(SPEED, id="made.figure1", own=False))
    assert render([figure], "terminal").startswith("made.figure1: What the layer costs (a figure: the paper prints no numbers)\n")


def test_one_printed_number_makes_it_a_table(complete: ComparedTable) -> None:
    first, *rest = SPEED.cells
    table = replace(SPEED, cells=(replace(first, printed="212"), *rest), own=False)
    text = render([rendered(table, measured(SPEED_KINDS, SPEED_VALUES))], "terminal")
    assert text.startswith("made.speed: What the layer costs\n")
    assert "6 cells: 5 unpublished, 1 exact." in text


def test_machines_are_told_the_verdict_and_why(speed: ComparedTable) -> None:
    cells = json.loads(render([speed], "json"))["cells"]
    assert [cell["verdict"] for cell in cells] == ["unpublished"] * 3 + ["failed", "unpublished", "not run"]
    assert cells[3]["reason"] == "seed 1: failed: out of memory"
    assert cells[3]["seeds"] == [0, 2]


def test_a_printed_deviation_is_shown_and_judges_the_printed_number(mixed: ComparedTable) -> None:
    """As one run of that spread: t s sqrt(1/3) of ours and 0.12 of theirs; without it ± 0.759."""
    text = render([mixed], "terminal")
    assert re.search(r"91\.16 ± 0\.12 % +91\.167 ± 0\.153 % \(3\) +\+0\.007 +within ± 0\.641", text)
    assert re.search(r"90\.80 ± 0\.20 % +- +- +not run", text)
    (cell,) = (cell for cell in json.loads(render([mixed], "json"))["cells"] if (cell["row_key"], cell["column"]) == ("two", "miou"))
    assert (cell["published"], cell["published_std"]) == (91.16, 0.12)


def test_json_of_several_tables_is_an_array_and_of_one_an_object(mixed: ComparedTable, speed: ComparedTable) -> None:
    several = json.loads(render([mixed, speed], "json"))
    assert [table["table"] for table in several] == ["made.mixed", "made.speed"]
    assert several == [json.loads(render([one], "json")) for one in (mixed, speed)]


def test_csv_of_several_tables_has_one_header(mixed: ComparedTable, speed: ComparedTable) -> None:
    lines = list(csv.DictReader(io.StringIO(render([mixed, speed], "csv"))))
    assert [line["table"] for line in lines] == ["made.mixed"] * 7 + ["made.speed"] * 6


def test_ids_stand_once_on_a_page_of_several_tables(mixed: ComparedTable, speed: ComparedTable) -> None:
    class Attributes(HTMLParser):
        def __init__(self, page: str) -> None:
            super().__init__()
            self.found: dict[str, list[str | None]] = {"id": [], "href": []}
            self.feed(page)

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            for name, value in attrs:
                self.found.setdefault(name, []).append(value)

    found = Attributes(render([mixed, speed], "html")).found
    assert len(found["id"]) == len(set(found["id"]))
    assert found["href"]
    assert {f"#{id}" for id in found["id"]} >= set(found["href"])


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex: apt-get install texlive-latex-recommended")
def test_tex_of_several_tables_compiles_without_a_box_too_wide(
    mixed: ComparedTable, speed: ComparedTable, complete: ComparedTable, tmp_path: Path
) -> None:
    png = tmp_path / "runs_of_mine" / "made.speed-demo.png"
    png.parent.mkdir()
    png.write_bytes(picture_png(np.zeros((4, 4, 3), np.uint8)))
    tables = [mixed, replace(speed, figure=Drawing(png.relative_to(tmp_path), SVG)), complete]
    (tmp_path / "tables.tex").write_text(render(tables, "tex"), encoding="utf-8")
    for _ in range(2):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert "runs_of_mine/made.speed-demo.png" in done.stdout.replace("\n", "")
