"""Figure 12: trained filters beside N-Jet filters, and the sigmas of early and of late layers."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

from reproduce import figures
from reproduce.jobs.store import WEIGHTS, Store
from reproduce.papers.njet.deviations import cifar_deviations
from reproduce.papers.njet.sigmas import NETWORKS, trainings
from reproduce.papers.njet.trainings import NIN, training_jobs
from reproduce.table import Cell, Setting, Table, Value
from reproduce.verdicts.claims import Claim
from reproduce.verdicts.evidence import Evidence
from reproduce.verdicts.logic import Finding, all_of, any_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANY = 3  # networks of the five: a majority
FILTERS = 10  # filters drawn per layer


def _mean(part: Callable[[list[float]], list[float]], metrics: Mapping[str, Any]) -> Value:
    return statistics.mean(part(metrics["sigmas"]))


def _earlier(sigmas: list[float]) -> list[float]:
    return sigmas[: len(sigmas) // 2]


def _later(sigmas: list[float]) -> list[float]:
    return sigmas[-(len(sigmas) // 2) :]


def cells(setting: Setting) -> list[Cell]:
    """Map each network's row to the mean sigma of the earlier and of the later half of its layers; a middle layer is in neither."""
    found = []
    for row in NETWORKS:
        jobs, missing = trainings(setting, row)
        found += [
            Cell(row, column, "trained", jobs, partial(_mean, part), missing=missing)
            for column, part in (("earlier", _earlier), ("later", _later))
        ]
    return found


def figure(setting: Setting, store: Store) -> Figure | None:
    """Draw filters of NiN and of N-Jet NiN, layer by layer, from the first seed; return None if its weights are missing."""
    plain, jet = (each[0][0] for each in (training_jobs(setting, "nin", NIN), trainings(setting, "njet-nin")))
    if not all(store.run(job).done and store.run(job).weights.exists() for job in (plain, jet)):
        return None
    from reproduce.papers.njet.drawing import LayerFilters, filters
    from reproduce.papers.njet.filters import large_filters

    halves = [large_filters(job, store.run(job).unchanged(WEIGHTS), FILTERS) for job in (plain, jet)]
    layers = [
        LayerFilters(f"layer {index}", sigma, fixed, learned)
        for index, ((_, fixed), (sigma, learned)) in enumerate(zip(*halves, strict=True), 1)
    ]
    notes = [
        f"NiN: the first {FILTERS} filters of each layer, on its first input channel.",
        figures.caption.of(setting.profile, [plain, jet], store),
    ]
    return filters(layers, notes)


def _deeper_is_wider(evidence: Evidence) -> Finding:
    found = [evidence.greater((row, "later"), (row, "earlier")) for row in NETWORKS]
    return any_of(*(all_of(*some) for some in combinations(found, MANY)))


CLAIMS = (
    Claim(
        "earlier-layers-smaller",
        "in many models earlier layers will converge to smaller sigma values during training (Fig. 12, top), while deeper layers are prone "
        "to learning larger filter sizes (Fig. 12, bottom)",
        "section V",
        f"in at least {MANY} of the {len(NETWORKS)} networks the mean sigma of the later half of the layers exceeds that of the earlier "
        "half",
        _deeper_is_wider,
    ),
)

TABLE = Table("njet.figure12", cells, CLAIMS, partial(cifar_deviations, "figure12"), figure=figure)
