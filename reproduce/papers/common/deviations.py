"""Deviations that the tables of every paper have."""

from __future__ import annotations

from collections.abc import Mapping

from reproduce.table import PRECISIONS, Deviation, Setting


def listed(
    setting: Setting, texts: Mapping[str, str], precision: str = "Networks are trained in {}; the paper does not name a precision."
) -> list[Deviation]:
    """Return texts as deviations; add one about the precision if it is not the default.

    Args:
        setting: Choices of the user.
        texts: Sentences by id.
        precision: Sentence with `{}` for the name of the precision.
    """
    added = {} if setting.precision == PRECISIONS[0] else {"precision": precision.format(setting.precision)}
    return [Deviation(id, text) for id, text in (added | dict(texts)).items()]
