"""What specs are made of: plain values, the class or function that they are the arguments of, and fields that do not count."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

# Metadata of a field that does not change a result: a readable name, where things lie, what computes them.
NOT_IDENTITY = {"identity": False}


@dataclass(frozen=True)
class Spec:
    """Plain arguments of a class or function, which a job's own process calls: the one place where they are brought together.

    A subclass is a frozen dataclass; its fields are the arguments, in type and default. `target` names what takes them, as
    "package.module:name". Fields named in `beside` are no arguments of it.
    """

    target: ClassVar[str] = ""
    beside: ClassVar[frozenset[str]] = frozenset()

    @property
    def arguments_of_target(self) -> dict[str, Any]:
        """The fields that are arguments, by name."""
        return {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name not in self.beside}


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
