"""The N-Jet layer against its convolution, counts of the authors' networks, and optimisers and compilers around it."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.layers.derivatives import half_size
from lightning_modules.layers.njet import NJetConv2d, update_sizes
from lightning_modules.layers.njet_convolution import EVALUATIONS, njet_conv2d


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def layer(**options: Any) -> NJetConv2d:
    torch.manual_seed(0)
    return NJetConv2d(4, 6, **options)


def test_the_layer_is_a_convolution_with_its_kernel() -> None:
    made = layer(groups=2, stride=2).double()
    features = random(2, 4, 9, 9)
    assert made.kernel.shape == (6, 2, 5, 5)
    expected = functional.conv2d(features, made.kernel, made.bias, stride=2, padding=2, groups=2)
    torch.testing.assert_close(made(features), expected)


@pytest.mark.parametrize(("order", "count"), [(1, 329_047), (2, 496_663), (3, 720_151), (4, 999_511)])
def test_three_layers_make_the_parameters_of_the_authors_nin(order: int, count: int) -> None:
    """What is left are 1 x 1 convolutions without bias and batch normalisation, as in their plain network of 968,404."""
    jets = [NJetConv2d(channels, 192, order, bias=False) for channels in (3, 96, 192)]
    pointwise = 192 * 160 + 160 * 96 + 192 * 192 + 192 * 192 + 192 * 192 + 192 * 10
    normalisation = 2 * (192 + 160 + 96 + 192 + 192 + 192 + 192 + 192 + 10)
    assert pointwise + normalisation + 192 * (3 * 25 + 96 * 25 + 192 * 9) == 968_404
    assert sum(parameter.numel() for jet in jets for parameter in jet.parameters()) + pointwise + normalisation == count


@pytest.mark.parametrize(("order", "count"), [(1, 516_096), (2, 1_032_192), (3, 1_720_320)])
def test_four_layers_make_the_weights_of_an_aspp(order: int, count: int) -> None:
    assert 4 * NJetConv2d(2048, 21, order).alpha.numel() == count


@pytest.mark.parametrize(
    ("padding", "stride", "expected"),
    [("same", 1, (11, 14)), ("same", 2, (6, 7)), ("valid", 1, (7, 10)), (3, 1, (13, 16)), ((0, 1), 2, (4, 6))],
)
def test_padding_and_stride_are_those_of_a_convolution(padding: Any, stride: int, expected: tuple[int, int]) -> None:
    assert layer(padding=padding, stride=stride)(random(1, 4, 11, 14, dtype=torch.float32)).shape == (1, 6, *expected)


def test_the_size_follows_sigma_when_told_and_when_loaded() -> None:
    made = layer()
    assert made.size == 5
    with torch.no_grad():
        made.scale.fill_(math.log2(3.0))
    assert made.size == 5
    update_sizes(nn.Sequential(nn.ReLU(), made))
    assert made.size == 13
    network = nn.Sequential(layer())
    network.load_state_dict(nn.Sequential(made).state_dict())
    assert network[0].size == 13
    assert copy.deepcopy(made).size == 13
    assert layer(half_size_rule="code").size == 7


@pytest.mark.parametrize("changes", [0, 1, 2])
def test_a_copy_follows_its_own_sigma(changes: int) -> None:
    made, features = layer(), random(1, 4, 9, 9, dtype=torch.float32)
    for _ in range(changes):
        with torch.no_grad():
            made.scale.fill_(1.0)
    made(features)
    before, copied = made.size, copy.deepcopy(made)
    for scale, size in ((math.log2(3.0), 13), (0.5, 7)):
        with torch.no_grad():
            copied.scale.fill_(scale)
        copied(features)
        made(features)
        assert (made.size, copied.size) == (before, size)


def test_an_optimisers_hook_keeps_the_size_up_to_date() -> None:
    made = layer()
    optimizer = torch.optim.SGD(made.parameters(), lr=1.0)
    optimizer.register_step_post_hook(lambda *_: update_sizes(made))
    (-4 * made.scale).backward()
    optimizer.step()
    assert made.sigma.item() == 16
    assert made.size == 65
    assert made(random(1, 4, 8, 8, dtype=torch.float32)).shape == (1, 6, 8, 8)


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_in_a_plain_loop_the_next_forward_pass_follows_sigma(optimizer: type[torch.optim.Optimizer]) -> None:
    made, features = layer(sigma=1.5), random(1, 4, 8, 8, dtype=torch.float32)
    steps = optimizer(made.parameters(), lr=0.5)  # type: ignore[call-arg]
    for scale in (math.log2(1.5) + 0.5, math.log2(1.5) + 1.0):
        steps.zero_grad()
        (-made.scale).backward()
        steps.step()
        assert made.scale.item() == pytest.approx(scale, rel=0.05)  # decay
        assert made(features).shape == (1, 6, 8, 8)
        assert made.size == 2 * half_size(made.sigma.item(), 2.0) + 1
        told = layer(sigma=made.sigma.item())
        told.load_state_dict(made.state_dict())
        assert torch.equal(made(features), told(features))
    assert made.size > 2 * half_size(1.5, 2.0) + 1


def test_a_forward_pass_after_no_change_does_not_ask_for_sigma(monkeypatch: pytest.MonkeyPatch) -> None:
    made, features = layer(), random(1, 4, 8, 8, dtype=torch.float32)
    with torch.no_grad():
        made.scale.fill_(0.5)
    made(features)
    monkeypatch.setattr(NJetConv2d, "_follow", lambda *_: pytest.fail("asked again"))
    made(features).sum().backward()
    made.eval()(features)


def test_the_size_of_a_sigma_per_filter_follows_the_largest() -> None:
    made = layer(sigma_per_filter=True)
    assert made.scale.shape == (6,)
    with torch.no_grad():
        made.scale[2] = 1.0
    update_sizes(made)
    assert made.size == 9


def test_a_forward_pass_reads_no_value_of_sigma() -> None:
    """On meta tensors there is none to be read: whatever waited for a device would fail here."""
    for evaluation in EVALUATIONS:
        made = layer(evaluation=evaluation, subsampling=4.0).to("meta")
        assert made(torch.empty(2, 4, 16, 16, device="meta")).shape == (2, 6, 13, 13)


@pytest.mark.parametrize(("rule", "sigma"), [("paper", 4.0), ("code", 3.0)])
def test_safe_subsampling_is_of_what_the_layer_sees(rule: str, sigma: float) -> None:
    made, plain = layer(subsampling=4.0, subsampling_rule=rule, sigma=sigma, order=1), layer(sigma=sigma, order=1)
    features = random(1, 4, 32, 32, dtype=torch.float32)
    assert made(features).shape[-2:] == (16, 16)
    assert torch.equal(made(features), plain(features[..., ::2, ::2]))


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_autocast_works_in_its_type_and_learns_in_single_precision(evaluation: str) -> None:
    made, features = layer(evaluation=evaluation), random(2, 4, 9, 9, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        response = made(features)
    assert response.dtype == torch.bfloat16
    response.float().sum().backward()
    assert made.alpha.grad is not None
    assert made.scale.grad is not None
    assert made.alpha.grad.dtype == made.scale.grad.dtype == torch.float32
    torch.testing.assert_close(response.float(), layer(evaluation="dense")(features), rtol=0.05, atol=0.05)


@pytest.mark.slow
# torch.compile itself makes an instance of torch.autograd.Function, which warns of that: torch/_dynamo/side_effects.py in torch 2.13.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated.*:DeprecationWarning")
@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_compiling_happens_once_a_size(evaluation: str) -> None:
    made, features, compiled = layer(evaluation=evaluation), random(2, 4, 9, 9, dtype=torch.float32), []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> Any:
        compiled.append(made.size)
        return graph.forward

    torch._dynamo.reset()
    run = torch.compile(made, backend=backend, fullgraph=True)
    for scale in (0.0, 0.001, 0.002, 0.001, 0.0, 0.6, 0.61, 0.0):
        with torch.no_grad():
            made.scale.fill_(scale)
        update_sizes(made)
        torch.testing.assert_close(run(features), made(features))
        run(features).sum().backward()
    assert compiled == [5, 7, 9]


def test_safe_subsampling_compiles_nothing_while_sizes_stay() -> None:
    """Its formula takes sigma itself, which changes with every step; compiled code gets to see the sizes alone."""
    made, features, compiled = layer(subsampling=4.0, sigma=1.2), random(2, 4, 32, 32, dtype=torch.float32), []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> Any:
        compiled.append(graph)
        return graph.forward

    torch._dynamo.reset()
    run = torch.compile(made, backend=backend)
    counts = []
    for sigma in (1.2, 1.201, 1.202, 1.203, 1.2):
        made._follow(sigma)
        with torch.no_grad():
            assert run(features).shape[-2:] == (25, 25)
        counts.append(len(compiled))
    assert len(set(counts)) == 1


@pytest.mark.parametrize(
    "options", [{}, {"sigma": 0.5, "order": 1}, {"sigma": 2.0, "order": 4}, {"groups": 8, "normalized": True, "half_size_rule": "code"}]
)
def test_he_gives_filters_the_energy_of_a_plain_convolutions(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 2048, 3)
    nn.init.kaiming_normal_(plain.weight, nonlinearity="relu")
    assert energy(plain.weight) == pytest.approx(2.0, rel=0.03)
    assert energy(NJetConv2d(8, 2048, init="he", **options).kernel) == pytest.approx(2.0, rel=0.03)


def test_he_keeps_the_energy_of_features_from_layer_to_layer() -> None:
    """Of white noise: a filter's energy of 2 doubles its variance, and ReLU halves the mean square."""
    torch.manual_seed(0)
    response = functional.relu(NJetConv2d(64, 512, padding="valid", bias=False, init="he")(torch.randn(8, 64, 12, 12)))
    assert response.square().mean().item() == pytest.approx(1.0, rel=0.05)


