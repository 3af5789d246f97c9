"""Every claim decided by made-up numbers, both ways, and what the printed ones say."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reproduce.plugins import tables
from reproduce.verdicts.claims import Claim, check_claims
from reproduce.verdicts.evidence import Evidence
from reproduce.verdicts.pairs import Estimate
from reproduce.verdicts.published import load

Numbers = Mapping[tuple[str, str], float]
CLAIMS: dict[tuple[str, str], Claim] = {
    (id.removeprefix("njet."), claim.id): claim for id, each in tables("njet").items() for claim in each.claims
}
PAIRS = ("all-cnn", "resnet-32", "resnet-110", "efficientnet")
NETWORKS = ("njet-nin", *(f"njet-{name}" for name in PAIRS))


def column(name: str, **values: float) -> dict[tuple[str, str], float]:
    """Numbers of a column by row; `_` stands for `-`, which Python's names lack."""
    return {(row.replace("_", "-"), name): value for row, value in values.items()}


SIGMAS = ("sigma-0.5", "sigma-1", "sigma-2")


def sigmas(baseline: tuple[float, ...], safe: tuple[float, ...]) -> Numbers:
    return {
        (row, name): value for name, values in (("baseline", baseline), ("safe", safe)) for row, value in zip(SIGMAS, values, strict=True)
    }


def halves(deeper: int) -> Numbers:
    """Sigmas that are larger in the later half of so many networks."""
    return {(row, "later"): 2.0 if index < deeper else 0.5 for index, row in enumerate(NETWORKS)} | {
        (row, "earlier"): 1.0 for row in NETWORKS
    }


def toys(kind: str, loss: float, *, ours: float = 1.0, layers: tuple[int, ...] = (2, 4)) -> Numbers:
    """What a kind of network loses on larger digits, and what an N-Jet network does."""
    return {(f"{kind}-{depth}", "x4"): 90 - loss for depth in layers} | {(f"njet-{depth}", "x4"): 90 - ours for depth in (2, 4)}


