import json
import math
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reproduce.render import FORMATS, ComparedTable, Screen, render
from reproduce.render.tex import escaped
from reproduce.table import Deviation
from reproduce.verdicts.claims import Claim, check_claims
from reproduce.verdicts.compare import CELL_FIELDS, compare
from reproduce.verdicts.evidence import Evidence, maximum
from reproduce.verdicts.logic import Finding, all_of
from reproduce.verdicts.measured import Sample
from reproduce.verdicts.published import PublishedTable, load
from reproduce.verdicts.verdict import Verdict

GOLDEN = Path(__file__).parent / "golden"
SPREAD = (-0.0012, 0.0, 0.0015)
INITIAL_DILATIONS = {"modified-2": 2, "modified-2-late": 2, "modified-6": 6, "modified-8": 8, "modified-10": 10, "modified-12": 12}


def formula(dilation: int, f: float) -> float:
    return 212.0 + 8.0 * (math.ceil((3 * dilation + 2) / f) - 1)


def made_up_lines(table: PublishedTable) -> Iterator[Sample]:
    """Every cell at first as if three seeds had been run on the real data."""
    for cell in table.cells:
        sample = Sample(
            row_key=cell.row_key,
            column=cell.column,
            kind="trained",
            profile="paper",
            state="done",
            job=f"{cell.row_key}-s0-0123abcd",
            data="Helen, 100 test faces",
            verified=True,
            device="1 GPU",
        )
        printed = float(cell.printed)
        if cell.column == "rf_fc6":
            audit = cell.row_key in INITIAL_DILATIONS
            f = float(table.by_key[cell.row_key, "f"].printed) if audit else 1.0
            value = formula(INITIAL_DILATIONS[cell.row_key], f) if audit else printed
            yield replace(sample, kind="exact", audit=audit, value=value, data="", device="")
            continue
        scale = {"f": 60.0, "f_score": 1.0, "rf_fc6_learned": 6000.0}[cell.column]
        for seed, offset in enumerate(SPREAD):
            yield replace(sample, seed=seed, value=printed + scale * offset, job=f"{cell.row_key}-s{seed}-0123abcd")


def lines_with_troubles(table: PublishedTable) -> list[Sample]:
    """The same with every kind of trouble in it."""
    lines = list(made_up_lines(table))

    def change(row: str, column: str, seeds: tuple[int, ...] = (0, 1, 2), **fields: Any) -> None:
        for index, line in enumerate(lines):
            if line.key == (row, column) and line.seed in seeds:
                lines[index] = replace(line, **fields)

    change("baseline-14", "rf_fc6", value=547.0)
    change("baseline-4", "f_score", value=0.8871)
    change("baseline-6", "f_score", seeds=(2,), state="todo", value=None)
    change("baseline-8", "f_score", seeds=(1,), state="failed", value=None, reason="CUDA out of memory")
    change("baseline-10", "f_score", state="failed", value=None, reason="CUDA out of memory")
    change("baseline-12", "f_score", state="interrupted", value=None, reason="2 of 55,000 steps")
    missing = "Helen is not under the data root: python -m reproduce prepare helen"
    change("baseline-14", "f_score", state="todo", value=None, reason=missing)
    change("modified-2", "f_score", verified=False, data="stand-in faces, 230")
    change("modified-2-late", "f_score", kind="published", state="todo", value=None)
    change("modified-6", "f_score", seeds=(0,), value=math.nan)
    change("modified-8", "f_score", value=0.9102)
    own = next(line for line in lines if line.key == ("modified-12", "f_score"))
    lines.append(replace(own, column="f_score_skin", value=0.93))
    lines.append(replace(own, row_key="mine", row="My own network", value=0.91, job="mine-s0-4567cdef"))
    return lines


