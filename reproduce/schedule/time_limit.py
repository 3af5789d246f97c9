"""A command's time limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from reproduce.jobs.job import Job

MOST_GRACE = 60.0  # seconds to end running jobs in: a step and a checkpoint


@dataclass
class TimeLimit:
    """How long a command may take.

    A job is refused where its forecast goes beyond what is left. One that no whole limit could hold is begun all the same: it is resumable,
    and would never be done otherwise. So is one of which nothing is known.

    Args:
        seconds: from now on.
        forecast: seconds that a job still takes, or None where nobody knows.
    """

    seconds: float
    forecast: Callable[[Job], float | None] = lambda _: None
    begun: float = field(default_factory=time.monotonic)
    used: bool = False

    @property
    def left(self) -> float:
        """Seconds until running jobs are to be ended: a little before the limit."""
        return self.begun + self.seconds - min(MOST_GRACE, 0.1 * self.seconds) - time.monotonic()

    @property
    def reached(self) -> bool:
        """Whether running jobs are to be ended."""
        over = self.left <= 0
        self.used |= over
        return over

    def refuses(self, job: Job) -> bool:
        """Whether a job is not to be begun."""
        seconds = self.forecast(job)
        refused = seconds is not None and self.left < seconds <= self.seconds
        self.used |= refused
        return refused
