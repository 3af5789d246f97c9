"""Table 3: its networks and label sets against the paper, its jobs without numbers, its sentences on the printed numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from datamodules.layouts import helen
from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.papers.adaptive_rf.helen import PAPER, multi_path
from reproduce.papers.adaptive_rf.specs import MultiPathVGG
from reproduce.papers.adaptive_rf.table3 import CLAIMS, LABEL_SETS
from reproduce.plugins import table
from reproduce.specs import Describe, Helen, Segmentation
from reproduce.table import PROFILES, Setting
from reproduce.verdicts.claims import check_claims
from reproduce.verdicts.compare import compare
from reproduce.verdicts.measured import measure
from reproduce.verdicts.published import load
from reproduce.worker.building import build_network
from reproduce.worker.process import work

TABLE = table("adaptive_rf.table3")


def trainings(profile: str) -> dict[str, Job]:
    return {cell.row_key: job for cell in TABLE.cells(Setting(profile)) for job in cell.jobs if job.task == Segmentation()}  # type: ignore[arg-type]


def test_label_sets_are_the_papers() -> None:
    named = {model: [{helen.CLASSES[label] for label in members} for members in sets] for model, sets in LABEL_SETS.items()}
    eyes_and_brows = {"left eye", "right eye", "left brow", "right brow"}
    nose_mouth_lips = {"nose", "upper lip", "inner mouth", "lower lip"}
    assert named == {"bipath": [eyes_and_brows, set()], "tripath": [eyes_and_brows, nose_mouth_lips, set()]}


def test_the_paper_profile_is_the_published_networks_in_the_published_recipe() -> None:
    jobs = trainings("paper")
    networks = {row: job.network for row, job in jobs.items()}
    assert networks["baseline-bipath"] == MultiPathVGG(11, (4, 6), 4, inflated=False, norm=False)
    assert networks["baseline-tripath"] == MultiPathVGG(11, (4, 6, 8), 4, inflated=False, norm=False)
    bipath = MultiPathVGG(11, (8, 8), 4, label_sets=LABEL_SETS["bipath"])
    assert networks["modified-bipath"] == bipath
    assert bipath.gradient_weight == 1.2
    assert networks["modified-tripath"] == MultiPathVGG(11, (8, 8, 8), 4, label_sets=LABEL_SETS["tripath"])
    assert {job.recipe for job in jobs.values()} == {PAPER.recipe}


def test_a_pair_of_shrunk_rows_differs_by_dilations_inflation_and_guidance_alone() -> None:
    for profile in ("small", "demo"):
        jobs = trainings(profile)
        for model in LABEL_SETS:
            baseline, modified = jobs[f"baseline-{model}"], jobs[f"modified-{model}"]
            assert isinstance(modified.network, MultiPathVGG)
            own = {name: getattr(modified.network, name) for name in ("path_dilations", "inflated", "label_sets")}
            assert replace(baseline, slug="", network=replace(baseline.network, **own)) == replace(modified, slug="")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_job_builds_on_meta_tensors_at_its_own_size(profile: str) -> None:
    jobs = trainings(profile)
    assert len(jobs) == 4
    for row, job in jobs.items():
        assert isinstance(job.data, Helen)
        with torch.device("meta"):
            network = build_network(job.network)
            features = network.norm(network.features(torch.zeros(2, 3, job.data.size, job.data.size)))
            assert features.shape[-2:] == (62, 62)
            # f is a number that meta tensors lack; at its start, 1, the scores have the features' size.
            assert [path.head(features).shape for path in network.paths] == [(2, 11, 62, 62)] * (3 if "tripath" in row else 2)


def test_the_job_of_sizes_has_a_receptive_field_a_path(tmp_path: Path) -> None:
    for network, fields in (
        (multi_path(PAPER.network, (4, 6), norm=False), [308, 356]),
        (multi_path(PAPER.network, (8, 8), norm=True, label_sets=LABEL_SETS["bipath"]), None),
    ):
        run = Store(tmp_path).prepare(Job(Describe(), "sizes", network))
        assert work(run.folder) == 0
        assert run.result is not None
        metrics = run.result["metrics"]
        assert (metrics["receptive_field"], metrics["pool5_receptive_field"], metrics["stride"]) == (fields, 212, 8)


def test_claims_on_the_printed_numbers(tmp_path: Path) -> None:
    """Paths 2 and 3 of the printed tri-path network see the same 396 pixels."""
    published = load(TABLE.id)
    measured = measure(TABLE.cells(Setting("demo")), Store(tmp_path), "demo", "run")
    results = {result["id"]: result for result in check_claims(CLAIMS, published, compare(published, measured))}
    assert {id: result["printed"] for id, result in results.items()} == {
        "superior-to-manual": "yes",
        "guidance-breaks-symmetry": "yes",
        "discriminative-receptive-fields": "no",
        "smaller-parts-greater-f": "yes",
    }
    assert {result["holds"] for result in results.values()} == {"not tested"}
    assert (
        "modified-tripath rf_fc6_learned[2] 396 <= modified-tripath rf_fc6_learned[1] 396"
        in (results["discriminative-receptive-fields"]["reason"])
    )


def test_the_printed_receptive_fields_follow_from_the_printed_f(tmp_path: Path) -> None:
    published = load(TABLE.id)
    cells = compare(published, measure(TABLE.cells(Setting("demo")), Store(tmp_path), "demo", "run"))
    audited = [cell for cell in cells if cell.column == "rf_fc6" and cell.row_key.startswith("modified")]
    assert [(cell.mean, cell.verdict) for cell in audited] == [([268, 372], "exact"), ([340, 396, 396], "exact")]


def test_deviations_name_what_section_3_leaves_open() -> None:
    for profile in PROFILES:
        texts = {deviation.id: deviation.text for deviation in TABLE.deviations(Setting(profile))}  # type: ignore[arg-type]
        assert {"shared-norm", "equal-starts", "path-order", "lips"} <= texts.keys()
        if profile == "paper":
            assert "dropout" in texts
        else:
            assert "guidance" in texts[f"{profile}-baseline-norm"]
