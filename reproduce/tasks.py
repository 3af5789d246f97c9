"""What a worker does for each task of a job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reproduce import cost, speed, training
from reproduce.job import Job
from reproduce.mirror import Mirror
from reproduce.store import Run, Store

TASKS: dict[str, Callable[[Job, Run, Store, Mirror], dict[str, Any] | None]] = {
    "segmentation": training.train,
    "classification": training.train,
    "describe": training.describe,
    "cost": cost.cost,
    "speed": speed.speed,
}
