"""What a dashboard of tables shows, said once, for whatever draws it; wandb is not needed for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lightning_modules.quantity import Quantity


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
        tables: their ids and what they show so far, as Markdown.
        runs: names of the runs behind them.
        quantities: what their networks learn beside weights; a section each.
        metrics: titles and names of numbers of their results that tables show; a bar a run each.
        added: what their papers add.
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
