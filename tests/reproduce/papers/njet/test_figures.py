"""The figures of njet: drawn from the very runs of its tables, None where there are none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from safetensors.torch import save_model

from reproduce.figures.style import styled
from reproduce.jobs.job import Job
from reproduce.jobs.store import Run, Store
from reproduce.papers.njet import figure5, figure6, figure12, map_sizes, sigmas
from reproduce.papers.njet.filters import large_filters
from reproduce.papers.njet.specs import Jet, NiN
from reproduce.papers.njet.trainings import NIN, NJET_NIN, training_jobs
from reproduce.plugins import table, tables
from reproduce.specs import Describe
from reproduce.table import Setting
from reproduce.worker.building import build_network

DEMO = Setting("demo", seeds=2)
FIGURES = ("figure5", "figure6", "figure7", "figure8", "figure12", "sigmas")


def finish(store: Store, job: Job, metrics: Mapping[str, Any], sigma: Sequence[Mapping[str, float]] = ()) -> Run:
    """Put a finished run into a store, with a curve."""
    run = store.prepare(job)
    lines = [{"step": step} | {f"trajectory/{name}": value for name, value in each.items()} for step, each in enumerate(sigma)]
    (run.folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    data = {"set": "CIFAR-10", "status": "synthetic", "detail": "some"}
    run.finish({"metrics": metrics, "data": None if isinstance(job.task, Describe) else data, "provenance": {"device": "a processor"}})
    return run


def drawn(id: str, store: Store) -> Figure | None:
    figure = table(f"njet.{id}").figure
    assert figure is not None
    with styled():
        return figure(DEMO, store)


@pytest.mark.parametrize("id", FIGURES)
def test_without_runs_there_is_no_figure(id: str, store: Store) -> None:
    assert drawn(id, store) is None


def test_tables_alone_have_none() -> None:
    assert {id.removeprefix("njet.") for id, each in tables("njet").items() if each.figure} == set(FIGURES)


def test_figure_5_draws_every_size_that_is_there(store: Store) -> None:
    for resized, ends in ((1.0, (1.4, 1.5, 1.6)), (2.0, (2.7, 2.8, 2.9))):
        jobs, _ = figure5.trainings(DEMO, resized)
        for job, end in zip(jobs, ends, strict=True):
            finish(store, job, {"sigma_1": end}, [{"sigma_1": 1.0}, {"sigma_1": end}])
    figure = drawn("figure5", store)
    assert figure is not None
    lines = [list(map(float, line.get_ydata())) for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    assert [1.0, pytest.approx(1.5)] in lines
    assert [1.0, pytest.approx(2.8)] in lines


def test_figure_6_draws_accuracies_in_percent(store: Store) -> None:
    for pooling, accuracy in ((True, 0.9), (False, 0.85)):
        for job in figure6.trainings(DEMO, (5, 5, 3), pooling)[0]:
            finish(store, job, {"accuracy": accuracy})
    figure = drawn("figure6", store)
    assert figure is not None
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["3, 3, 3", "5, 5, 3", "5, 5, 5", "7, 7, 7"]
    heights = {round(float(value), 6) for line in axes.lines for value in line.get_ydata() if np.isfinite(value)}
    assert heights == {90.0, 85.0}


def test_figures_7_and_8_draw_the_sizes_of_maps(store: Store) -> None:
    fixed = next(cell.jobs[0] for cell in map_sizes.FIGURE_7.cells(DEMO) if cell.kind == "exact")
    finish(store, fixed, {"map_sizes": [16, 8, 8]})
    assert drawn("figure7", store) is None
    for job in training_jobs(DEMO, "njet-nin", NJET_NIN)[0]:
        finish(store, job, {"map_sizes": [26, 21, 17]})
    figure = drawn("figure7", store)
    assert figure is not None
    (axes,) = figure.axes
    assert list(axes.patches[0].get_data().values) == [16, 8, 8]
    assert [float(value) for value in axes.lines[0].get_ydata()] == [26, 21, 17]
    assert drawn("figure8", store) is None


def test_sigmas_are_drawn_for_the_networks_that_are_there(store: Store) -> None:
    for row in ("njet-nin", "njet-resnet-32"):
        for job in sigmas.trainings(DEMO, row)[0]:
            curve = [{f"sigma_{layer}": 1 + layer * step / 10 for layer in (1, 2, 3)} for step in range(3)]
            finish(store, job, {"sigmas": list(curve[-1].values())}, curve)
    figure = drawn("sigmas", store)
    assert figure is not None
    assert {"NiN", "ResNet-32"} == {axes.get_title("left") for axes in figure.axes} - {""}
    lines = [[float(value) for value in line.get_ydata()] for line in figure.axes[0].lines]
    for layer in (1, 2, 3):
        assert pytest.approx([1, 1 + layer / 10, 1 + layer / 5]) in lines


def test_figure_12_draws_the_filters_of_both_networks(store: Store) -> None:
    for jobs, _ in (training_jobs(DEMO, "nin", NIN), sigmas.trainings(DEMO, "njet-nin")):
        save_model(build_network(jobs[0].network), str(finish(store, jobs[0], {}).weights))
    figure = drawn("figure12", store)
    assert figure is not None
    pictures = [image.get_array().shape for axes in figure.axes for image in axes.images]
    assert pictures.count((5, 5)) == 5 * figure12.FILTERS  # NiN's first two layers, and at sigma = 1 all three N-Jet layers
    assert pictures.count((3, 3)) == figure12.FILTERS


def test_filters_are_those_of_the_weights(tmp_path: Path) -> None:
    network = NiN(10, width=1 / 16, pooling=False, jet=Jet(order=2))
    built = build_network(network)
    layers = [module for module in built.modules() if hasattr(module, "alpha")]
    for layer, scale in zip(layers, (0.0, 1.0, -1.0), strict=True):
        layer.scale.data.fill_(scale)  # type: ignore[union-attr]
    save_model(built, str(tmp_path / "weights.safetensors"))
    job = replace(training_jobs(DEMO, "njet-nin", NJET_NIN)[0][0], network=network)
    found = large_filters(job, tmp_path / "weights.safetensors", 3)
    assert [sigma for sigma, _ in found] == pytest.approx([1.0, 2.0, 0.5])
    assert [{each.shape for each in filters} for _, filters in found] == [{(5, 5)}, {(9, 9)}, {(3, 3)}]
    assert [len(filters) for _, filters in found] == [3, 3, 3]
    plain = large_filters(replace(job, network=replace(network, jet=None)), plain_weights(replace(network, jet=None), tmp_path), 2)
    assert [sigma for sigma, _ in plain] == [0.0] * 3


def plain_weights(network: NiN, folder: Path) -> Path:
    save_model(build_network(network), str(folder / "plain.safetensors"))
    return folder / "plain.safetensors"
