"""Caption of a figure about the runs that it is drawn from."""

from __future__ import annotations

from collections.abc import Iterable

from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.verdicts.measured import described, measured_on


def of(profile: str, jobs: Iterable[Job], store: Store) -> str:
    """Return the profile, data, seeds and devices of finished jobs, as in a table's header."""
    jobs = list(jobs)
    results = [result for job in jobs if (result := store.run(job).result) is not None]
    data = dict.fromkeys(described(result.get("data") or {}) for result in results)
    devices = dict.fromkeys(result["provenance"]["device"] for result in results)
    return measured_on(profile, "; ".join(data), sorted({job.seed for job in jobs}), "; ".join(devices))
