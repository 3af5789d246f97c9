"""Table 4: the network with one path and initial dilation 8 beside published methods, and F of face parts of table 1's baselines."""

from __future__ import annotations

from functools import partial
from typing import Any

from reproduce.papers.adaptive_rf.deviations import helen_deviations
from reproduce.papers.adaptive_rf.helen import training_jobs
from reproduce.papers.adaptive_rf.table1 import BASELINES
from reproduce.papers.common.starts import random_start
from reproduce.table import Cell, Deviation, Setting, Table, metric
from reproduce.verdicts.claims import Claim
from reproduce.verdicts.evidence import Evidence, maximum
from reproduce.verdicts.logic import Finding, all_of

QUOTED = ("liu-9", "smith-16", "liu-10")
INITIAL = 8  # initial dilation; section 4.3.3
PARTS = {"eyes": "f_eyes", "nose": "f_nose", "mouth": "f_mouth", "face": "f_skin"}


def cells(setting: Setting) -> list[Cell]:
    """Map table 4 to jobs of table 1."""
    said: dict[str, Any] = {"caveat": random_start(setting)}
    cells = [Cell(row, "f_score", "published", (), lambda _: None) for row in QUOTED]
    jobs, said["missing"] = training_jobs(setting, INITIAL, inflated=True)
    cells.append(Cell("ours", "f_score", "trained", jobs, partial(metric, "f_score"), **said))
    for dilation in BASELINES:
        jobs, said["missing"] = training_jobs(setting, dilation, inflated=False)
        cells += [Cell(f"baseline-{dilation}", part, "trained", jobs, partial(metric, name), **said) for part, name in PARTS.items()]
    return cells


def _best(evidence: Evidence, dilation: int, *parts: str) -> Finding:
    """Test that the baseline of a dilation exceeds every other baseline in each of the parts."""
    others = [f"baseline-{other}" for other in BASELINES if other != dilation]
    return all_of(*(evidence.greater((f"baseline-{dilation}", part), maximum(*((row, part) for row in others))) for part in parts))


def deviations(setting: Setting) -> list[Deviation]:
    """List the deviations of table 1, and the labels of the parts."""
    parts = Deviation("parts", "Face is the label of facial skin, without ears and neck. Mouth is both lips and the inner mouth, merged.")
    return [*helen_deviations(setting), parts]


CLAIMS = (
    Claim(
        "state-of-the-art",
        "Our method achieves state-of-the-art performance on face parsing task.",
        "caption of table 4",
        "ours exceeds each quoted number; our run is tested only if it is comparable with them, on official data in the profile paper",
        lambda evidence: evidence.greater(("ours", "f_score"), maximum(*((row, "f_score") for row in QUOTED))),
    ),
    Claim(
        "dilation-4-best-eyes",
        "dilation value 4 (best overall performance with the highest eye F-score)",
        "section 4.3.2",
        "the baseline of dilation 4 exceeds every other baseline in F of eyes; table 1 tests the overall F",
        lambda evidence: _best(evidence, 4, "eyes"),
    ),
    Claim(
        "dilation-6-best-nose-and-mouth",
        "6 (the highest nose and mouth F-score)",
        "section 4.3.2",
        "the baseline of dilation 6 exceeds every other baseline in F of nose and in F of mouth",
        lambda evidence: _best(evidence, 6, "nose", "mouth"),
    ),
    Claim(
        "dilation-8-best-face",
        "8 (the highest face F-score)",
        "section 4.3.2",
        "the baseline of dilation 8 exceeds every other baseline in F of face",
        lambda evidence: _best(evidence, 8, "face"),
    ),
)

TABLE = Table("adaptive_rf.table4", cells, CLAIMS, deviations)
