"""Our own comparison: f trained with equation 11, as in the paper, against f trained with the true derivative of the loss."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from reproduce.papers.adaptive_rf.deviations import helen_deviations
from reproduce.papers.adaptive_rf.helen import SCALES, STRIDES, training_jobs
from reproduce.papers.common.starts import random_start
from reproduce.table import Cell, Deviation, Setting, Table, Value, metric
from reproduce.verdicts.claims import Claim
from reproduce.verdicts.logic import all_of

DILATIONS = (2, 8, 12)  # initial dilations, from table 1
GRADIENTS = {"equation-11": "equation 11", "true": "true"}  # start of a row's key: argument of the network
SEEDS, MORE_SEEDS = 3, "one seed says nothing about where f ends"  # at least, and why
SHARES = ("inflation", "interpolation")


def _share(name: str, over: Callable[[list[float]], float], metrics: Mapping[str, Any]) -> Value | None:
    """Reduce a layer's share of the gradient of f over a training to a number; return None if fewer than two finite values were logged."""
    values = [value for line in metrics["curve"] if (value := line.get(f"trajectory/gradient_{name}")) is not None and math.isfinite(value)]
    return over(values) if len(values) > 1 else None


def cells(setting: Setting) -> list[Cell]:
    """Map the rows to trainings of table 1's modified networks with each gradient; with equation 11 they are table 1's own jobs."""
    setting = replace(setting, seeds=max(SEEDS, setting.seeds))
    found = []
    for dilation in DILATIONS:
        for key, gradient in GRADIENTS.items():
            jobs, missing = training_jobs(setting, dilation, inflated=True, gradient=gradient)
            row = f"{key}-{dilation}"
            said: dict[str, Any] = {"missing": missing, "caveat": random_start(setting)}
            found += [Cell(row, name, "trained", jobs, partial(metric, name), **said) for name in ("f", "f_score")]
            for share in SHARES:
                mean, spread = partial(_share, share, statistics.fmean), partial(_share, share, statistics.stdev)
                found.append(Cell(row, share, "trained", jobs, mean, curve=True, **said))
                found.append(Cell(row, f"{share}_spread", "trained", jobs, spread, curve=True, **said))
    return found


def deviations(setting: Setting) -> list[Deviation]:
    """List the deviations of table 1, and the divisor of the true derivative."""
    stride = STRIDES[setting.profile]
    texts = {
        "true-gradient": (
            "The true derivative of the summed loss is divided by the number of pixels of the image, like the second line of equation 11. "
            f"But equation 11 divides the inflation layer's share by the number of that layer's cells, which is about ({stride} / f)^2 "
            f"times smaller at this stride of {stride}. The rate of f is the same for both. So the two inflation shares cannot be compared "
            "directly."
        ),
        "seeds": f"At least {SEEDS} seeds run, even if fewer are asked for: {MORE_SEEDS}.",
        "shares": (
            f"Mean and spread of a share are over the logged steps of one training, every {SCALES[setting.profile].log_every}th step, "
            "before clipping. The spread over seeds stands beside them."
        ),
    }
    return [*(Deviation(id, text) for id, text in texts.items()), *helen_deviations(setting)]


CLAIMS = (
    Claim(
        "dilation-2-keeps-f-above-1",
        "the network will try to keep it larger than 1 (see line 'dilation 2')",
        "section 5.1",
        "f exceeds 1 from an initial dilation of 2, with either gradient",
        lambda evidence: all_of(*(evidence.greater((f"{key}-2", "f"), 1.0) for key in GRADIENTS)),
    ),
    Claim(
        "larger-start-greater-f",
        "using extremely greater initial dilations requires learning greater f",
        "section 5.1",
        "with either gradient, f from an initial dilation of 12 exceeds f from an initial dilation of 2",
        lambda evidence: all_of(*(evidence.greater((f"{key}-12", "f"), (f"{key}-2", "f")) for key in GRADIENTS)),
    ),
)

TABLE = Table("adaptive_rf.gradient", cells, CLAIMS, deviations, more_seeds=MORE_SEEDS)
