import math

import pytest
from scipy import stats

from reproduce.verdicts.e_values import EFFECTS, e_value


@pytest.mark.parametrize("n", [3, 4, 7, 20, 60])
@pytest.mark.parametrize("t", [-6.0, -1.0, 0.0, 0.3, 2.0, 4.0, 9.0])
def test_it_is_a_mean_of_ratios_of_densities(n: int, t: float) -> None:
    """Against SciPy's noncentral t."""
    ratios = [stats.nct.pdf(t, n - 1, effect * math.sqrt(n)) / stats.t.pdf(t, n - 1) for effect in EFFECTS]
    assert e_value(t / math.sqrt(n), 1.0, n) == pytest.approx(sum(ratios) / len(ratios), rel=1e-4)


def test_it_has_no_unit_and_grows_with_the_difference() -> None:
    assert e_value(0.02, 0.01, 4) == pytest.approx(e_value(20.0, 10.0, 4))
    found = [e_value(mean, 1.0, 6) for mean in (-3, -1, 0, 0.5, 1, 2, 4, 1e6)]
    assert found == sorted(found)
    assert found[2] < 1


def test_few_seeds_prove_nothing() -> None:
    assert e_value(5.0, 0.0, 1) == e_value(0.0, 0.0, 5) == 1.0
    assert e_value(5.0, 0.0, 2) < 20 < e_value(5.0, 0.0, 3)


def test_the_largest_is_a_number() -> None:
    assert math.isfinite(e_value(1.0, 1e-9, 1000))