# By claim: numbers of which it is true, and of which it is not; every other cell of its table has 90.
CASES: dict[tuple[str, str], tuple[list[Numbers], list[Numbers]]] = {
    ("table1", "wrong-sigma-costs"): (
        [sigmas((90, 90, 90), (87, 90, 88)), sigmas((90, 90, 90), (90, 90, 88.9))],
        [sigmas((80, 90, 70), (89.5, 90, 89.2))],  # of the baseline's subsampling it says nothing
    ),
    ("table1", "safe-more-affected"): (
        [sigmas((89, 90, 89), (87, 90, 88)), sigmas((90, 90, 90), (89.9, 90, 90))],
        [sigmas((86, 90, 89), (87, 90, 88)), sigmas((89, 90, 89), (89, 90, 89))],
    ),
    ("table1", "one-is-best"): (
        [sigmas((89, 90, 89), (87, 90, 88))],
        [sigmas((89, 90, 90.1), (87, 90, 88)), sigmas((89, 90, 89), (90.5, 90, 88))],
    ),
    ("table2", "accuracy-grows"): (
        [column("accuracy", r_2=88, r_4=89, r_6=89.5)],
        [column("accuracy", r_2=88, r_4=89, r_6=88.9), column("accuracy", r_2=89.1, r_4=89, r_6=90)],
    ),
    ("table2", "time-grows"): (
        [column("ratio", r_2=1.5, r_4=2, r_6=2.5)],
        [column("ratio", r_2=1.5, r_4=2, r_6=1.9), column("ratio", r_2=2.1, r_4=2, r_6=2.5)],
    ),
    ("table3", "comparable"): (
        [{("njet-nin", "cifar10"): 90.9, ("njet-nin", "svhn"): 89.1}],
        [{("njet-nin", "cifar100"): 91.1}, {("njet-nin", "svhn"): 88.9}],
    ),
    ("table4", "similar-accuracy"): (
        [{("njet-resnet-32", "cifar10"): 90.9}],
        [{(f"njet-{name}", dataset): 88.5} for name in PAIRS for dataset in ("cifar10", "cifar100")],
    ),
    ("table4", "order-3-more-parameters"): (
        [column("parameters", njet_all_cnn=91, njet_resnet_32=91, njet_resnet_110=10)],
        [column("parameters", njet_all_cnn=91), column("parameters", njet_resnet_32=91)],
    ),
    ("table4", "order-2-fewer-parameters"): (
        [column("parameters", njet_resnet_110=89, njet_efficientnet=89, njet_all_cnn=99)],
        [
            column("parameters", njet_resnet_110=89),
            column("parameters", njet_efficientnet=89),
            column("parameters", njet_resnet_110=89, njet_efficientnet=89) | {("njet-efficientnet", "cifar100"): 88.0},
        ],
    ),
    ("table5", "njet-more-accurate"): (
        [column("x4", njet_2=91, njet_4=90.5)],
        [column("x4", njet_2=91, njet_4=90.5, deformable_4=92), column("x4", njet_2=91), column("x4", njet_2=91, njet_4=95, atrous_2=92)],
    ),
    ("table5", "filter-size-matters"): (
        [column("x4", cnn_3_2=88, cnn_3_4=89), column("x4", cnn_5_2=80, cnn_5_4=80) | column("x1", cnn_3_2=88)],
        [column("x4", cnn_3_2=88), column("x4", cnn_3_2=88, cnn_3_4=89) | column("x1", cnn_7_4=88.5)],
    ),
    **{
        ("table5", f"{kind}-affected"): (
            [toys(kind, 3.0)],
            [toys(kind, 0.5), toys(kind, 3.0, layers=(2,)), toys(kind, 3.0) | {("njet-4", "x1"): 95.0}],
        )
        for kind in ("deformable", "atrous")
    },
    ("figure5", "ratio-is-close"): (
        [column("sigma_at_2x", **{"x1.5": 2.81, "x2": 2.82}), column("sigma_at_2x", **{"x1.5": 2.85, "x2": 2.77})],
        [column("sigma_at_2x", **{"x1.5": 2.7, "x2": 2.82}), column("sigma_at_2x", **{"x1.5": 2.95, "x2": 2.82})],
    ),
    ("figure5", "sigma-follows-size"): (
        [column("sigma", x1=1.4, **{"x1.5": 2.1}, x2=2.8)],
        [column("sigma", x1=1.4, **{"x1.5": 2.9}, x2=2.8), column("sigma", x1=2.4, **{"x1.5": 2.1}, x2=2.8)],
    ),
    ("figure6", "small-filters-affected"): (
        [{("3-3-3", "full"): 80, ("5-5-3", "full"): 85}, {("3-3-3", "subsampled"): 99, ("7-7-7", "full"): 82}],
        [{("3-3-3", "full"): 80, ("7-7-7", "full"): 79}, {("3-3-3", "full"): 91}],
    ),
    ("figure6", "sizes-matter"): (
        [{("7-7-7", "full"): 91.5}, {("3-3-3", "full"): 89.5, ("5-5-5", "full"): 90.6}],
        [{("7-7-7", "full"): 90.9}, {("3-3-3", "subsampled"): 70}],
    ),
    ("figure8", "continuous-and-smooth"): (
        [column("largest_fall", all_cnn=2, njet_all_cnn=1.3)],
        [column("largest_fall", all_cnn=2, njet_all_cnn=2.1), column("largest_fall", all_cnn=2, njet_all_cnn=2)],
    ),
    ("figure12", "earlier-layers-smaller"): ([halves(3), halves(5)], [halves(2), halves(0)]),
    ("speed", "twice-as-slow"): (
        [column("ratio", njet_nin_learned=1.6), column("ratio", njet_nin_learned=2.5)],
        [column("ratio", njet_nin_learned=1.4), column("ratio", njet_nin_learned=2.6)],
    ),
}


def truth(key: tuple[str, str], numbers: Numbers, *, one_seed: bool = False) -> str:
    """What a claim's test says of numbers without spread, or of one seed; they have to be cells of its table."""
    cells = load(f"njet.{key[0]}").by_key
    assert numbers.keys() <= cells.keys()
    values = {cell: float(numbers.get(cell, 90.0)) for cell in cells}
    return str(CLAIMS[key].test(Evidence({cell: Estimate({0: value} if one_seed else value) for cell, value in values.items()})).truth)


def test_every_claim_has_its_cases() -> None:
    assert CASES.keys() == CLAIMS.keys()


@pytest.mark.parametrize("key", CLAIMS, ids="-".join)
def test_numbers_decide_both_ways(key: tuple[str, str]) -> None:
    true, false = CASES[key]
    assert [truth(key, numbers) for numbers in true] == ["yes"] * len(true)
    assert [truth(key, numbers) for numbers in false] == ["no"] * len(false)


@pytest.mark.parametrize("key", CLAIMS, ids="-".join)
def test_one_seed_decides_nothing(key: tuple[str, str]) -> None:
    assert {truth(key, numbers, one_seed=True) for numbers in (*CASES[key][0], *CASES[key][1])} == {"undecided"}


def test_what_the_printed_numbers_say() -> None:
    """Most are not tested: the bodies of the tables were not found."""
    found = {}
    for id in {key[0] for key in CLAIMS}:
        results = check_claims(tables("njet")[f"njet.{id}"].claims, load(f"njet.{id}"), [])
        assert {result["holds"] for result in results} == {"not tested"}
        found |= {(id, result["id"]): result["printed"] for result in results}
    assert {key for key, printed in found.items() if printed == "yes"} == {("figure5", "ratio-is-close"), ("speed", "twice-as-slow")}
    assert set(found.values()) == {"yes", "not tested"}
