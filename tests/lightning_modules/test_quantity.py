"""The names by which a quantity is found, and the words of its axis."""

from __future__ import annotations

import re

from lightning_modules.quantity import Quantity


def test_a_quantity_is_found_by_its_name_with_and_without_what_tells_several_apart() -> None:
    pattern = Quantity("rate", "rate").pattern
    assert all(re.fullmatch(pattern, name) for name in ("rate", "rate_1", "rate_conv4"))
    assert not any(re.fullmatch(pattern, name) for name in ("rates", "rate_", "a_rate", "rate.1"))
    assert re.fullmatch(Quantity("a.b", "a.b").pattern, "a.b_1")
    assert not re.fullmatch(Quantity("a.b", "a.b").pattern, "axb")


def test_an_axis_has_a_unit_where_there_is_one() -> None:
    assert Quantity("rate", "rate of atrous convolution").axis == "rate of atrous convolution"
    assert Quantity("sigma", "sigma", "px").axis == "sigma, px"
