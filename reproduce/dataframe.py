"""Tables as DataFrames, for notebooks and your own papers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from reproduce import plugins
from reproduce.jobs.store import Store
from reproduce.table import PROFILES, Profile, Setting
from reproduce.verdicts.compare import CELL_FIELDS, compare
from reproduce.verdicts.measured import cells_in, measure_table
from reproduce.verdicts.published import load


def results(
    table: str,
    profile: Profile = "demo",
    *,
    data_root: str | Path | None = None,
    seeds: int | None = None,
    runs_dir: str | Path = "runs",
    papers: Iterable[str | Path] = (),
) -> pd.DataFrame:
    """Return the cells of a table, measured beside published, from stored runs; nothing is run.

    Args:
        table: Name such as `table1` or `paper.table1`.
        profile: Profile, as on the command line.
        data_root: Folder of the data sets; the demo needs none.
        seeds: Number of runs per training; None for all that are stored.
        runs_dir: Folder of the runs.
        papers: Folders of papers that are not installed.

    Returns:
        One line per cell, with the keys of the json's cells as columns; numbers are floats, several numbers in one cell are lists.

    Raises:
        ValueError: No such table or profile exists.
        DataError: The data root lacks the table's data set.
    """
    if profile not in PROFILES:
        raise ValueError(f"Expected `profile` to be one of {', '.join(PROFILES)}, but got '{profile}'.")
    plugins.add(papers)
    published = load(table)
    setting = Setting(profile, 1 if seeds is None else seeds, None if data_root is None else Path(data_root))
    mapped, store = plugins.table(published.id), Store(Path(runs_dir))
    cells = cells_in(store, mapped.cells, setting) if seeds is None else mapped.cells(setting)
    samples = measure_table(mapped, cells, store, profile, f"python -m reproduce {published.id}")
    return pd.DataFrame(compare(published, samples), columns=list(CELL_FIELDS))
