"""A command's time limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from reproduce.jobs.job import Job

MOST_GRACE = 60.0  # seconds for running jobs to finish a step and write a checkpoint


@dataclass
class TimeLimit:
    """Time limit of a command.

    A job does not start if its forecast exceeds the remaining time. A job that is longer than the whole limit starts anyway: it can be
    resumed, and would otherwise never finish. A job without a forecast starts too.

    Args:
        seconds: Seconds from now on.
        forecast: Function that returns the remaining seconds of a job, or None if they are unknown.
    """

    seconds: float
    forecast: Callable[[Job], float | None] | None = None
    begun: float = field(default_factory=time.monotonic)
    used: bool = False

    @property
    def left(self) -> float:
        """Seconds until running jobs are stopped, a little before the limit."""
        return self.begun + self.seconds - min(MOST_GRACE, 0.1 * self.seconds) - time.monotonic()

    @property
    def reached(self) -> bool:
        """Whether running jobs must be stopped."""
        over = self.left <= 0
        self.used |= over
        return over

    def refuses(self, job: Job) -> bool:
        """Return whether a job must not start."""
        seconds = self.forecast(job) if self.forecast is not None else None
        refused = seconds is not None and self.left < seconds <= self.seconds
        self.used |= refused
        return refused
