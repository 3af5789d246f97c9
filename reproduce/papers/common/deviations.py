"""Deviations that the tables of every paper have."""

from __future__ import annotations

from collections.abc import Mapping

from reproduce.table import PRECISIONS, Deviation, Setting


def listed(setting: Setting, texts: Mapping[str, str], precision: str = "Trained in {}; the paper does not say.") -> list[Deviation]:
    """Return sentences by their ids as deviations, with one on the precision where that is not the default.

    Args:
        setting: what the user chose.
        texts: by id.
        precision: a sentence with a place for its name.
    """
    added = {} if setting.precision == PRECISIONS[0] else {"precision": precision.format(setting.precision)}
    return [Deviation(id, text) for id, text in (added | dict(texts)).items()]
