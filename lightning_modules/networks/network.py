"""The base class of networks, which stores their arguments."""

from __future__ import annotations

import inspect
from typing import Any, Self

from torch import nn


class Network(nn.Module):
    """A network that stores the arguments of its `__init__`, so that a checkpoint can contain them and the network can be built again.

    If `__init__` passes arguments on to its base by `**name`, the arguments of the base are added to the class's `inspect.signature`.
    """

    _given: tuple[tuple[Any, ...], dict[str, Any]]

    def __init_subclass__(cls, **options: Any) -> None:
        """Compute the signature of a subclass."""
        super().__init_subclass__(**options)
        cls.__signature__ = _signature(cls)  # type: ignore[attr-defined]

    # Stored here, so that no network has to list its arguments again. Lightning's `save_hyperparameters` would also store the arguments
    # of a LightningModule whose `__init__` builds the network.
    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Store the arguments."""
        made = super().__new__(cls)
        object.__setattr__(made, "_given", (args, kwargs))
        return made

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of `__init__` by name, without those that were not passed."""
        args, kwargs = self._given
        return dict(inspect.signature(type(self)).bind(*args, **kwargs).arguments)


def _signature(kind: type) -> inspect.Signature:
    """Return the signature of a class whose `__init__` may pass arguments on to its base."""
    inits = [each for each in kind.__mro__ if "__init__" in vars(each) and each not in nn.Module.__mro__]
    taken = dict(list(inspect.signature(inits[0].__init__).parameters.items())[1:]) if inits else {}  # type: ignore[misc]  # without self
    collected = [name for name, parameter in taken.items() if parameter.kind is parameter.VAR_KEYWORD]
    if collected and len(inits) > 1:
        del taken[collected[0]]
        handed = _signature(inits[1]).parameters
        taken |= {name: each.replace(kind=each.KEYWORD_ONLY) for name, each in handed.items() if name not in taken}
    return inspect.Signature(list(taken.values()))
