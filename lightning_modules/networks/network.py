"""A network that knows what it was made of."""

from __future__ import annotations

import inspect
from typing import Any, Self

from torch import nn


class Network(nn.Module):
    """A network that knows the arguments it was made of, so that a checkpoint can say them and it can be built again.

    Where `__init__` hands others on to its base, by `**name`, the arguments of that base are its own too: `inspect.signature` has them.
    """

    _given: tuple[tuple[Any, ...], dict[str, Any]]

    def __init_subclass__(cls, **options: Any) -> None:
        """Make out which arguments a network takes."""
        super().__init_subclass__(**options)
        cls.__signature__ = _signature(cls)  # type: ignore[attr-defined]

    # Kept here, so that no network has to list its arguments once more. Lightning's `save_hyperparameters` would also keep those of a
    # LightningModule in whose `__init__` the network is made.
    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keep the arguments."""
        made = super().__new__(cls)
        object.__setattr__(made, "_given", (args, kwargs))
        return made

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that it was made of by name, without those that were left at their defaults."""
        args, kwargs = self._given
        return dict(inspect.signature(type(self)).bind(*args, **kwargs).arguments)


def _signature(kind: type) -> inspect.Signature:
    """Return the signature of a class whose `__init__` may hand arguments on to that of its base."""
    inits = [each for each in kind.__mro__ if "__init__" in vars(each) and each not in nn.Module.__mro__]
    taken = dict(list(inspect.signature(inits[0].__init__).parameters.items())[1:]) if inits else {}  # type: ignore[misc]  # without self
    collected = [name for name, parameter in taken.items() if parameter.kind is parameter.VAR_KEYWORD]
    if collected and len(inits) > 1:
        del taken[collected[0]]
        handed = _signature(inits[1]).parameters
        taken |= {name: each.replace(kind=each.KEYWORD_ONLY) for name, each in handed.items() if name not in taken}
    return inspect.Signature(list(taken.values()))
