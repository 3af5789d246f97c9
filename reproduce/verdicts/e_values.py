"""E-values: evidence for a difference that stays valid however often someone looks at it.

An e-value is the outcome of a bet against a hypothesis: the factor by which the stake has grown. If the hypothesis is true, the bet is
fair, and its stake grows to 20 times or more with a probability of at most 5 %, over all numbers of seeds together (Ville's inequality). So
seeds can be added until a claim is decided, and the error stays 5 %. E-values also combine, whatever their dependence: their mean is an
e-value of "at least one hypothesis is false", their minimum of "all of them are false".

Source: Grünwald, de Heide and Koolen 2024, Safe testing, section 4 (t test); Ville 1939.
"""

from __future__ import annotations

import math
from functools import lru_cache

LEVEL = 0.05  # probability of a false `yes`, and of a false `no`
DECISIVE = 1 / LEVEL
CERTAIN = math.inf  # e-value of numbers without spread
# Alternatives: differences in standard deviations of the differences. Their mean decides differences of 1 to 4 standard deviations almost
# as early as the bet on the true one would.
EFFECTS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_POINTS, _REACH = 60, 9.0  # of the numerical integral; its integrand falls at least as fast as a normal density with a deviation of 1


def e_value(mean: float, std: float, n: int) -> float:
    """Return the e-value against the hypothesis that the expected difference is at most 0.

    It is the mean over `EFFECTS` of the ratio of densities of Student's t: noncentral to central.

    Args:
        mean: Mean of n differences.
        std: Their sample standard deviation.
        n: Number of differences; one or none is no evidence.
    """
    length = math.hypot(mean * math.sqrt(n), std * math.sqrt(n - 1)) if n > 1 else 0.0
    return 1.0 if length == 0.0 else math.exp(log_e_value(mean * math.sqrt(n) / length, n))


@lru_cache(maxsize=4096)
def log_e_value(share: float, n: int) -> float:
    """Return the logarithm of the e-value of n differences.

    Args:
        share: t / sqrt(t^2 + n - 1) with Student's t: from -1 to 1.
        n: Number of differences, at least two.
    """
    logs = [_log_ratio(share, n, effect * math.sqrt(n)) for effect in EFFECTS]
    largest = max(logs)
    return min(largest + math.log(math.fsum(math.exp(each - largest) for each in logs) / len(logs)), 700.0)  # exp(710) is no float


def _log_ratio(share: float, n: int, shift: float) -> float:
    """Return the logarithm of the density of a noncentral t, divided by that of the central t.

    It is E[exp(shift share W - shift^2 / 2)], with W distributed as chi with n degrees of freedom. The logarithm of the integrand is
    concave; the sum is taken around its maximum.

    Args:
        share: See `log_e_value`.
        n: Number of differences.
        shift: Noncentrality.
    """
    slope = shift * share
    top = (slope + math.sqrt(slope**2 + 4 * (n - 1))) / 2
    low = max(0.0, top - _REACH)
    step = (top + _REACH - low) / _POINTS

    def exponent(w: float) -> float:
        return (n - 1) * math.log(w) - w * w / 2 + slope * w

    highest = exponent(top)
    total = math.fsum(math.exp(exponent(low + (index + 0.5) * step) - highest) for index in range(_POINTS)) * step
    return highest + math.log(total) - shift**2 / 2 - ((n / 2 - 1) * math.log(2) + math.lgamma(n / 2))