def beats_baseline(evidence: Evidence) -> Finding:
    pairs = ((f"modified-{dilation}", f"baseline-{dilation}") for dilation in (6, 8, 10, 12))
    return all_of(*(evidence.greater((modified, "f_score"), (baseline, "f_score")) for modified, baseline in pairs))


def beats_all(evidence: Evidence) -> Finding:
    return evidence.greater(("modified-8", "f_score"), maximum(("baseline-2", "f_score"), ("baseline-4", "f_score")))


CLAIMS = (
    Claim(
        "improve",
        "almost all modified models (except dilation value 2) have witnessed improvement",
        "section 4.3.1",
        "each exceeds its baseline",
        beats_baseline,
    ),
    Claim(
        "surpass", "their performances even have surpassed the best manually designed model", "section 4.3.1", "one exceeds all", beats_all
    ),
)
DEVIATIONS = (
    Deviation("gamma", "The paper does not give the factor of its one learning-rate step: 0.1."),
    Deviation("landmarks", "The paper detects its landmarks; here they are Helen's annotations, scaled per image to the resized set."),
)


@pytest.fixture(scope="module")
def rendered() -> ComparedTable:
    table = load("table1")
    cells = compare(table, lines_with_troubles(table))
    claims = check_claims(CLAIMS, table, cells)
    return ComparedTable(table, "paper", "Helen, 100 test faces (made up)", (0, 1, 2), "1 GPU", cells, claims, DEVIATIONS)


def test_the_made_up_lines_have_every_verdict(rendered: ComparedTable) -> None:
    assert {cell.verdict for cell in rendered.cells} == set(Verdict)


@pytest.mark.parametrize(("name", "format", "width"), [("wide.txt", "terminal", 110), ("narrow.txt", "terminal", 80)])
def test_terminal_is_golden(rendered: ComparedTable, name: str, format: str, width: int) -> None:
    text = render([rendered], format, Screen(width))
    _same(name, text)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("name", "format"),
    [("table.md", "md"), ("table.html", "html"), ("table.tex", "tex"), ("table.csv", "csv"), ("table.json", "json")],
)
def test_file_formats_are_golden(rendered: ComparedTable, name: str, format: str) -> None:
    _same(name, render([rendered], format))


