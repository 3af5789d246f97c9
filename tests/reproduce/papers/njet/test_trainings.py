"""The trainings behind the tables: the published recipe, what tables share, what is missing without data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules.layouts.images import SETS
from datamodules.synthetic_images import write_images
from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.papers.njet import sigmas, table2, table3, table4, trainings
from reproduce.papers.njet.specs import Jet, NiN, ToyCNN
from reproduce.papers.njet.trainings import CLASSES, NIN, shrunk
from reproduce.plugins import tables
from reproduce.specs import SGD, Classification, Images, Speed, Start, Steps
from reproduce.table import PROFILES, Setting, Table
from reproduce.verdicts.measured import measure
from reproduce.worker.building import build_network

NJET: dict[str, Table] = tables("njet")
PAPER = Setting("paper")


def jobs(id: str, setting: Setting = PAPER) -> dict[tuple[str, str], tuple[Job, ...]]:
    """The jobs of a table by row and column."""
    return {(cell.row_key, cell.column): cell.jobs for cell in NJET[f"njet.{id}"].cells(setting)}


def names(*ids: str, setting: Setting = PAPER) -> set[str]:
    """Names of the trainings of tables."""
    return {job.name for id in ids for each in jobs(id, setting).values() for job in each if job.task == Classification()}


def test_the_paper_profile_is_the_recipe_of_the_authors_code() -> None:
    (job,) = jobs("table3")["njet-nin", "cifar10"]
    recipe, epoch = job.recipe, 391  # batches of 128, the last one smaller
    assert recipe is not None
    assert (recipe.steps, recipe.batch_size, recipe.milestones) == (90 * epoch, 128, (30 * epoch, 60 * epoch))
    assert recipe.optimizer == SGD(0.1, momentum=0.9, weight_decay=5e-4)
    assert recipe.schedule == Steps(recipe.milestones, gamma=0.1)
    assert job.data == Images("cifar10", padding=4, flip=True)
    assert job.network == NiN(10, filter_sizes=(5, 5, 3), pooling=False, jet=Jet(order=3, sigma=1.0, k=2.0, subsampling=4.0))
    (svhn,) = jobs("table3")["nin", "svhn"]
    assert svhn.data == Images("svhn")
    assert svhn.recipe is not None
    assert svhn.recipe.steps == 90 * 573
    assert {name: len(SETS[name].classes) for name in CLASSES} == CLASSES
    assert {name: SETS[name].official["train"] for name in trainings.TRAINING_PICTURES} == trainings.TRAINING_PICTURES


def test_the_row_of_the_code_has_the_codes_rules_and_nothing_else() -> None:
    (code,), (paper,) = (jobs("table3")[row, "cifar10"] for row in ("njet-nin-code", "njet-nin"))
    assert isinstance(code.network, NiN)
    assert code.network.jet is not None
    assert (code.network.jet.half_size_rule, code.network.jet.subsampling, code.network.jet.normalized) == ("code", None, True)
    jet = replace(code.network.jet, half_size_rule="paper", subsampling=4.0, normalized=False)
    assert replace(code, slug="", network=replace(code.network, jet=jet)) == replace(paper, slug="")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("id", sorted(NJET))
def test_every_job_builds_on_meta_tensors_and_sees_its_pictures(id: str, profile: str) -> None:
    found = {job.network: job for cell in NJET[id].cells(Setting(profile)) for job in cell.jobs}  # type: ignore[arg-type]
    assert found
    for network, job in found.items():
        channels, height, width = (3, 32, 32) if job.data is None else shape(job)
        with torch.device("meta"):
            built = build_network(network)
            built.eval()
            assert built(torch.zeros(2, channels, height, width)).shape == (2, network.num_classes)


def shape(job: Job) -> tuple[int, int, int]:
    data = job.data
    assert isinstance(data, Images)
    channels, height, width = SETS[data.dataset].shape
    return channels, round(data.scale * height), round(data.scale * width)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_slug_names_one_training(profile: str) -> None:
    setting = Setting(profile, seeds=2)  # type: ignore[arg-type]
    found: dict[tuple[str, int], Job] = {}
    for id in NJET:
        for cell in NJET[id].cells(setting):
            for job in cell.jobs:
                assert found.setdefault((job.slug, job.seed), job).digest == job.digest
    assert len({job.digest for job in found.values()}) == len(found)  # and a training has one name


@pytest.mark.parametrize("profile", PROFILES)
def test_what_tables_share_is_trained_once(profile: str) -> None:
    setting = Setting(profile, seeds=2)  # type: ignore[arg-type]
    assert jobs("table2", setting)["r-4", "accuracy"] == jobs("table3", setting)["njet-nin", "cifar10"]
    assert jobs("figure6", setting)["5-5-3", "subsampled"] == jobs("table3", setting)["nin", "cifar10"]
    assert jobs("speed", setting)["njet-nin-learned", "ratio"] == jobs("table2", setting)["r-4", "seconds"]
    trained = names("table2", "table3", "table4", setting=setting)
    assert names("figure7", "figure8", "figure12", "sigmas", "speed", setting=setting) <= trained
    parents = {parent.name for each in jobs("speed", setting).values() for job in each for parent in job.parents}
    assert parents == {job.name for job in jobs("table3", setting)["njet-nin", "cifar10"]}
    # What is not shared: tables I and V, figure 5, and three filter sizes and one network without poolings of figure 6.
    assert not names("table1", "table5", "figure5", setting=setting) & trained
    assert len(names("figure6", setting=setting) - trained) == 2 * 7


def test_a_shrunk_pair_differs_by_its_layers_alone() -> None:
    for profile in ("small", "demo"):
        setting = Setting(profile)  # type: ignore[arg-type]
        for row in table4.PAIRS:
            for dataset in table4.SETS:
                (plain,), (jet,) = (jobs("table4", setting)[name, dataset] for name in (row, f"njet-{row}"))
                network: Any = jet.network
                assert isinstance(network.jet, Jet)
                flat = replace(network, jet=None, **({"strided": True} if row == "all-cnn" else {}))
                assert replace(jet, slug="", network=flat) == replace(plain, slug="")


def test_every_profile_is_smaller_than_the_one_before() -> None:
    for row in (*table4.PAIRS, "njet-nin"):
        found = [jobs("table3" if row == "njet-nin" else "table4", Setting(profile))[row, "cifar10"][0] for profile in PROFILES]
        counts = []
        for job in found:
            with torch.device("meta"):
                counts.append(sum(parameter.numel() for parameter in build_network(job.network).parameters()))
        assert counts[0] > counts[1] > counts[2]
        steps = [job.recipe.steps for job in found if job.recipe]
        assert steps[0] > steps[1] > steps[2]
        falls = [[fall / job.recipe.steps for fall in job.recipe.milestones] for job in found if job.recipe]
        assert falls == [pytest.approx([1 / 3, 2 / 3], abs=0.01)] * 3


def test_the_learning_of_sigma_is_what_table_1_lacks() -> None:
    for (row, column), (job,) in jobs("table1").items():
        network = job.network
        assert isinstance(network, NiN)
        assert network.jet is not None
        assert not network.jet.learn_sigma
        assert network.jet.sigma == float(row.removeprefix("sigma-"))
        assert (network.pooling, network.jet.subsampling) == ((True, None) if column == "baseline" else (False, 4.0))
    assert all(job.network.jet.learn_sigma for job in jobs("table2")["r-2", "accuracy"])  # type: ignore[union-attr]


def test_toys_are_told_apart_by_one_thing_each() -> None:
    found = {row: job.network for (row, column), (job,) in jobs("table5").items() if column == "x1"}
    assert len(set(found.values())) == len(found) == 12
    for row, network in found.items():
        assert isinstance(network, ToyCNN)
        assert network.layers == int(row[-1])
        assert network.channels == 32
    assert {job.data.scale for each in jobs("table5").values() for job in each if isinstance(job.data, Images)} == {1.0, 4.0}
    assert {job.data.scale for each in jobs("figure5").values() for job in each if isinstance(job.data, Images)} == {1.0, 1.5, 2.0}


def test_figure_5_has_three_seeds_at_least() -> None:
    for asked, seeds in ((1, 3), (2, 3), (5, 5)):
        assert {len(each) for each in jobs("figure5", Setting("demo", asked)).values()} == {seeds}
    assert {len(each) for each in jobs("table5", Setting("demo", 1)).values()} == {1}


def test_speed_is_measured_with_what_was_trained(tmp_path: Path) -> None:
    setting = Setting("small", seeds=3, runtime=replace(Setting("small").runtime, cache=str(tmp_path)))
    learned = jobs("speed", setting)["njet-nin-learned", "seconds"]
    assert [job.seed for job in learned] == [0, 1, 2]
    assert all(job.exclusive for job in learned)
    for job in learned:
        (parent,) = job.parents
        assert job.start == Start(parent)
        assert (parent.seed, parent.network) == (job.seed, job.network)
        assert job.task == Speed(shrunk(NIN, "small"), (3, 32, 32))
    for row in ("njet-nin", "njet-nin-dense", "njet-nin-pooling"):
        assert all(job.start is None for job in jobs("speed", setting)[row, "ratio"])
    assert [cell.jobs for cell in table2.cells(setting) if cell.column == "ratio"][1] == learned


def test_with_digits_alone_digits_are_trained_on_and_the_rest_says_what_it_needs(tmp_path: Path) -> None:
    write_images(tmp_path, "mnist", train=20, test=10, seed=0)
    setting = Setting("small", data_root=tmp_path)
    for id in ("figure5", "table5"):
        cells = NJET[f"njet.{id}"].cells(setting)
        assert {cell.missing for cell in cells} == {""}
        assert all(isinstance(job.data, Images) and len(job.data.fingerprint) == 16 for cell in cells for job in cell.jobs)
    for cell in table3.TABLE.cells(setting):
        title = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "svhn": "SVHN"}[cell.column]
        assert cell.missing.startswith(f"{title} is missing: {tmp_path}")
        assert f", from the page of {title}," in cell.missing
    line = measure(table3.TABLE.cells(setting)[:1], Store(tmp_path / "runs"), "small", "run")[0]
    assert (line.state, line.reason) == ("todo", table3.TABLE.cells(setting)[0].missing)
    nowhere = {cell.missing for cell in NJET["njet.table5"].cells(Setting("small"))}
    assert nowhere == {"needs MNIST: name the folder of the data sets by --data-root or REPRODUCE_DATA"}


def test_demos_need_no_data() -> None:
    for id in NJET:
        assert {cell.missing for cell in NJET[id].cells(Setting("demo"))} == {""}


def test_every_network_of_the_comparison_is_one_of_tables_3_and_4() -> None:
    assert {row for row, _ in jobs("sigmas")} == set(sigmas.NETWORKS)
    for row, (_, network) in sigmas.NETWORKS.items():
        owner = "table3" if row == "njet-nin" else "table4"
        assert jobs("sigmas")[row, "sigmas"] == jobs(owner)[row, "cifar10"]
        assert jobs("sigmas")[row, "sigmas"][0].network == network
