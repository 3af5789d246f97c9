"""Where sets of small pictures lie, for the tables of every paper."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from datamodules.errors import DataError
from datamodules.layouts import images
from reproduce.specs import Images


def located(data: Images, data_root: Path | None) -> tuple[Images, str]:
    """Return small pictures with the fingerprint of their files, and what is missing to have them; made-up ones are as they are.

    Args:
        data: of a set of `layouts.images.SETS`.
        data_root: the folder of the data sets, if one was named.
    """
    if data.made is not None:
        return data, ""
    data = replace(data, fingerprint="")
    if data_root is None:
        return data, f"needs {images.SETS[data.dataset].title}: name the folder of the data sets by --data-root or REPRODUCE_DATA"
    try:
        return replace(data, fingerprint=_fingerprint(data_root, data.dataset)), ""
    except DataError as error:
        return data, str(error)


@lru_cache
def _fingerprint(root: Path, dataset: str) -> str:
    """Find a set once a command: every row of every table asks for it."""
    return images.find(root, dataset).fingerprint()
