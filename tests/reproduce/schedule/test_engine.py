"""The engine with launchers that only pretend: order, skipping, retries, adoption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reproduce.jobs.job import Job, in_order
from reproduce.jobs.result import EMPTY
from reproduce.jobs.store import Run, Store
from reproduce.papers.adaptive_rf.specs import StepCost
from reproduce.schedule.engine import Status, run


class Pretending:
    """Ends every submitted job at the next look, as `outcome` says: a result, an error, or nothing."""

    def __init__(self, slots: int = 2, outcome: Callable[[Run], None] = lambda run: run.finish(EMPTY)) -> None:
        self.slots, self.outcome = slots, outcome
        self.order: list[str] = []
        self.pending: list[Path] = []
        self.most, self.stopped = 0, False

    def submit(self, folder: Path) -> None:
        self.order.append(folder.name)
        self.pending.append(folder)

    def active(self) -> set[str]:
        self.most = max(self.most, len(self.pending))
        for folder in self.pending:
            self.outcome(Run(folder))
        self.pending.clear()
        return set()

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reproduce.schedule.engine.POLL_SECONDS", 0.0)


def phases(statuses: list[Status]) -> list[str]:
    return [status.phase for status in statuses]


def test_what_is_needed_comes_first_and_once(store: Store, tiny: Callable[..., Job]) -> None:
    parent = tiny(seed=1)
    children = [tiny(seed=seed, start=parent) for seed in (2, 3)]
    launcher = Pretending()
    assert phases(run([*children, parent, children[0]], store, launcher)) == ["done"] * 3
    assert launcher.order == [parent.name, children[0].name, children[1].name]
    assert in_order([children[0]]) == [parent, children[0]]


def test_a_job_with_two_runtimes_is_one_and_with_two_slugs_is_two(store: Store, tiny: Callable[..., Job]) -> None:
    """A user's own row may be a published one under another name: each has a run folder, and its own children."""
    parent, elsewhere, renamed = tiny(seed=1), tiny(seed=1, threads=2), tiny(seed=1, slug="own")
    children = [tiny(seed=2, start=parent), tiny(seed=3, start=elsewhere), tiny(seed=4, start=renamed)]
    expected = [parent.name, children[0].name, children[1].name, renamed.name, children[2].name]
    assert [job.name for job in in_order([*children, elsewhere])] == expected
    assert phases(run(children, store, Pretending())) == ["done"] * 5


def test_no_more_jobs_at_a_time_than_slots(store: Store, tiny: Callable[..., Job]) -> None:
    launcher = Pretending(slots=2)
    run([tiny(seed=seed) for seed in range(7)], store, launcher)
    assert launcher.most == 2


