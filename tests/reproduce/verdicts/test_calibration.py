"""How often claims and verdicts are wrong, by a short simulation; `benchmarks/calibration.py` has the long one."""

import numpy as np
import pytest

from benchmarks import calibration
from benchmarks.calibration import IN_USE, INDEPENDENT, PAIRED, ROUNDED, CellKind, Claims, Noise, Rates
from reproduce.verdicts import logic
from reproduce.verdicts.logic import Truth

QUESTIONS = {question.name: question for question in calibration.questions()}
PAIR = "adaptive_rf.table1 larger-start-greater-f"
COUNT = 600


def rates(name: str, noise: Noise, place: str = "equal") -> tuple[Rates | None, Rates | None]:
    question = QUESTIONS[name]
    means = calibration.places(question)[place]
    return Claims(COUNT).rates(question, means, noise, calibration.by_e_values, question.false(means))


def above(found: tuple[Rates | None, Rates | None]) -> bool:
    return any(rate.above for each in found if each is not None for rate in each.all)


def false(name: str, place: str = "equal") -> tuple[bool, bool]:
    return QUESTIONS[name].false(calibration.places(QUESTIONS[name])[place])


def test_every_claim_is_simulated() -> None:
    without = [question.name for question in QUESTIONS.values() if not question.noisy]
    assert without == ["adaptive_rf.cost maps-grow", "njet.table4 order-3-more-parameters"]
    assert max(len(question.noisy) for question in QUESTIONS.values()) == 72
    for question in QUESTIONS.values():
        assert not question.noisy or all(any(question.false(means)) for means in calibration.places(question).values()), question.name


def test_where_nothing_is_known_both_answers_are_false() -> None:
    assert false(PAIR) == false("adaptive_rf.table2 small-stay-behind") == (True, True)
    assert false("adaptive_rf.table1 dilation-2-keeps-f-above-1") == (True, True)  # all at its constant
    assert false("adaptive_rf.table3 guidance-breaks-symmetry") == (True, True)  # equal numbers do not differ
    assert false("njet.table3 comparable") == (False, True)  # equal numbers are comparable
    assert false("njet.table3 comparable", "at the bound") == (True, True)
    assert false("njet.table1 wrong-sigma-costs") == (True, False)  # equal numbers are not a point apart
    assert false("njet.table1 wrong-sigma-costs", "at the bound") == (True, True)


@pytest.mark.parametrize("noise", [INDEPENDENT, PAIRED, ROUNDED], ids=["independent", "paired", "rounded"])
@pytest.mark.parametrize(
    "name",
    [
        PAIR,
        "adaptive_rf.table1 dilation-2-keeps-f-above-1",
        "adaptive_rf.table2 large-surpass-manual",
        "adaptive_rf.table2 dilation-12-best",
        "adaptive_rf.table3 discriminative-receptive-fields",
        "njet.table5 njet-more-accurate",
        "njet.table5 filter-size-matters",
    ],
)
def test_claims_about_equal_cells_are_decided_in_5_of_100(name: str, noise: Noise) -> None:
    """After three, five and ten seeds, and looking after each of twenty."""
    assert not above(rates(name, noise))


@pytest.mark.parametrize("name", ["njet.table4 similar-accuracy", "njet.figure6 sizes-matter"])
def test_claims_at_their_bound_are_decided_in_5_of_100(name: str) -> None:
    assert not above(rates(name, INDEPENDENT, "at the bound"))


def test_a_rule_that_decides_too_early_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logic, "DECISIVE", 5.0)
    for name in (PAIR, "njet.table5 njet-more-accurate"):
        assert above(rates(name, INDEPENDENT))


@pytest.mark.parametrize("noise", [INDEPENDENT, ROUNDED], ids=["independent", "rounded"])
@pytest.mark.parametrize("name", [PAIR, "adaptive_rf.table3 guidance-breaks-symmetry", "njet.speed twice-as-slow"])
def test_the_simulation_answers_as_the_claim_does(name: str, noise: Noise) -> None:
    """On plain numbers; a claim asks for a comparison in both directions, too."""
    question = QUESTIONS[name]
    drawn = calibration.draw(question, calibration.places(question)["equal"], noise, 300, np.random.default_rng(0))
    answers = calibration.answered(question, drawn, calibration.by_e_values)
    for n in (3, 10):
        look = calibration.LOOKS.index(n)
        truths = [question.claim.test(calibration.plain(question, drawn, n, replication)).truth for replication in range(300)]
        assert [truth is Truth.YES for truth in truths] == answers.yes[look].tolist()
        assert [truth is Truth.NO for truth in truths] == answers.no[look].tolist()


def test_interpolated_e_values_are_the_real_ones() -> None:
    assert calibration.interpolation_error(np.random.default_rng(0)) < 1e-3


@pytest.mark.parametrize("noise", [INDEPENDENT.steps, ROUNDED.steps])
@pytest.mark.parametrize("kind", calibration.cell_kinds(), ids=lambda kind: kind.name)
def test_correct_printed_numbers_are_outside_in_5_of_100(kind: CellKind, noise: float) -> None:
    """After three, five and ten seeds, and looking after each of 20 and of 300."""
    found = calibration.cell_rates(kind, noise, 2 * COUNT)
    assert not any(rate.above for rate in found[IN_USE].rates)
    if not kind.spread:  # the rules before are noticed
        assert any(rate.above for rate in found["95 % interval"].rates)


def test_seeds_that_decide() -> None:
    """A difference of four deviations needs three or four seeds, one of a third more than twenty."""
    assert np.median(calibration.seeds_to_decide(4.0, 200)) <= 4
    assert np.median(calibration.seeds_to_decide(1 / 3, 200)) > 20
