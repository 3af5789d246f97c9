"""The numbers in cells, computed or taken from metrics, and where tables say that they differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.papers.njet import speed, table4
from reproduce.papers.njet.cells import sizes
from reproduce.papers.njet.deviations import cifar_deviations
from reproduce.papers.njet.specs import CIFARResNet, ToyCNN
from reproduce.papers.njet.trainings import NIN, NJET_NIN, SCALES
from reproduce.plugins import tables
from reproduce.table import PROFILES, Cell, Setting, Table
from reproduce.verdicts.compare import ComparedCell, compare
from reproduce.verdicts.measured import measure
from reproduce.verdicts.published import load
from reproduce.worker.process import work

NJET: dict[str, Table] = tables("njet")
PAPER = Setting("paper")


def jobs(id: str, setting: Setting = PAPER) -> dict[tuple[str, str], tuple[Job, ...]]:
    """The jobs of a table by row and column."""
    return {(cell.row_key, cell.column): cell.jobs for cell in NJET[f"njet.{id}"].cells(setting)}


# The numbers of parameters derived by hand; ALL-CNN has batch norm besides its weights, and an N-Jet network a sigma a layer.
BATCH_NORM = 2 * (3 * 96 + 5 * 192 + 10)
PARAMETERS = {
    "all-cnn": 1_368_480 + BATCH_NORM,
    "njet-all-cnn": 1_516_224 + BATCH_NORM + 7,
    "resnet-32": 464_154,
    "njet-resnet-32": 515_433,
    "resnet-110": 1_727_962,
    "njet-resnet-110": 1_154_999,
}


def test_parameters_are_of_the_published_network_in_every_profile(tmp_path: Path) -> None:
    """One job computes them for all profiles: its identity has no profile in it."""
    store, exact = Store(tmp_path), [cell for cell in table4.TABLE.cells(PAPER) if cell.kind == "exact"]
    for profile in PROFILES:
        others = [cell for cell in table4.TABLE.cells(Setting(profile)) if cell.kind == "exact"]  # type: ignore[arg-type]
        assert [[job.digest for job in cell.jobs] for cell in others] == [[job.digest for job in cell.jobs] for cell in exact]
    found = {cell.row_key: value_of(cell, store) for cell in exact}
    assert {row: found[row] for row in PARAMETERS} == PARAMETERS
    assert found["njet-efficientnet"] < found["efficientnet"]
    for row, network, expected in (("nin", NIN, 968_404), ("njet-nin", NJET_NIN, 720_151)):
        cell = Cell(row, "parameters", "exact", sizes(PAPER, row, network)[0], lambda metrics: metrics["parameters"])
        assert value_of(cell, store) == expected


def value_of(cell: Cell, store: Store) -> Any:
    run = store.prepare(cell.jobs[0])
    assert work(run.folder) == 0, run.error
    assert run.result is not None
    return cell.value(run.result["metrics"])


def test_fixed_sizes_are_computed_and_their_largest_fall_with_them(store: Store) -> None:
    found = {
        (cell.row_key, cell.column): value_of(cell, store)
        for id in ("njet.figure7", "njet.figure8")
        for cell in NJET[id].cells(Setting("demo"))
        if cell.kind == "exact"
    }
    assert found == {
        ("nin", "map_sizes"): [16, 8, 8],
        ("nin", "largest_fall"): 2,
        ("all-cnn", "map_sizes"): [32, 32, 16, 16, 16, 8, 8],
        ("all-cnn", "largest_fall"): 2,
    }
    (learned,) = [
        cell for cell in NJET["njet.figure8"].cells(Setting("demo")) if cell.row_key == "njet-all-cnn" and cell.column != "map_sizes"
    ]
    assert learned.value({"map_sizes": [20, 18, 15, 15]}) == 1.6  # from the picture's 32 cells to the first 20


def test_halves_leave_out_the_layer_in_the_middle() -> None:
    earlier, later = (cell for cell in NJET["njet.figure12"].cells(Setting("demo")) if cell.row_key == "njet-nin")
    metrics = {"sigmas": [1.0, 5.0, 3.0]}
    assert (earlier.value(metrics), later.value(metrics)) == (1.0, 3.0)
    assert later.value({"sigmas": [1.0, 2.0, 3.0, 5.0]}) == 4.0


def test_ratios_are_medians_of_rounds() -> None:
    metrics = {"seconds": [[2.0, 9.0, 4.0], [1.0, 3.0, 4.0]]}
    assert (speed.step_seconds(metrics), speed.plain_seconds(metrics), speed.ratio(metrics)) == (4.0, 3.0, 2.0)


def test_sigma_at_twice_the_size() -> None:
    found = {
        cell.row_key: cell.value({"sigma_1": 1.5}) for cell in NJET["njet.figure5"].cells(Setting("demo")) if cell.column == "sigma_at_2x"
    }
    assert found == {"x1": 3.0, "x1.5": 2.0, "x2": 1.5}


METRICS = {"accuracy": 0.9116, "sigma_1": 2.12}
VERIFIED = {"status": "verified", "set": "MNIST", "detail": "60,000 / 10,000"}


def compared(id: str, seeds: int, store: Store, metrics: dict[str, float]) -> dict[tuple[str, str], ComparedCell]:
    """A table in the profile `paper`, as if each of its trainings had given these metrics on verified data."""
    cells = [cell for cell in NJET[id].cells(Setting("paper", seeds)) if cell.kind == "trained"]
    for job in {job.name: job for cell in cells for job in cell.jobs}.values():
        values = {name: value * (1 + job.seed / 1000) for name, value in metrics.items()}
        store.prepare(job).finish({"metrics": values, "data": VERIFIED, "provenance": {"device": "1 GPU"}})
    found = compare(load(id), measure(NJET[id].cells(Setting("paper", seeds)), store, "paper", "run"))
    return {cell.key: cell for cell in found if cell.published is not None}


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("metrics", [METRICS, {"accuracy": 0.5, "sigma_1": 1.0}])
@pytest.mark.parametrize(
    ("id", "keys", "caveat"),
    [
        (
            "njet.figure5",
            {("x1.5", "sigma"), ("x1.5", "sigma_at_2x"), ("x2", "sigma"), ("x2", "sigma_at_2x")},
            "network and recipe are our own reading: the paper describes neither",
        ),
        (
            "njet.table3",
            {("njet-nin-code", "cifar10")},
            "the printed number is from a log of unknown settings: it does not say the order, which is 3 here",
        ),
    ],
)
def test_what_is_our_reading_or_an_unknown_setting_gets_no_verdict_even_as_published(
    id: str, keys: set[tuple[str, str]], caveat: str, metrics: dict[str, float], seeds: int, store: Store
) -> None:
    found = compared(id, seeds, store, metrics)
    assert set(found) == keys
    assert {(cell.verdict, cell.reason) for cell in found.values()} == {("not comparable", caveat)}
    assert all(cell.n >= seeds and cell.difference is not None for cell in found.values())


def test_every_network_that_is_our_reading_has_the_caveat() -> None:
    for id, marked in (
        ("table4", lambda row: "efficientnet" in row),
        ("table3", lambda row: row == "njet-nin-code"),
        ("table5", bool),
        ("figure5", bool),
    ):
        for cell in NJET[f"njet.{id}"].cells(PAPER):
            assert bool(cell.caveat) is marked(cell.row_key), cell.row_key


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("id", sorted(NJET))
def test_deviations_are_named_once_and_say_what_is_shrunk(id: str, profile: str) -> None:
    setting = Setting(profile)  # type: ignore[arg-type]
    found = {deviation.id: deviation.text for deviation in NJET[id].deviations(setting)}
    assert len(found) == len(NJET[id].deviations(setting)) > 0
    assert all(text.endswith((".", '".')) for text in found.values())
    half = {deviation.id: deviation.text for deviation in NJET[id].deviations(replace(setting, precision="bf16-mixed"))}
    assert any("bf16-mixed" in text for text in half.values())
    if id in ("njet.speed", "njet.table5", "njet.figure5"):
        assert (f"{SCALES[setting.profile].batch_size} pictures" if id == "njet.speed" else "pictures") in " ".join(found.values())
    else:
        assert (f"{profile}-network" in found) == (f"{profile}-recipe" in found) == (profile != "paper")


def test_what_is_known_of_the_authors_code_is_noted() -> None:
    texts = {deviation.id: deviation.text for deviation in cifar_deviations("table3", PAPER)}
    assert "The log does not say the order." in texts["code"]
    assert texts["code-polynomials"].endswith("have no typos.")
    assert load("njet.table3").by_key["njet-nin-code", "cifar10"].note == "the order behind this log is unknown"


def test_shrunk_values_are_those_of_the_jobs() -> None:
    texts = {deviation.id: deviation.text for deviation in cifar_deviations("table4", Setting("small"))}
    (job,) = jobs("table4", Setting("small"))["resnet-110", "cifar10"]
    assert isinstance(job.network, CIFARResNet)
    assert job.recipe is not None
    assert f"{job.network.depth} layers instead of 110" in texts["small-network"]
    assert f"ResNets at {job.network.width:g}" in texts["small-network"]
    assert f"{job.recipe.steps} steps of {job.recipe.batch_size} pictures" in texts["small-recipe"]
    (toy,) = jobs("table5", Setting("small"))["njet-2", "x4"]
    assert isinstance(toy.network, ToyCNN)
    assert toy.recipe is not None
    (length,) = [deviation.text for deviation in NJET["njet.table5"].deviations(Setting("small")) if deviation.id == "length"]
    assert length.startswith(f"{toy.network.channels} channels per layer, {toy.recipe.steps:,} steps of {toy.recipe.batch_size} pictures")