class Together(Pretending):
    """Lets jobs run for two looks, and keeps which ran beside each other."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self.looks: dict[Path, int] = {}
        self.seen: list[set[str]] = []

    def submit(self, folder: Path) -> None:
        self.order.append(folder.name)
        self.looks[folder] = 0

    def active(self) -> set[str]:
        if self.looks:
            self.seen.append({folder.name for folder in self.looks})
        for folder in list(self.looks):
            self.looks[folder] += 1
            if self.looks[folder] == 3:
                Run(folder).finish(EMPTY)
                del self.looks[folder]
        return {folder.name for folder in self.looks}


def test_nothing_runs_beside_an_exclusive_job_and_nothing_waits_for_it_in_vain(store: Store, tiny: Callable[..., Job]) -> None:
    parent = tiny(seed=1)
    exclusive = [tiny(seed=seed, task=StepCost((0.5, 1.0), 2)) for seed in (5, 6)]
    others = [parent, tiny(seed=2), tiny(seed=3), tiny(seed=4, start=parent)]
    launcher = Together(slots=3)
    assert phases(run([*exclusive, *others], store, launcher)) == ["done"] * 6
    for job in exclusive:
        assert [seen for seen in launcher.seen if job.name in seen] == [{job.name}] * 3
    assert launcher.order[-2:] == [job.name for job in exclusive]
    assert max(map(len, launcher.seen)) == 3


def test_what_needs_an_exclusive_job_runs_after_it(store: Store, tiny: Callable[..., Job]) -> None:
    exclusive = tiny(seed=1, task=StepCost((0.5, 1.0), 2))
    launcher = Together(slots=3)
    assert phases(run([tiny(seed=2, start=exclusive), tiny(seed=3)], store, launcher)) == ["done"] * 3
    assert launcher.order == [tiny(seed=3).name, exclusive.name, tiny(seed=2, start=exclusive).name]


def test_what_is_done_is_not_run_again(store: Store, tiny: Callable[..., Job]) -> None:
    jobs = [tiny(seed=seed) for seed in range(3)]
    store.prepare(jobs[1]).finish(EMPTY)
    launcher = Pretending()
    run(jobs, store, launcher)
    assert jobs[1].name not in launcher.order


def test_a_failure_costs_its_own_cell_and_what_needs_it(store: Store, tiny: Callable[..., Job]) -> None:
    bad, good = tiny(seed=1), tiny(seed=2)
    child = tiny(seed=3, start=bad)
    fail = Pretending(outcome=lambda run: run.fail("no memory", "") if run.name == bad.name else run.finish(EMPTY))
    statuses = {status.job.name: status for status in run([bad, good, child], store, fail)}
    assert [statuses[job.name].phase for job in (bad, good, child)] == ["failed", "done", "blocked"]
    assert statuses[bad.name].reason == "no memory"
    assert fail.order.count(bad.name) == 1
    # The next command tries again.
    (store.run(bad).folder / "error.json").unlink()
    assert phases(run([child], store, Pretending())) == ["done", "done"]


def test_a_process_that_dies_silently_is_a_failure(store: Store, tiny: Callable[..., Job]) -> None:
    (status,) = run([tiny()], store, Pretending(outcome=lambda run: None))
    assert status.phase == "failed"
    assert "log.txt" in status.reason


def test_a_job_of_another_command_is_waited_for_and_taken_over(store: Store, tiny: Callable[..., Job]) -> None:
    job = tiny()
    lock = store.prepare(job).lock()
    lock.__enter__()
    seen: list[str] = []

    def watch(statuses: list[Status]) -> None:
        seen.append(statuses[0].phase)
        if len(seen) == 3:
            lock.__exit__(None, None, None)  # the other process dies

    launcher = Pretending()
    assert phases(run([job], store, launcher, watch)) == ["done"]
    assert seen[:3] == ["elsewhere"] * 3
    assert launcher.order == [job.name]


def test_ctrl_c_ends_the_jobs(store: Store, tiny: Callable[..., Job]) -> None:
    def interrupt(_: list[Status]) -> None:
        raise KeyboardInterrupt

    launcher = Pretending()
    with pytest.raises(KeyboardInterrupt):
        run([tiny()], store, launcher, interrupt)
    assert launcher.stopped


def test_a_stop_that_was_asked_for_is_no_failure(store: Store, tiny: Callable[..., Job]) -> None:
    job = tiny(stop_after=2)

    def stop(run: Run) -> None:
        (run.folder / "progress.json").write_text('{"stage": "train", "step": 2, "steps": 55000}')

    (status,) = run([replace(job)], store, Pretending(outcome=stop))
    assert (status.phase, status.reason) == ("stopped", "2 of 55,000 steps")


def test_each_job_is_looked_at_a_few_times_however_many_there_are(
    store: Store, monkeypatch: pytest.MonkeyPatch, tiny: Callable[..., Job]
) -> None:
    """Scheduling must not grow with the square of the number of jobs; benchmarks/scheduling.py measures what it costs."""
    looks = 0
    state = Run.state.fget
    assert state is not None

    def counted(run: Run) -> str:
        nonlocal looks
        looks += 1
        return str(state(run))

    monkeypatch.setattr(Run, "state", property(counted))
    first = tiny(seed=0)
    jobs = [first, *(tiny(seed=seed, start=first if seed % 2 else None) for seed in range(1, 300))]
    assert phases(run(jobs, store, Pretending(slots=4))) == ["done"] * 300
    assert looks <= 2 * len(jobs)


def test_a_child_of_a_finished_job_is_started_once(store: Store, tiny: Callable[..., Job]) -> None:
    """A second process would find the lock held, but Ctrl-C would miss it, and the launcher lose count of its slots."""
    parent = tiny(seed=1)
    store.prepare(parent).finish(EMPTY)
    children = [tiny(seed=seed, start=parent) for seed in (2, 3, 4)]
    launcher = Together(slots=3)
    assert phases(run([*children, parent], store, launcher)) == ["done"] * 4
    assert sorted(launcher.order) == sorted(child.name for child in children)


def test_what_a_finished_job_needed_is_not_run_again(store: Store, tiny: Callable[..., Job]) -> None:
    parent = tiny(seed=1)
    child = tiny(seed=2, start=parent)
    store.prepare(child).finish(EMPTY)  # as after its parent's folder was removed
    launcher = Pretending()
    statuses = run([child, tiny(seed=3)], store, launcher)
    assert [status.job.name for status in statuses] == [child.name, tiny(seed=3).name]
    assert launcher.order == [tiny(seed=3).name]
    grandchild = tiny(seed=4, start=child)
    assert phases(run([grandchild], store, launcher)) == ["done", "done"]
    assert launcher.order[1:] == [grandchild.name]


def stop_at_2(run: Run) -> None:
    (run.folder / "progress.json").write_text('{"stage": "train", "step": 2, "steps": 12}')


def test_stages_after_a_stop_that_was_asked_for_are_tried_too(store: Store, tiny: Callable[..., Job]) -> None:
    parent = tiny(seed=1, stop_after=2)
    child = tiny(seed=2, start=parent, stop_after=2)
    last = tiny(seed=3, start=child)  # which is not to be stopped: it would give a result
    launcher = Pretending(outcome=stop_at_2)
    statuses = {status.job.name: status for status in run([last, child], store, launcher)}
    assert [statuses[job.name].phase for job in (parent, child, last)] == ["stopped", "stopped", "blocked"]
    assert launcher.order == [parent.name, child.name]
