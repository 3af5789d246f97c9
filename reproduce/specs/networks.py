"""The settings of networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from lightning_modules.quantity import Quantity
from reproduce.specs.plain import NOT_IDENTITY, Spec, pairs


@dataclass(frozen=True)
class Network(Spec):
    """The arguments of a network; what a paper knows of it before it is built stands here too.

    `scores` says what it gives scores of: "pixels" or "pictures"; empty where that is not known. A network of a classification or a
    segmentation has a field `num_classes`.
    """

    scores: ClassVar[str] = ""

    @property
    def trains_batch_norm(self) -> bool:
        """Whether it is known to have batch norm in it."""
        return False

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What it learns beside its weights, each kind once."""
        return ()

    @property
    def cost_note(self) -> str:
        """A sentence on what makes its steps cost more or less while it is trained; empty where nothing does."""
        return ""

    def check(self, where: str) -> None:
        """Refuse arguments that the network would refuse once it is built.

        Args:
            where: ends the name of an argument in the sentence: " of VGG in row 'mine'".

        Raises:
            ValueError: the first that is wrong.
        """


@dataclass(frozen=True)
class OwnNetwork(Network):
    """A user's network: a class or a function in a file of theirs, called with `num_classes` and `arguments` by name.

    Args:
        name: of the class or function.
        num_classes: background included; None for a network that is not called with it, as where no classes are told apart.
        arguments: plain values by name; a dict will do.
        file: where it is; a relative path begins at the file of rows, and without one it is that file itself. The path is no part of a
            job's identity.
        sha256: of the file's content, filled in when rows are read.
    """

    name: str
    num_classes: int | None = None
    arguments: Any = ()
    file: str = field(default="", metadata=NOT_IDENTITY)
    sha256: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", pairs(self.arguments))
