"""A job's identity: moved by whatever changes the result, and by nothing else."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from typing import Any

import pytest

from reproduce import specs
from reproduce.jobs.job import Job, evaluation, from_plain, identity, to_plain
from reproduce.papers.adaptive_rf.specs import AdaptiveVGG, MultiPathVGG
from reproduce.plugins import table
from reproduce.table import Setting

WEIGHTS = specs.Weights("vgg16-397923af.pth", "397923af00", "torchvision VGG-16", official="397923af")
RECIPE = specs.Recipe(10, 2, specs.SGD(1e-7), specs.Steps((5,)), (specs.Group("f", 2.0),), clip_norm=1.0)
JOB = Job(
    specs.Segmentation(),
    "name",
    AdaptiveVGG(11, 8),
    specs.Helen(500, "0123456789abcdef", specs.MadeFaces(1, 2, 3, 4)),
    RECIPE,
    3,
    specs.Start(WEIGHTS, fresh=("norm",), renamed=(("a", "b"),)),
    specs.Inference((0.5, 1.0), tile=64, overlap=8),
)


def changed(value: Any) -> Any:
    """Another value of the same type."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        first = dataclasses.fields(value)[0].name
        return replace(value, **{first: changed(getattr(value, first))})
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return (value[0] + 1, *value[1:]) if value and isinstance(value[0], float) else (*value, 7)
    if value == "RGB":
        return "BGR"
    return value + ("x" if isinstance(value, str) else 1)


def variants(value: Any) -> list[tuple[str, Any, bool]]:
    """Every field of a spec changed, deep down: where, the new spec, and whether that counts."""
    found = []
    for item in dataclasses.fields(value):
        content, counts = getattr(value, item.name), item.metadata.get("identity", True)
        if content is None:
            continue
        if dataclasses.is_dataclass(content):
            found += [
                (f"{item.name}.{where}", replace(value, **{item.name: new}), counts and deep) for where, new, deep in variants(content)
            ]
        else:
            found.append((item.name, replace(value, **{item.name: changed(content)}), counts))
    return found


@pytest.mark.parametrize(("where", "other", "counts"), variants(JOB), ids=[name for name, _, _ in variants(JOB)])
def test_identity_moves_with_each_field_that_counts_and_no_other(where: str, other: Job, counts: bool) -> None:
    assert (other.digest != JOB.digest) == counts, where


def test_what_does_not_count_is_the_name_and_the_runtime() -> None:
    free = {where.partition(".")[0] for where, _, counts in variants(JOB) if not counts}
    assert free == {"slug", "runtime", "start"}
    assert [where for where, _, counts in variants(JOB) if where.startswith("start") and not counts] == ["start.source.official"]


def test_a_parent_counts_by_its_identity() -> None:
    parent = replace(JOB, seed=1)
    child = replace(JOB, start=parent)
    assert child.start == specs.Start(parent)
    assert child.digest != replace(JOB, start=replace(parent, seed=2)).digest
    assert child.digest != replace(JOB, start=specs.Start(parent, fresh=("norm",))).digest
    assert child.digest == replace(JOB, start=replace(parent, slug="renamed")).digest
    assert child.parents == (parent,)


def test_defaults_are_left_out_so_that_a_new_field_keeps_old_runs() -> None:
    assert "precision" not in json.dumps(identity(JOB))
    assert "bf16" in json.dumps(identity(replace(JOB, precision="bf16-mixed")))


PATHS = replace(JOB, network=MultiPathVGG(11, (8, 8), label_sets=((2, 3), ())))


@pytest.mark.parametrize("job", [JOB, replace(JOB, start=replace(JOB, seed=9)), PATHS])
def test_a_job_comes_back_from_its_file(job: Job) -> None:
    assert from_plain(json.loads(json.dumps(to_plain(job)))) == job


def test_start_weights_are_official_by_the_digits_of_the_published_file() -> None:
    assert JOB.start_official
    assert not replace(JOB, start=replace(WEIGHTS, official="")).start_official  # nobody published it
    other = replace(JOB, start=replace(WEIGHTS, sha256="00"))
    assert not other.start_official
    assert not replace(JOB, start=other).start_official
    assert replace(JOB, start=replace(JOB, start=None)).start_official


def test_an_evaluation_has_the_trainings_weights_and_only_what_differs() -> None:
    training = replace(JOB, data=specs.VOC(321), inference=None)
    other = evaluation(training, "eval", inference=specs.Inference(flip=True), dilation=4, evaluate="train")
    assert other.start == specs.Start(training)
    assert (other.recipe, other.slug, other.evaluates, other.trains) == (None, "eval", True, False)
    assert (other.network, other.data) == (replace(training.network, dilation=4), replace(training.data, evaluate="train"))
    assert other.digest not in (training.digest, evaluation(training, "eval", dilation=4, evaluate="train").digest)
    with pytest.raises(ValueError, match="Expected AdaptiveVGG or VOC to have `stride`, but neither has it"):
        evaluation(training, "eval", stride=8)


def test_a_runtime_is_that_of_all_stages() -> None:
    child = replace(JOB, start=replace(JOB, seed=9))
    changed = child.with_runtime(lambda job: {"threads": job.seed})
    assert changed.runtime.threads == 3
    assert changed.parents[0].runtime.threads == 9
    assert changed.digest == child.digest


def test_the_digests_of_the_demo_are_pinned() -> None:
    """A digest that moves orphans every run of every user: change these on purpose only."""
    jobs = {job.name for cell in table("adaptive_rf.table1").cells(Setting("demo")) for job in cell.jobs}
    assert {name for name in jobs if "-8-" in name} == {
        "adaptive-rf-baseline-8-sizes-s0-bb3e6c7e",
        "adaptive-rf-baseline-8-demo-s0-177d9ce4",
        "adaptive-rf-modified-8-demo-s0-e8a89002",
    }
