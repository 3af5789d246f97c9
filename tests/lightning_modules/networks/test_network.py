"""Networks know the arguments that they were made of, also those that they hand on to a base."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest
import torch
from torch import nn

from lightning_modules import networks
from lightning_modules.networks import AdaptiveVGG, BackboneVGG, MultiPathVGG, Network, NiN
from lightning_modules.networks.backbone import Backbone

SMALL: dict[str, Any] = {"width": 1 / 64, "head_channels": 4}


def test_arguments_are_those_given_by_name() -> None:
    jet = {"sigma": 2.0}
    assert NiN(10, 1, width=0.1, jet=jet).arguments == {"num_classes": 10, "in_channels": 1, "width": 0.1, "jet": jet}
    assert MultiPathVGG(5, (2, 4), **SMALL).arguments == {"num_classes": 5, "path_dilations": (2, 4), **SMALL}


def test_copies_and_pickles_know_them_too() -> None:
    made = NiN(10, width=0.1)
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert other.arguments == made.arguments
        assert all(torch.equal(value, other.state_dict()[name]) for name, value in made.state_dict().items())


def test_a_network_made_in_another_modules_init_knows_its_own_arguments_alone() -> None:
    class Outer(nn.Module):
        def __init__(self, num_classes: int, rate: float) -> None:
            super().__init__()
            self.inner = NiN(num_classes, width=0.1)

    assert Outer(3, 0.5).inner.arguments == {"num_classes": 3, "width": 0.1}


@pytest.mark.parametrize("kind", [AdaptiveVGG, MultiPathVGG])
def test_arguments_of_the_backbone_are_taken_by_name_with_their_defaults(kind: type[BackboneVGG]) -> None:
    own, base = inspect.signature(kind).parameters, inspect.signature(BackboneVGG).parameters
    assert Backbone.__annotations__.keys() == base.keys() - {"num_classes"}
    for name in Backbone.__annotations__:
        assert (own[name].kind, own[name].default) == (inspect.Parameter.KEYWORD_ONLY, base[name].default)


@pytest.mark.parametrize("kind", [AdaptiveVGG, MultiPathVGG])
def test_unknown_arguments_are_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'widht'"):
        kind(5, (2,) if kind is MultiPathVGG else 2, widht=0.5)


def test_every_exported_network_says_its_arguments_and_none_collects_others() -> None:
    kinds = [getattr(networks, name) for name in networks.__all__]
    found = [kind for kind in kinds if inspect.isclass(kind) and issubclass(kind, Network) and "__init__" in vars(kind)]
    assert len(found) == 8
    for kind in found:
        parameters = inspect.signature(kind).parameters
        assert "num_classes" in parameters
        assert not any(each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in parameters.values())