def test_alpha_starts_with_a_deviation_of_1() -> None:
    torch.manual_seed(0)
    assert NJetConv2d(8, 512).alpha.std().item() == pytest.approx(1.0, rel=0.02)
    with torch.device("meta"):
        assert NJetConv2d(8, 512, init="he").alpha.is_meta


def energy(filters: Tensor) -> float:
    """The mean squared norm."""
    return filters.detach().square().sum((1, 2, 3)).mean().item()


def test_bad_input() -> None:
    for options, message in [
        ({"groups": 3}, "Expected `groups` to divide 4 and 6 channels, but got 3"),
        ({"stride": 0}, "Expected `stride` to be positive, but got 0"),
        ({"padding": "full"}, "Expected `padding` to be 'same', 'valid' or whole numbers, but got 'full'"),
        ({"padding": -1}, "Expected `padding` to be 0 or more, but got -1"),
        ({"order": -1}, "Expected `order` to be 0 or more, but got -1"),
        ({"sigma": 0.0}, "Expected `sigma` to be positive and finite, but got 0.0"),
        ({"k": 0.0}, "Expected `k` to be positive, but got 0.0"),
        ({"evaluation": "fast"}, "Expected `evaluation` to be one of dense, half separable, fully separable, but got 'fast'"),
        ({"subsampling": 0.0}, "Expected `r` of safe subsampling to be positive, but got 0.0"),
        ({"subsampling": 4.0, "subsampling_rule": "half"}, "Expected the rule of safe subsampling to be 'paper' or 'code', but got 'half'"),
        ({"half_size_rule": "half"}, "Expected the rule of the half size to be 'paper' or 'code', but got 'half'"),
        ({"init": "she"}, "Expected `init` to be 'normal' or 'he', but got 'she'"),
        ({"subsampling": 4.0, "sigma_per_filter": True}, "Expected `subsampling` without `sigma_per_filter`"),
        (
            {"sigma_per_filter": True, "evaluation": "half separable"},
            "Expected `evaluation` to be 'dense' if each filter has its own sigma",
        ),
    ]:
        with pytest.raises(ValueError, match=message.replace("(", r"\(")):
            layer(**options)


def test_bad_input_of_a_forward_pass() -> None:
    with pytest.raises(ValueError, match="Expected padded features to be at least as large as filters of 5 pixels"):
        layer(padding="valid")(random(1, 4, 4, 9, dtype=torch.float32))
    with pytest.raises(ValueError, match="but got 7"):
        njet_conv2d(random(1, 2, 9, 9), random(3, 2, 7), torch.tensor(1.0), size=5)
    made = layer()
    with torch.no_grad():
        made.scale.fill_(math.nan)
    with pytest.raises(
        ValueError, match="Expected `sigma` to be positive and finite, but got nan; if it was learned, lower its learning rate"
    ):
        update_sizes(made)
