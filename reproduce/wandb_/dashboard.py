"""Description of a dashboard of tables, for any program that draws it. This module does not need wandb."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lightning_modules.quantity import Quantity


@dataclass(frozen=True)
class Curves:
    """Lines against the step, one per run and per name that `pattern` matches completely.

    Args:
        title: Title of the panel.
        pattern: Regular expression for names in metrics.jsonl.
        logarithmic: Whether the axis of values is logarithmic.
    """

    title: str
    pattern: str
    logarithmic: bool = False


@dataclass(frozen=True)
class Bars:
    """One number from the result of each run."""

    title: str
    metric: str


@dataclass(frozen=True)
class Pictures:
    """Examples of the evaluation, with labels and predictions."""

    title: str
    name: str


@dataclass(frozen=True)
class Text:
    """Markdown text."""

    markdown: str


@dataclass(frozen=True)
class Section:
    """Panels under one heading; if `open`, they are visible at first."""

    title: str
    panels: tuple[Curves | Bars | Pictures | Text, ...]
    open: bool = True


@dataclass(frozen=True)
class Dashboard:
    """Sections of panels for the named runs."""

    title: str
    runs: tuple[str, ...]
    sections: tuple[Section, ...]


TRAINING = (
    Section("Training", (Curves("loss per pixel", r"train/loss_per_pixel", True), Curves("loss", r"train/loss", True))),
    Section("Validation", (Curves("scores of the validation", r"val/\w+"),), open=False),
)
EXAMPLES = Section("Examples", (Pictures("labels and predictions", "examples"),))


def dashboard(
    tables: Sequence[tuple[str, str]],
    runs: Sequence[str],
    quantities: Iterable[Quantity] = (),
    metrics: Iterable[tuple[str, str]] = (),
    added: Iterable[Section] = (),
) -> Dashboard:
    """Describe the dashboard of tables.

    Args:
        tables: Ids of the tables, and their current content as Markdown.
        runs: Names of the runs behind the tables.
        quantities: Quantities that the networks learn besides weights; one section per quantity.
        metrics: Titles and names of the metrics that the tables show; one panel per metric, with one bar per run.
        added: Sections that the papers add.
    """
    shown = Section("Tables", tuple(Text(markdown) for _, markdown in tables))
    learned = [
        Section(quantity.label[:1].upper() + quantity.label[1:], (Curves(quantity.label, rf"trajectory/{quantity.pattern}"),))
        for quantity in dict.fromkeys(quantities)
    ]
    bars = [Bars(title, name) for name, title in {name: title for title, name in metrics}.items()]
    measured = Section("Evaluation", (*bars, Curves("scores of the evaluation", r"test/\w+")))
    sections = (shown, *learned, *added, *TRAINING, measured, EXAMPLES)
    return Dashboard(", ".join(id for id, _ in tables), tuple(dict.fromkeys(runs)), sections)
