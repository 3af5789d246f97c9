"""Turn a described dashboard into a wandb workspace. Only functions of this module import wandb-workspaces."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from reproduce.wandb_.dashboard import Bars, Curves, Dashboard, Pictures, Section, Text

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

STEP = "global_step"


def workspace(dashboard: Dashboard, entity: str, project: str) -> Workspace:
    """Return a workspace for a dashboard's runs: for each name the finished or running wandb run, not earlier attempts.

    Args:
        dashboard: Dashboard to show.
        entity: wandb user or team; empty for the user who is logged in.
        project: Project of the mirrored runs.
    """
    with warnings.catch_warnings():
        # wandb-workspaces 0.4 uses the style of pydantic 1: https://docs.pydantic.dev/latest/migration/#changes-to-validators
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        from wandb_workspaces import expr
        from wandb_workspaces import workspaces as ws

    chosen = expr.And(expr.Metric("Name").isin(list(dashboard.runs)), expr.Metric("State").isin(["finished", "running"]))
    return ws.Workspace(
        entity=entity, project=project, name=dashboard.title,
        sections=[_section(section, len(dashboard.runs)) for section in dashboard.sections],
        settings=ws.WorkspaceSettings(x_axis=STEP, max_runs=max(1, len(dashboard.runs))),
        runset_settings=ws.RunsetSettings(filters=chosen),
    )  # fmt: skip


def serialised(workspace: Workspace) -> str:
    """Return the json of a workspace, as wandb would receive it."""
    return str(workspace._to_model().spec.model_dump_json(by_alias=True, exclude_none=True, indent=1))


def _section(section: Section, runs: int) -> Any:
    from wandb_workspaces import workspaces as ws

    layout = ws.SectionLayoutSettings(columns=min(len(section.panels), 3), rows=1)
    panels = [_panel(panel, runs) for panel in section.panels]
    settings = ws.SectionPanelSettings(x_axis=STEP)
    return ws.Section(name=section.title, panels=panels, is_open=section.open, layout_settings=layout, panel_settings=settings)


def _panel(panel: Curves | Bars | Pictures | Text, runs: int) -> Any:
    from wandb_workspaces.reports.v2 import interface as v2

    match panel:
        case Curves():
            pattern = f"^{panel.pattern}$"
            return v2.LinePlot(title=panel.title, x=STEP, metric_regex=pattern, log_y=panel.logarithmic or None, max_runs_to_show=runs)
        case Bars():
            return v2.BarPlot(title=panel.title, metrics=[panel.metric], max_runs_to_show=runs)
        case Pictures():
            return v2.MediaBrowser(title=panel.title, media_keys=[panel.name])
        case Text():
            return v2.MarkdownPanel(markdown=panel.markdown)
