"""Scores of units against slow references."""

from math import erf, exp, pi, sqrt

import pytest
import torch

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.sparsity.structure import Part, Units
from prunescope.sparsity.unit_scores import ExpectedActivation, FilterNorm, MeanActivation, UnitScore

ROWS = tuple(range(5))
NORMS = (Part("bn.weight", ROWS), Part("bn.bias", ROWS))
CONV = Units("conv", 5, (Part("conv.weight", ROWS),), (Part("conv.bias", ROWS),), NORMS, norm="bn", output="bn")
PLAIN = Units("conv", 5, (Part("conv.weight", ROWS),), (Part("conv.bias", ROWS),), output="conv")


def weights(gamma=None, beta=None):
    draw = torch.Generator().manual_seed(0)
    params = {
        "conv.weight": torch.randn(5, 3, 2, 2, generator=draw),
        "bn.weight": torch.tensor([1.0, -0.5, 2.0, 0.0, 0.0]) if gamma is None else gamma,
        "bn.bias": torch.tensor([0.3, -1.0, -2.5, 0.7, 0.0]) if beta is None else beta,
    }
    return Weights(params, {}, {"conv.weight": torch.ones(5, 3, 2, 2, dtype=torch.bool)})


def test_every_score_of_units_is_tested_here(leaves):
    assert leaves(UnitScore) == {FilterNorm, ExpectedActivation, MeanActivation}


@pytest.mark.parametrize("order", [1, 2])
def test_filter_norms(order):
    state = weights()
    slow = [sum(abs(float(w)) ** order for w in one.flatten()) ** (1 / order) for one in state.params["conv.weight"]]
    found = FilterNorm(order=order).scores(state, CONV, {})
    assert found.tolist() == pytest.approx(slow, rel=1e-12) and found.dtype == torch.float64


def by_formula(gamma, beta):
    """The specification's formula, word for word."""
    if gamma == 0:
        return max(beta, 0.0)
    alpha = -beta / gamma
    z = 1 - 0.5 * (1 + erf(alpha / sqrt(2)))
    return 0.0 if z == 0 else z * (beta + gamma * exp(-(alpha**2) / 2) / sqrt(2 * pi) / z)


@pytest.mark.parametrize("signed", [False, True])
def test_expected_activation_is_the_formula(signed):
    state = weights()
    pairs = zip(state.params["bn.weight"].tolist(), state.params["bn.bias"].tolist(), strict=True)
    slow = [by_formula(gamma if signed else abs(gamma), beta) for gamma, beta in pairs]
    found = ExpectedActivation(signed=signed).scores(state, CONV, {}).tolist()
    assert found == pytest.approx(slow, rel=1e-6, abs=1e-12)
    assert found[3] == pytest.approx(0.7) and found[4] == 0


@pytest.mark.parametrize("signed", [False, True])
def test_expected_activation_agrees_with_monte_carlo(signed):
    """Of the rectified output, or, for a negative gamma with its sign, of the part that is rectified away."""
    gamma, beta = torch.tensor([1.3, -0.8, 0.2, -2.0]), torch.tensor([0.4, -0.3, -0.1, 1.5])
    units = Units("conv", 4, (Part("conv.weight", ROWS[:4]),), norm="bn", output="bn")
    found = ExpectedActivation(signed=signed).scores(weights(gamma, beta), units, {})
    draws = torch.randn(400_000, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = beta + gamma * draws
    parts = torch.where((gamma < 0) & torch.tensor(signed), x.clamp(max=0), x.clamp(min=0))
    error = parts.std(0) / 400_000**0.5
    assert bool(((found - parts.mean(0)).abs() < 4 * error).all())
    assert signed == bool((found < 0).any())


def test_expected_activation_needs_batchnorm():
    with pytest.raises(UsageError, match=r"no BatchNorm follows conv.*FilterNorm"):
        ExpectedActivation().check(PLAIN)


def test_mean_activation_averages_absolute_sums_of_every_third_batch():
    score = MeanActivation(outputs={"conv": "bn"}, decay=0.8, every=3, warm_up=2)
    memory = score.init(weights(), ["conv"])
    average, draw = torch.zeros(5), torch.Generator().manual_seed(2)
    for step in range(7):
        out = torch.randn(4, 5, 2, 2, generator=draw)
        if score.needs(step):
            assert step % 3 == 0 and score.needs(step) == {"bn"}
            memory = score.observe(memory, {"bn": out})
            average = 0.8 * average + 0.2 * torch.stack([out[:, c].abs().sum() for c in range(5)])
    found = score.scores(weights(), CONV, memory)
    torch.testing.assert_close(found, average.double(), rtol=1e-6, atol=0)
    assert int(memory["updates"]) == 3


@pytest.mark.parametrize("turned", [False, True])
def test_mean_activation_of_tokens_sums_over_tokens(turned):
    """A layer from 3 to 5 puts out [B, T, 5], also where T is 5; its weight is [5, 3], or [3, 5] as GPT-2 has it."""
    weight = torch.ones(3, 5) if turned else torch.ones(5, 3)
    units = Units("fc", 5, (Part("fc.weight", ROWS, int(turned)),), output="fc")
    state, score = Weights({"fc.weight": weight}, {}, {}), MeanActivation(outputs={"fc": "fc"}, decay=0.5)
    score.check(units)
    memory, average = score.init(state, ["fc"]), torch.zeros(5)
    for seed in range(2):
        out = torch.randn(4, 5, 5, generator=torch.Generator().manual_seed(seed))
        memory = score.observe(memory, {"fc": out})
        average = 0.5 * average + 0.5 * torch.stack([out[:, :, c].abs().sum() for c in range(5)])
    torch.testing.assert_close(score.scores(state, units, memory), average.double(), rtol=1e-6, atol=0)


def test_heads_have_no_activation_each():
    heads = Units("qkv", 2, (Part("qkv.weight", (0, 0, 1, 1)),), output="qkv")
    with pytest.raises(UsageError, match="outputs of qkv are no units of qkv; score them by FilterNorm"):
        MeanActivation(outputs={"qkv": "qkv"}).check(heads)


def test_mean_activation_is_not_used_before_it_is_warm():
    score = MeanActivation(outputs={"conv": "bn"}, warm_up=2)
    memory = score.observe(score.init(weights(), ["conv"]), {"bn": torch.ones(1, 5, 1, 1)})
    with pytest.raises(UsageError, match="averaged 1 times, and warm_up=2; prune later"):
        score.scores(weights(), CONV, memory)


@pytest.mark.parametrize("outputs", [{}, {"conv": "relu"}])
def test_mean_activation_wants_the_input_of_the_activation(outputs):
    with pytest.raises(UsageError, match=r"output of bn.*write outputs={'conv': 'bn'"):
        MeanActivation(outputs=outputs).check(CONV)
