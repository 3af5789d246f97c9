"""Settings of networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from lightning_modules.quantity import Quantity
from reproduce.specs.plain import NOT_IDENTITY, Spec, pairs


@dataclass(frozen=True)
class Network(Spec):
    """Arguments of a network, and facts that a paper knows before the network is built.

    `scores` says what the network scores: "pixels" or "pictures"; empty if unknown. A network for classification or segmentation has a
    field `num_classes`.
    """

    scores: ClassVar[str] = ""

    @property
    def trains_batch_norm(self) -> bool:
        """Whether the network is known to contain batch norm."""
        return False

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Quantities that the network learns besides its weights, each kind once."""
        return ()

    @property
    def cost_note(self) -> str:
        """Sentence on why the cost of a step changes during training; empty if it does not."""
        return ""

    def check(self, where: str) -> None:
        """Reject arguments that the network would reject when it is built.

        Args:
            where: Text after the argument's name in the message: " of VGG in row 'mine'".

        Raises:
            ValueError: An argument is wrong; the message names the first one.
        """


@dataclass(frozen=True)
class OwnNetwork(Network):
    """A user's network: a class or a function in the user's file, called with `num_classes` and `arguments` by name.

    Args:
        name: Name of the class or function.
        num_classes: Number of classes with background; None if the network does not take it, for example because there are no classes.
        arguments: Plain values by name; a dict is accepted.
        file: Path of the file, relative to the file of rows; empty for the file of rows itself. The path is not part of a job's identity.
        sha256: SHA-256 of the file's content, filled in when rows are read.
    """

    name: str
    num_classes: int | None = None
    arguments: Any = ()
    file: str = field(default="", metadata=NOT_IDENTITY)
    sha256: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", pairs(self.arguments))