def _same(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{name} has changed: REWRITE_GOLDEN=1 accepts it"


def test_no_number_is_cut_short(rendered: ComparedTable) -> None:
    assert "…" not in render([rendered], "terminal", Screen(80))


def test_a_terminal_ends_with_the_verdicts_and_lists_deviations_only_on_demand(rendered: ComparedTable) -> None:
    short, long = (render([rendered], "terminal", Screen(400, deviations=listed)) for listed in (False, True))
    summary = short.splitlines()[-1]
    assert summary.startswith("40 cells (1 of them in the json only): 12 undecided, 11 exact")
    assert long.splitlines()[-1] == summary
    option = "2 deviations from the paper: --deviations lists them.\n"
    assert short.endswith(f"\n\n{option}{summary}\n")
    said = "".join(f"  {deviation.id:<9}  {deviation.text}\n" for deviation in DEVIATIONS)
    assert long == short.replace(option, f"Deviations from the paper\n{said}\n")
    one = render([replace(rendered, deviations=DEVIATIONS[:1])], "terminal")
    assert "\n1 deviation from the paper: --deviations lists it.\n" in one
    assert "eviation" not in render([replace(rendered, deviations=())], "terminal")


@pytest.mark.parametrize("format", ["md", "html", "tex", "json"])
def test_files_always_have_the_deviations(rendered: ComparedTable, format: str) -> None:
    text = render([rendered], format)
    assert all(deviation.id in text for deviation in DEVIATIONS)
    assert render([rendered], format, Screen(deviations=True)) == text


def test_ascii_keeps_the_columns_in_line(rendered: ComparedTable) -> None:
    text = render([rendered], "terminal", Screen(encoding="ascii"))
    assert text.isascii()
    assert [len(line) for line in text.splitlines()] == [len(line) for line in render([rendered], "terminal").splitlines()]


def test_colour_only_on_demand(rendered: ComparedTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in render([rendered], "terminal", Screen(colour=True))


def test_json_has_the_documented_keys(rendered: ComparedTable) -> None:
    document = json.loads(render([rendered], "json"))
    assert list(document) == ["schema", "table", "paper", "title", "profile", "cells", "claims", "deviations"]
    assert document["schema"] == 1
    assert all(list(cell) == list(CELL_FIELDS) for cell in document["cells"])
    tested = ["test", "level", "e_yes", "e_no", "comparisons", "forecast"]
    assert all(list(claim) == ["id", "text", "printed", "holds", "reason", *tested] for claim in document["claims"])
    assert all(list(deviation) == ["id", "text"] for deviation in document["deviations"])


def test_json_turns_what_is_not_finite_into_null(rendered: ComparedTable) -> None:
    cells = [replace(rendered.cells[0], std=math.nan, values=[math.inf, 1.0])]
    one = ComparedTable(rendered.table, "paper", "made up", (0,), "cpu", cells)
    cell = json.loads(render([one], "json"))["cells"][0]
    assert cell["std"] is None
    assert cell["values"] == [None, 1.0]


@pytest.mark.parametrize("format", ["terminal", "md"])
def test_lists_are_shown_number_by_number(rendered: ComparedTable, format: str) -> None:
    lists: dict[str, Any] = {"mean": [268.0, 372.0], "std": [4.6, 8.0], "difference": [0.0, -8.0], "tolerance": [10.6, 18.5]}
    cells = [replace(rendered.cells[0], **lists, kind="trained", n=3, verdict=Verdict.WITHIN)]
    one = ComparedTable(rendered.table, "paper", "made up", (0,), "cpu", cells)
    text = render([one], format)
    first, second = ("268.0 ± 4.6 px (3)", "372.0 ± 8.0 px (3)")
    assert first in text
    assert second in text
    assert ("\n" if format == "terminal" else "<br>") in text[text.index(first) : text.index(second)]


@pytest.mark.parametrize("format", ["terminal", "md", "html", "tex"])
def test_header_names_profile_and_data(rendered: ComparedTable, format: str) -> None:
    text = render([rendered], format)
    assert "profile paper" in text
    assert "data: Helen, 100 test faces (made up)" in text


def test_numbers_without_data_are_refused(rendered: ComparedTable) -> None:
    with pytest.raises(ValueError, match="Expected `profile` and `data`"):
        ComparedTable(rendered.table, "paper", "", (0,), "cpu", rendered.cells)


def test_unknown_format_is_one_sentence(rendered: ComparedTable) -> None:
    with pytest.raises(ValueError, match=r"Expected `format` to be one of terminal, md, html, tex, csv, json, but got 'doc'\."):
        render([rendered], "doc")
    assert FORMATS == ("terminal", "md", "html", "tex", "csv", "json")


AWKWARD = r"50 % of $x_1$ & \y{z} #1 ~ ^ <b>bold</b> | \"q\" 'r' `s` -- π ≤ 日 café ± 3 Ł ß µ ° \input{x}" + "\n\ttab"


@pytest.fixture
def awkward(rendered: ComparedTable) -> ComparedTable:
    """A table whose every text is full of what formats take for their own signs."""
    texts: dict[str, Any] = dict.fromkeys(("row", "reason", "data", "device"), AWKWARD)
    cells = [replace(cell, **texts) if cell.row_key == "mine" else cell for cell in rendered.cells]
    claims = [claim | {"text": AWKWARD, "reason": AWKWARD} for claim in rendered.claims]
    deviations = (Deviation("odd", AWKWARD),)
    return replace(rendered, cells=cells, data=AWKWARD, device=AWKWARD, claims=claims, deviations=deviations)  # type: ignore[arg-type]


class Tags(HTMLParser):
    """Follows the nesting of a page, and collects its text and what it refers to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.names: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("which", ["rendered", "awkward"])
def test_html_is_one_well_formed_page_that_needs_nothing_else(which: str, request: pytest.FixtureRequest) -> None:
    page = render([request.getfixturevalue(which)], "html")
    tags = Tags(page)
    assert not tags.open
    assert not tags.names & {"script", "link", "img", "iframe", "b"}
    assert not re.search(r"https?:|url\(|@import", page)
    ids = [value for name, value in tags.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = [value for name, value in tags.attributes if name == "href"]
    assert links
    assert all(link is not None and link[1:] in ids for link in links)


def test_html_says_each_verdict_in_words_and_colours_it(rendered: ComparedTable) -> None:
    page = render([rendered], "html")
    style = page[page.index("<style>") : page.index("</style>")]
    for verdict in Verdict:
        kind = str(verdict).replace(" ", "-")
        assert f"<span class='pill {kind}'>{verdict}</span>" in page
        assert f".{kind}" in style or kind in ("unpublished", "published-only", "not-run")


def test_html_keeps_awkward_text_and_any_encoding(awkward: ComparedTable) -> None:
    page = render([awkward], "html", Screen(encoding="ascii"))
    assert page.isascii()
    assert AWKWARD in Tags(page).texts


def test_csv_holds_what_the_json_holds(rendered: ComparedTable, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(render([rendered], "csv"))
    frame = pd.read_csv(path, keep_default_na=False, dtype=str)
    assert list(frame.columns) == ["table", "profile", *CELL_FIELDS]
    cells = json.loads(render([rendered], "json"))["cells"]
    assert len(frame) == len(cells)
    for line, cell in zip(frame.to_dict("records"), cells, strict=True):
        for field in CELL_FIELDS:
            value = cell[field]
            joined = "; ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
            assert line[field] == joined


def test_csv_joins_lists_within_lists(rendered: ComparedTable) -> None:
    cells = [replace(rendered.cells[0], values=[[268.0, 372.0], [270.0, 374.0]])]
    assert "268.0, 372.0; 270.0, 374.0" in render([replace(rendered, cells=cells)], "csv")


def test_tex_escapes_everything() -> None:
    assert escaped("a_b & 5 % {x} \\y") == r"a\_b \& 5 \% \{x\} \textbackslash{}y"
    assert escaped("-0.1 rf-fc6 ± <= é Ł 日 ﬁ") == r"$-$0.1 rf{-}fc6 $\pm$ \textless{}= é ? ? fi"
    assert escaped('a "quoted word" ("in brackets"), 3" wide, "end"') == "a ``quoted word'' (``in brackets''), 3'' wide, ``end''"
    assert escaped(AWKWARD).count("{") == escaped(AWKWARD).count("}")


@pytest.mark.parametrize("which", ["rendered", "awkward"])
def test_tex_is_balanced(which: str, request: pytest.FixtureRequest) -> None:
    text = render([request.getfixturevalue(which)], "tex")
    unescaped = re.sub(r"\\[\\{}&%$#_]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    assert unescaped.count("$") % 2 == 0
    begun, ended = re.findall(r"\\begin{(\w+)}", text), re.findall(r"\\end{(\w+)}", text)
    assert sorted(begun) == sorted(ended)
    table = text[text.index(r"\endlastfoot") : text.index(r"\end{longtable}")].splitlines()[1:]
    assert {re.sub(r"\\[&%$#_{}]", "", line).count("&") for line in table} == {5}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex: apt-get install texlive-latex-recommended")
@pytest.mark.parametrize("which", ["rendered", "awkward"])
def test_tex_compiles_without_a_box_too_wide(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    (tmp_path / "table.tex").write_text(render([request.getfixturevalue(which)], "tex"), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "table.pdf").stat().st_size > 10_000
    if which == "rendered":
        assert "Overfull" not in done.stdout
