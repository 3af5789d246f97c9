"""What a dashboard of tables shows, said once, for whatever draws it; wandb is not needed for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Curves:
    """Lines against the step, one a run and name that `pattern` matches from its beginning to its end.

    Args:
        title: of the panel.
        pattern: a regular expression of names in metrics.jsonl.
        logarithmic: whether the axis of values is.
    """

    title: str
    pattern: str
    logarithmic: bool = False


@dataclass(frozen=True)
class Bars:
    """One number of each run's result."""

    title: str
    metric: str


@dataclass(frozen=True)
class Pictures:
    """Examples of the evaluation, with their labels and what was predicted."""

    title: str
    name: str


@dataclass(frozen=True)
class Text:
    """Markdown."""

    markdown: str


@dataclass(frozen=True)
class Section:
    """Panels under one heading; `open` where they are seen at first."""

    title: str
    panels: tuple[Curves | Bars | Pictures | Text, ...]
    open: bool = True


@dataclass(frozen=True)
class Dashboard:
    """Sections of panels over named runs."""

    title: str
    runs: tuple[str, ...]
    sections: tuple[Section, ...]


# Where a network has several of one kind, its name has a number or a layer behind it: f_1, sigma_conv4.
WATCHED = (
    Section(
        "Inflation factors",
        (
            Curves("f", r"trajectory/f(_\w+)?"),
            Curves("gradient of f, by its two shares", r"trajectory/gradient_\w+"),
        ),
    ),
    Section("Receptive field", (Curves("receptive field in pixels", r"trajectory/receptive_field(_\w+)?"),)),
    Section("Scales", (Curves("sigma", r"trajectory/sigma(_\w+)?"),), open=False),
    Section("Training", (Curves("loss per pixel", r"train/loss_per_pixel", True), Curves("loss", r"train/loss", True))),
    Section("Validation", (Curves("scores of the validation", r"val/\w+"),), open=False),
    Section(
        "Evaluation",
        (
            Bars("overall F", "f_score"),
            Bars("mean IoU", "mean_iou"),
            Bars("accuracy", "accuracy"),
            Curves("scores of the evaluation", r"test/\w+"),
        ),
    ),
    Section("Examples", (Pictures("ground truth and prediction", "examples"),)),
)


def dashboard(tables: Sequence[tuple[str, str]], runs: Sequence[str]) -> Dashboard:
    """Describe the dashboard of tables.

    Args:
        tables: their ids and what they show so far, as Markdown.
        runs: names of the runs behind them.
    """
    shown = Section("Tables", tuple(Text(markdown) for _, markdown in tables))
    return Dashboard(", ".join(id for id, _ in tables), tuple(dict.fromkeys(runs)), (shown, *WATCHED))
