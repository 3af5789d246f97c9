"""Base of specs: plain values, the class or function that takes them, and fields that do not count."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

# Metadata of a field that does not change a result: a readable name, a path, a device.
NOT_IDENTITY = {"identity": False}


@dataclass(frozen=True)
class Spec:
    """Plain arguments of a class or function that the worker process calls; they are declared only here.

    A subclass is a frozen dataclass. Its fields are the arguments, with the same types and defaults. `target` names the class or function
    that takes them, as "package.module:name". Fields in `beside` are not arguments.
    """

    target: ClassVar[str] = ""
    beside: ClassVar[frozenset[str]] = frozenset()

    @property
    def arguments_of_target(self) -> dict[str, Any]:
        """Fields that are arguments of the target, by name."""
        return {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name not in self.beside}


def pairs(arguments: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """Return named arguments as sorted pairs of plain values, so that a job can hash and store them.

    Raises:
        ValueError: A value is not plain.
    """
    return tuple(sorted((name, _plain(name, value)) for name, value in dict(arguments).items()))


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_plain(name, member) for member in value)
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ValueError(f"Expected `arguments` to be numbers, texts, None or lists of them, but got {name}={value!r}.")
