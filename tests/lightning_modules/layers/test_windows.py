"""Section 3.3's formula against the printed numbers, and the arithmetic of windows."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lightning_modules.layers.windows import Window, inflated_receptive_field, receptive_field


@pytest.mark.parametrize(
    ("dilation", "factor", "printed"),
    [(2, 2.44, 236), (2, 0.88, 284), (6, 1.82, 292), (8, 2.61, 284), (12, 3.60, 292)],
)
def test_formula_gives_the_printed_receptive_fields_of_table_1(dilation: int, factor: float, printed: int) -> None:
    assert inflated_receptive_field(factor, 3 * dilation + 1) == printed


def test_formula_contradicts_the_printed_336() -> None:
    assert inflated_receptive_field(2.44, 3 * 10 + 1) == 316


def test_a_whole_quotient_is_not_lifted_by_rounding() -> None:
    assert inflated_receptive_field(0.8, 7) == 212 + 8 * 9  # (7 + 1) / 0.8 is 10, and a hair more in floating point


def test_a_factor_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected `factor` to be a positive number, but got 0"):
        inflated_receptive_field(0, 7)


def test_windows_add_up() -> None:
    # Two 3x3 convolutions see 5 pixels; a pooling of 2 with stride 2 then 6 at stride 2; a dilated 3x3 behind it 4 * 2 more.
    windows = [Window(3), Window(3), Window(2, 2), Window(3, 1, 2)]
    assert [receptive_field(windows[:count])[0] for count in range(5)] == [1, 3, 5, 6, 14]
    assert receptive_field(windows)[1] == 2


def test_needs_no_torch() -> None:
    code = "import sys, lightning_modules.layers.windows; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
