"""What specs are made of: plain values, and fields that do not count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Metadata of a field that does not change a result: a readable name, where things lie, what computes them.
NOT_IDENTITY = {"identity": False}


def pairs(arguments: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """Return arguments by name as sorted pairs of plain values, which a job can be identified and stored by.

    Raises:
        ValueError: where a value is not plain.
    """
    return tuple(sorted((name, _plain(name, value)) for name, value in dict(arguments).items()))


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_plain(name, member) for member in value)
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ValueError(f"Expected `arguments` to be numbers, texts, None or lists of them, but got {name}={value!r}.")
