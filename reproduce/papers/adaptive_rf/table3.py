"""Table 3: networks of two and three paths on Helen, with dilations chosen by hand and with learned receptive fields."""

from __future__ import annotations

from functools import partial
from itertools import combinations, pairwise

from datamodules.layouts import helen
from reproduce.papers.adaptive_rf.deviations import helen_deviations
from reproduce.papers.adaptive_rf.helen import KERNEL_SIZE, PAPER, REVISION, multi_path, multi_path_jobs
from reproduce.papers.adaptive_rf.sweep import baseline_cells, modified_cells
from reproduce.papers.adaptive_rf.table1 import beside
from reproduce.table import Cell, Deviation, Setting, Table, metric
from reproduce.verdicts.claims import Claim
from reproduce.verdicts.evidence import Evidence
from reproduce.verdicts.logic import Finding, all_of

BASELINES = {"bipath": (4, 6), "tripath": (4, 6, 8)}  # dilations; section 4.3.2
INITIAL = 8  # dilation of every path that learns its receptive field; section 4.3.2
_PARTS = helen.PARTS
SMALL, MIDDLE = (*_PARTS["eyes"], *_PARTS["brows"]), (*_PARTS["nose"], *_PARTS["mouth"])
LABEL_SETS = {"bipath": (SMALL, ()), "tripath": (SMALL, MIDDLE, ())}  # section 3.4


def cells(setting: Setting) -> list[Cell]:
    """Map table 3 to jobs."""
    score = Cell("", "f_score", "trained", (), partial(metric, "f_score"), metric="f_score")
    baselines = [
        (f"baseline-{model}", multi_path(PAPER.network, dilations, norm=False), multi_path_jobs(setting, f"baseline-{model}", dilations))
        for model, dilations in BASELINES.items()
    ]
    modified = [
        (f"modified-{model}", INITIAL, multi_path_jobs(setting, f"modified-{model}", (INITIAL,) * len(label_sets), label_sets))
        for model, label_sets in LABEL_SETS.items()
    ]
    return [
        *baseline_cells(setting, "adaptive-rf", REVISION, score, baselines),
        *modified_cells(setting, "adaptive_rf.table3", KERNEL_SIZE, score, modified),
    ]


def _members(model: str, column: str) -> list[tuple[str, str]]:
    return [(f"modified-{model}", f"{column}[{path}]") for path in range(len(LABEL_SETS[model]))]


def _all_differ(evidence: Evidence, column: str) -> Finding:
    """Test that any two paths of a network differ."""
    return all_of(*(evidence.differ(a, b) for model in LABEL_SETS for a, b in combinations(_members(model, column), 2)))


def _all_fall(evidence: Evidence, column: str) -> Finding:
    """Test that the number falls from each path of a network to the next."""
    return all_of(*(evidence.greater(a, b) for model in LABEL_SETS for a, b in pairwise(_members(model, column))))


CLAIMS = (
    Claim(
        "superior-to-manual",
        "the proposed method is able to obtain better receptive field for each parallel with superior performance than the manually "
        "designed network",
        "section 4.3.2",
        "the modified bi-path and tri-path networks each exceed their baseline",
        lambda evidence: all_of(
            *(evidence.greater((f"modified-{model}", "f_score"), (f"baseline-{model}", "f_score")) for model in BASELINES)
        ),
    ),
    Claim(
        "guidance-breaks-symmetry",
        "the loss guidance manages to break symmetry in network structure and learn discriminative features",
        "section 4.3.2",
        "any two paths of a modified network differ in f",
        lambda evidence: _all_differ(evidence, "f"),
    ),
    Claim(
        "discriminative-receptive-fields",
        "induce each branch to focus on different label, scales and thus lead to obtain discriminative receptive fields",
        "section 3.4",
        "any two paths of a modified network differ in their receptive field",
        lambda evidence: _all_differ(evidence, "rf_fc6_learned"),
    ),
    Claim(
        "smaller-parts-greater-f",
        "The set S contains labels that have similar sizes. (...) Such weighted gradients will induce each branch to focus on different "
        "label, scales",
        "section 3.4",
        "our inference, as the paper names no direction: f falls as the parts of the label set grow, and is smallest for the empty set",
        lambda evidence: _all_fall(evidence, "f"),
    ),
)

SILENT = {
    "shared-norm": "Section 3.1 has a batch norm in every path, section 3.4 one batch norm that all paths share: we use the shared one.",
    "equal-starts": "All paths start from the same weights of fc6 to fc8, in the baselines too. fc8 is drawn once and copied.",
    "path-order": "We assume that f and receptive fields are printed in the order of section 3.4's label sets.",
    "lips": "The label set of nose, mouth and lips has the classes nose, upper lip, inner mouth and lower lip.",
}


def deviations(setting: Setting) -> list[Deviation]:
    """List the deviations of table 3."""
    texts = {deviation.id: deviation.text for deviation in helen_deviations(setting)} | SILENT
    if setting.profile == "paper":
        texts["dropout"] = "Every path draws its own dropout; this alone makes paths differ a little."
    else:
        texts[f"{setting.profile}-baseline-norm"] = (
            "Baselines also have the batch norm before fc6, so that a pair of rows differs by the learned f, the guidance and the "
            "dilations."
        )
    return [Deviation(id, text) for id, text in texts.items()]


TABLE = Table("adaptive_rf.table3", cells, CLAIMS, deviations, beside)
